package dynsample

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/internal/probability"
)

// samplers are one of each kind, sized for the traffic of zipf(30, 100, …): 400 traces per second.
func samplers() map[string]Sampler {
	return map[string]Sampler{
		"ema":        NewEMA(EMAConfig{GoalSampleRate: 10}),
		"throughput": NewThroughput(ThroughputConfig{GoalThroughputPerSec: 40, Unit: Traces}),
		"budget":     NewBudget(BudgetConfig{BudgetPerSec: 200, Unit: Spans}),
		"rare":       NewRare(RareConfig{Period: time.Minute, RestSampleRate: 20}),
	}
}

// Whatever the rates are, and whoever sampled before: what is kept tells how much there was, for every key.
func TestAdjustedCountsEstimateTheTruth(t *testing.T) {
	for name, s := range samplers() {
		t.Run(name, func(t *testing.T) {
			streams := zipf(30, 100, 5)
			for i := range streams {
				streams[i].head = []float64{0, 0.5, 0.02}[i%3]
			}
			streams = append(streams, stream{key: "unique", perSecond: 20, spans: 3, unique: true})
			sim := simulate(s, 11, streams...)
			got := sim.run(2 * time.Minute)
			sim.streams[0].perSecond *= 20
			for key, o := range sim.run(time.Minute) { // rates are wrong now, estimates must not be
				*got[key] = outcome{
					origin: got[key].origin + o.origin, estimate: got[key].estimate + o.estimate,
					variance: got[key].variance + o.variance, kept: got[key].kept + o.kept,
				}
			}
			for key, o := range got {
				assert.InDelta(t, o.origin, o.estimate, 3*math.Sqrt(o.variance)+1e-6*o.origin, "%s: kept %v", key, o.kept)
			}
			all := got.total()
			assert.Less(t, all.kept, all.origin/2, "nothing was sampled: the estimate is no test")
		})
	}
}

func TestGoalIsReached(t *testing.T) {
	mixed := zipf(30, 100, 5)
	for i := range mixed {
		mixed[i].spans = 1 + i*i%23
	}
	const seconds = 600
	for _, c := range []struct {
		name    string
		sampler Sampler
		streams []stream
		want    func(o outcome) (got, want float64)
	}{
		{"1 in 10 traces", NewEMA(EMAConfig{GoalSampleRate: 10, Unit: Traces}), mixed,
			func(o outcome) (float64, float64) { return o.kept, o.arrived / 10 }},
		{"1 in 2.5 traces", NewEMA(EMAConfig{GoalSampleRate: 2.5, Unit: Traces}), mixed,
			func(o outcome) (float64, float64) { return o.kept, o.arrived / 2.5 }},
		{"1 in 200 traces", NewEMA(EMAConfig{GoalSampleRate: 200, Unit: Traces}), zipf(30, 1000, 1),
			func(o outcome) (float64, float64) { return o.kept, o.arrived / 200 }},
		{"all", NewEMA(EMAConfig{GoalSampleRate: 1}), mixed,
			func(o outcome) (float64, float64) { return o.kept, o.arrived }},
		{"40 traces per second", NewThroughput(ThroughputConfig{GoalThroughputPerSec: 40, Unit: Traces}), mixed,
			func(o outcome) (float64, float64) { return o.kept, 40 * seconds }},
		{"300 spans per second", NewThroughput(ThroughputConfig{GoalThroughputPerSec: 300}), mixed,
			func(o outcome) (float64, float64) { return o.spans, 300 * seconds }},
		{"less traffic than goal", NewThroughput(ThroughputConfig{GoalThroughputPerSec: 1e6}), mixed,
			func(o outcome) (float64, float64) { return o.kept, o.arrived }},
		{"budget of 100 traces per second", NewBudget(BudgetConfig{BudgetPerSec: 100, Unit: Traces}), mixed,
			func(o outcome) (float64, float64) { return o.kept, 100 * seconds }},
		{"budget of 100 spans per second", NewBudget(BudgetConfig{}), mixed,
			func(o outcome) (float64, float64) { return o.spans, 100 * seconds }},
		{"less traffic than budget", NewBudget(BudgetConfig{BudgetPerSec: 1e6}), mixed,
			func(o outcome) (float64, float64) { return o.kept, o.arrived }},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim := simulate(c.sampler, 12, c.streams...)
			sim.run(2 * time.Minute)
			got, want := c.want(sim.run(seconds * time.Second).total())
			t.Logf("%+.1f %%", 100*(got/want-1))
			assert.InEpsilon(t, want, got, 0.05)
		})
	}
}

// Half of the traffic passed a head sampler: it counts as what it stands for, and the goal is one of what there was.
func TestGoalCountsWhatThereWasBeforeTheHeadSampler(t *testing.T) {
	streams := zipf(20, 100, 1)
	for i := range streams {
		streams[i].head = []float64{0, 0.5}[i%2]
	}
	sim := simulate(NewEMA(EMAConfig{GoalSampleRate: 10}), 13, streams...)
	sim.run(2 * time.Minute)
	all := sim.run(5 * time.Minute).total()
	assert.InEpsilon(t, all.origin/10, all.kept, 0.05)
}

// The point of a dynamic sampler: ten times the traffic of a key gives a little more of it, and rare keys are kept.
func TestFrequentKeysGive(t *testing.T) {
	sim := simulate(NewEMA(EMAConfig{GoalSampleRate: 20}), 14,
		stream{key: "1000", perSecond: 1000}, stream{key: "100", perSecond: 100}, stream{key: "10", perSecond: 10}, stream{key: "0.2", perSecond: 0.2})
	sim.run(2 * time.Minute)
	got := sim.run(5 * time.Minute)
	assert.Less(t, got["1000"].kept, 1.5*got["100"].kept)
	assert.Greater(t, got["1000"].kept, 1.1*got["100"].kept)
	assert.InEpsilon(t, got["10"].arrived, got["10"].kept, 0.05)
	assert.InEpsilon(t, got["0.2"].arrived, got["0.2"].kept, 0.05)
}

func TestBurstOfOneKeyDoesNotStarveOthers(t *testing.T) {
	for _, c := range []struct {
		name    string
		sampler Sampler
		left    float64 // of what the others had
		over    float64 // times the goal that is kept in the first interval of the burst
		goal    float64
	}{
		// One key's traffic becomes 50 times as much, all traffic 13 times. log(1+75000)/log(1+1500) = 1.5: the
		// others give that key's growth of share, no more.
		{"throughput", NewThroughput(ThroughputConfig{GoalThroughputPerSec: 40, Unit: Traces}), 0.9, 4, 40},
		{"budget", NewBudget(BudgetConfig{BudgetPerSec: 40, Unit: Traces}), 0.9, 4, 40},
		{"ema", NewEMA(EMAConfig{GoalSampleRate: 10, Unit: Traces}), 0.9, 2, 530},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim := simulate(c.sampler, 15, zipf(30, 100, 1)...)
			sim.run(2 * time.Minute)
			before := sim.run(time.Minute)
			sim.streams[0].perSecond *= 50
			first := sim.run(15 * time.Second)
			rest := sim.run(time.Minute)
			t.Logf("first interval: %.2f times the goal", first.total().kept/(15*c.goal))
			assert.Less(t, first.total().kept, c.over*15*c.goal)
			others := func(o outcomes) float64 { return o.total().kept - o["key 1"].kept }
			assert.Greater(t, others(rest), c.left*others(before))
			assert.Greater(t, 4*others(first), 0.8*others(before))
			assert.InEpsilon(t, c.goal*60, rest.total().kept, 0.2)
		})
	}
}

// A field of unique values: bounded memory, the goal holds, and steady keys keep their part.
func TestChurnOfKeysIsBounded(t *testing.T) {
	for _, c := range []struct {
		name    string
		sampler *Adaptive
	}{
		{"throughput", NewThroughput(ThroughputConfig{GoalThroughputPerSec: 40, Unit: Traces})},
		{"budget", NewBudget(BudgetConfig{BudgetPerSec: 40, Unit: Traces})},
		{"ema", NewEMA(EMAConfig{GoalSampleRate: 14, Unit: Traces})},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim := simulate(c.sampler, 16, zipf(30, 100, 1)...)
			sim.run(2 * time.Minute)
			before := sim.run(2 * time.Minute)
			sim.streams = append(sim.streams, stream{key: "unique", perSecond: 200, unique: true})
			sim.run(time.Minute)
			after := sim.run(2 * time.Minute)

			assert.LessOrEqual(t, c.sampler.Keys(), 500)
			assert.Less(t, c.sampler.Bytes(), 300_000)
			t.Logf("kept %.0f/s, of unique keys %.0f/s", after.total().kept/120, after["unique"].kept/120)
			goal := 40.0
			if c.name == "ema" {
				goal = 600.0 / 14
			}
			assert.InEpsilon(t, goal*120, after.total().kept, 0.15)
			for key, o := range before {
				assert.Greater(t, after[key].kept, 0.4*o.kept-5, key)
			}
		})
	}
}

// After a flood of keys, their places are free for others.
func TestFadedKeysAreForgotten(t *testing.T) {
	s := NewEMA(EMAConfig{MaxKeys: 50})
	sim := simulate(s, 17, stream{key: "unique", perSecond: 100, unique: true})
	sim.run(time.Minute)
	assert.Equal(t, 50, s.Keys())
	sim.streams = zipf(10, 10, 1)
	sim.run(5 * time.Minute)
	assert.Equal(t, 10, s.Keys())
	assert.Len(t, s.Top(100), 10, "no line for other keys: there are none")
}

func TestPauseKeepsAverages(t *testing.T) {
	s := NewThroughput(ThroughputConfig{GoalThroughputPerSec: 10, Unit: Traces})
	sim := simulate(s, 18, stream{key: "a", perSecond: 100})
	sim.run(2 * time.Minute)
	before := s.Top(1)[0].Probability
	sim.now = sim.now.Add(24 * time.Hour)
	sim.run(time.Second)
	assert.InEpsilon(t, before, s.Top(1)[0].Probability, 0.1)
}

func TestTop(t *testing.T) {
	s := NewThroughput(ThroughputConfig{GoalThroughputPerSec: 30, Unit: Traces, MaxKeys: 3})
	assert.Empty(t, s.Top(5))
	simulate(s, 19, stream{key: "a", perSecond: 100}, stream{key: "b", perSecond: 50}, stream{key: "c", perSecond: 0.5},
		stream{key: "unique", perSecond: 10, unique: true}).run(5 * time.Minute)
	top := s.Top(10)
	require.Len(t, top, 4)
	assert.Equal(t, []string{"a", "b", OtherKeys}, []string{top[0].Key, top[1].Key, top[2].Key})
	assert.InEpsilon(t, 100, top[0].TracesPerSecond, 0.1)
	assert.InEpsilon(t, 10, top[2].TracesPerSecond, 0.25)
	assert.Less(t, top[0].Probability, top[1].Probability)
	assert.Equal(t, top[:2], s.Top(2))
	assert.Empty(t, s.Top(-1))
}

// Equal input gives equal thresholds, and keys may be views of a buffer that is written again.
func TestDeterministicAndKeysAreCopied(t *testing.T) {
	a, b := NewEMA(EMAConfig{}), NewEMA(EMAConfig{})
	buf := make([]byte, 0, 16)
	for i := range 100_000 {
		now := epoch.Add(time.Duration(i) * time.Millisecond)
		buf = fmt.Appendf(buf[:0], "key %d", i%17*i%5)
		th := a.Threshold(now, unsafe.String(unsafe.SliceData(buf), len(buf)), 1, i%7)
		require.Equal(t, th, b.Threshold(now, string(buf), 1, i%7))
		clear(buf)
	}
	assert.Equal(t, a.Top(100), b.Top(100))
	assert.Equal(t, 5, a.Keys())
}

func TestOddInput(t *testing.T) {
	for name, s := range samplers() {
		t.Run(name, func(t *testing.T) {
			long := string(make([]byte, 1<<20))
			for i, weight := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, -1, 1e300} {
				th := s.Threshold(epoch.Add(-time.Duration(i)*time.Hour), long, weight, -i)
				assert.LessOrEqual(t, th, probability.Never)
				s.Threshold(epoch.Add(time.Duration(i)*time.Hour), "", weight, math.MaxInt)
			}
			assert.Less(t, s.Bytes(), 10_000)
			for _, k := range s.Top(10) {
				assert.False(t, math.IsNaN(k.Probability) || math.IsNaN(k.TracesPerSecond), "%+v", k)
			}
		})
	}
}

func TestKnownKeyAllocatesNothing(t *testing.T) {
	for name, s := range samplers() {
		sim := simulate(s, 20, zipf(200, 100, 3)...)
		sim.run(2 * time.Minute)
		now, i := sim.now, 0
		assert.Zero(t, testing.AllocsPerRun(2000, func() {
			now = now.Add(50 * time.Millisecond) // some of the runs adjust
			s.Threshold(now, sim.streams[i%20].key, 1, 3)
			i++
		}), name)
	}
}

func TestConcurrentUse(t *testing.T) {
	for name, s := range samplers() {
		t.Run(name, func(t *testing.T) {
			var wg sync.WaitGroup
			for g := range 4 {
				wg.Go(func() {
					for i := range 5000 {
						s.Threshold(epoch.Add(time.Duration(i*10)*time.Millisecond), fmt.Sprint("key ", i%(10+g)), 1, 2)
						if i%500 == 0 {
							s.Top(3)
							s.Keys()
							s.Bytes()
						}
					}
				})
			}
			wg.Wait()
			assert.Equal(t, 13, s.Keys())
		})
	}
}

func BenchmarkThreshold(b *testing.B) {
	for name, s := range samplers() {
		b.Run(name+"/keys=200", func(b *testing.B) {
			sim := simulate(s, 21, zipf(200, 100, 3)...)
			sim.run(time.Minute)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				s.Threshold(sim.now, sim.streams[i%200].key, 1, 3)
				i++
			}
		})
	}
}

// The lock is held so long once an interval.
func BenchmarkAdjust(b *testing.B) {
	for _, n := range []int{500, 20_000} {
		b.Run(fmt.Sprint("keys=", n), func(b *testing.B) {
			s := NewThroughput(ThroughputConfig{MaxKeys: n, GoalThroughputPerSec: float64(n) / 50})
			sim := simulate(s, 22, zipf(n, 1000, 1)...)
			for _, st := range sim.streams {
				s.Threshold(epoch, st.key, 1, 1)
			}
			b.ReportAllocs()
			for b.Loop() {
				for i := range s.slots {
					s.slots[i].current = load{1, 10, float64(i + 1), float64(i + 1)}
				}
				s.adjust(1)
			}
		})
	}
}
