package dynsample

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/tailgate-otel/tailgate/internal/probability"
)

const keepAll = probability.Always

func TestRareKeepsTheFirstOfAKind(t *testing.T) {
	rest := probability.FromProbability(0.01)
	for _, c := range []struct {
		name  string
		every time.Duration
		n     int
		whole int // of n that are kept whole
	}{
		{"all at once", 0, 1000, 5},
		{"every second", time.Second, 2000, 5},
		{"every 119 seconds", 119 * time.Second, 1000, 22}, // 4.56*(1-exp(-0.1983*22)) is above 4.5
		{"every 121 seconds", 121 * time.Second, 1000, 1000},
		{"every hour", time.Hour, 1000, 1000},
		{"every minute", time.Minute, 1000, 7}, // exp(-0.1)+…+exp(-0.7) = 4.8 is the first sum above 4.5
	} {
		t.Run(c.name, func(t *testing.T) {
			r := NewRare(RareConfig{})
			got := 0
			for i := range c.n {
				switch th := r.Threshold(epoch.Add(time.Duration(i)*c.every), "kind", 1, 1); th {
				case keepAll:
					got++
				default:
					assert.Equal(t, rest, th)
				}
			}
			assert.Equal(t, c.whole, got)
		})
	}
}

func TestRareAfterAPause(t *testing.T) {
	r := NewRare(RareConfig{Keep: 2, Period: time.Minute})
	for range 100 {
		r.Threshold(epoch, "kind", 1, 1)
	}
	// 100*exp(-t) < 1.5 after 4.2 periods
	assert.NotEqual(t, keepAll, r.Threshold(epoch.Add(230*time.Second), "kind", 1, 1))
	assert.Equal(t, keepAll, r.Threshold(epoch.Add(290*time.Second), "kind", 1, 1))
}

func TestRareWhenTheClockGoesBack(t *testing.T) {
	r := NewRare(RareConfig{Period: time.Minute})
	for range 10 {
		r.Threshold(epoch, "kind", 1, 1)
	}
	assert.NotEqual(t, keepAll, r.Threshold(epoch.Add(-time.Hour), "kind", 1, 1), "forgets nothing")
	assert.NotEqual(t, keepAll, r.Threshold(epoch, "kind", 1, 1), "nor after it went on")
	assert.Equal(t, keepAll, r.Threshold(epoch.Add(10*time.Minute), "kind", 1, 1), "nor remembers for longer")
}

func TestRareForgetsWhomItReplaces(t *testing.T) {
	r := NewRare(RareConfig{Keep: 1, MaxKeys: 1})
	assert.Equal(t, keepAll, r.Threshold(epoch, "first", 1, 1))
	later := epoch.Add(24 * time.Hour)
	assert.Equal(t, keepAll, r.Threshold(later, "second", 1, 1))
	assert.Equal(t, keepAll, r.Threshold(later, "first", 1, 1), "as one of the others, not as second")
	assert.NotEqual(t, keepAll, r.Threshold(later, "first", 1, 1))
}

func TestRarePassesOn(t *testing.T) {
	r := NewRare(RareConfig{Keep: 1, PassOn: true})
	assert.Equal(t, keepAll, r.Threshold(epoch, "kind", 1, 1))
	assert.Equal(t, probability.Never, r.Threshold(epoch, "kind", 1, 1))
	assert.Zero(t, r.Top(1)[0].Probability)

	both := RareConfig{PassOn: true, RestSampleRate: 10}
	assert.ErrorContains(t, both.Check(), "rest_sample_rate: has no meaning with pass_on")
}

// A trace that came in at 1 in 100 stands for 100: its kind is frequent from then on.
func TestRareCountsWhatThereWasBefore(t *testing.T) {
	r := NewRare(RareConfig{})
	assert.Equal(t, keepAll, r.Threshold(epoch, "kind", 100, 1))
	assert.NotEqual(t, keepAll, r.Threshold(epoch, "kind", 100, 1))
}

func TestRareIsBounded(t *testing.T) {
	r := NewRare(RareConfig{MaxKeys: 100, Period: time.Minute})
	kept := 0
	for i := range 36_000 { // 10 unique kinds a second for an hour
		if r.Threshold(epoch.Add(time.Duration(i)*100*time.Millisecond), fmt.Sprint("unique ", i), 1, 1) == keepAll {
			kept++
		}
	}
	assert.Equal(t, 100, r.Keys())
	assert.Less(t, r.Bytes(), 20_000)
	// 60 periods, 100 places for 2.3 periods each: 2600, and 5 of the others.
	assert.InEpsilon(t, 2600, kept, 0.05)
	end := epoch.Add(time.Hour)
	assert.Equal(t, OtherKeys, r.Top(1)[0].Key)
	assert.InEpsilon(t, 10, r.Top(1)[0].TracesPerSecond, 0.2)

	// After the flood, a new kind finds a place.
	end = end.Add(time.Hour)
	for range 5 {
		assert.Equal(t, keepAll, r.Threshold(end, "new", 1, 1))
	}
	assert.NotEqual(t, keepAll, r.Threshold(end, "new", 1, 1))
	assert.Equal(t, KeyRate{Key: "new", Probability: probability.FromProbability(0.01).Probability(), TracesPerSecond: 0.1}, r.Top(1)[0])
}

func TestRareSignatures(t *testing.T) {
	r := NewRare(RareConfig{Keep: 1})
	assert.Equal(t, keepAll, r.ThresholdSignature(epoch, 0xabc, 1))
	assert.NotEqual(t, keepAll, r.ThresholdSignature(epoch, 0xabc, 1))
	assert.Equal(t, keepAll, r.ThresholdSignature(epoch, 0, 1))
	assert.Equal(t, []string{"0xabc", "0x0"}, []string{r.Top(2)[0].Key, r.Top(2)[1].Key})
	assert.Zero(t, testing.AllocsPerRun(100, func() { r.ThresholdSignature(epoch, 0xabc, 1) }))
}
