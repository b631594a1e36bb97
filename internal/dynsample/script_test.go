package dynsample

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/tailgate-otel/tailgate/internal/probability"
)

// feed sends n traces of a key at once and returns how many of them are to be kept, as the sum of probabilities.
func feed(s Sampler, at time.Duration, key string, n int) (kept float64) {
	for range n {
		kept += s.Threshold(epoch.Add(at), key, 1, 1).Probability()
	}
	return kept
}

const interval = 15 * time.Second

// steady sends 1000 traces of "big" and 10 of "small" in each of ten intervals.
func steady(s Sampler) (now time.Duration) {
	for range 10 {
		feed(s, now, "big", 1000)
		feed(s, now, "small", 10)
		now += interval
	}
	return now
}

func hundred() *Adaptive { // 10 % of what steady sends
	return NewThroughput(ThroughputConfig{GoalThroughputPerSec: 101.0 / 15, Unit: Traces})
}

func TestFirstIntervalIsTakenAsItIs(t *testing.T) {
	s := hundred()
	assert.InDelta(t, 101*(1+2.3), feed(s, 0, "a", 1010), 1, "101 whole, then 101*ln(1010/101)")
	assert.InDelta(t, 101, feed(s, interval, "a", 1010), 1)
	assert.InEpsilon(t, 1010.0/15, s.Top(1)[0].TracesPerSecond, 1e-9)
}

func TestNewKeysAreKeptWholeWhileFew(t *testing.T) {
	s := hundred()
	now := steady(s)
	// Three parts of the goal of 101: two keys and the others. The others have theirs, though none came so far.
	assert.Equal(t, 30.0, feed(s, now, "new 1", 30))
	for i := range 1000 {
		feed(s, now, fmt.Sprint("flood ", i), 1)
	}
	assert.Less(t, feed(s, now, "new 2", 30), 1.0)

	s = hundred()
	now = steady(s)
	feed(s, now, "lone", 1)
	feed(s, now, "big", 1000)
	assert.Equal(t, 30.0, feed(s, now+interval, "new 1", 30), "there was another before")
}

func TestBurstOfASmallKeyUsesUpItsPart(t *testing.T) {
	s := hundred()
	now := steady(s)
	assert.Equal(t, 10.0, feed(s, now, "small", 10))
	// small needs 10 of 101, so big gets 91 by a weight of ln(1001) = 6.9. At that level small, with ln(11) = 2.4, is
	// entitled to 31.6.
	kept := feed(s, now, "small", 590)
	assert.InDelta(t, 21.6+31.6*2.94, kept, 1, "the rest of 31.6 whole, then 31.6*ln(600/31.6)")
	assert.Equal(t, 600.0, s.others.current.origin+s.slots[1].current.origin, "all traffic did not double: nothing was adjusted")
}

func TestBurstOfAllAdjustsAtOnce(t *testing.T) {
	for _, at := range []time.Duration{-10 * time.Second, 0, 3 * time.Second, 14 * time.Second} {
		t.Run(at.String(), func(t *testing.T) {
			s := hundred()
			now := steady(s)
			feed(s, now, "big", 1)
			before := s.Top(1)[0].TracesPerSecond
			feed(s, now+at, "big", 10_000)
			top := s.Top(1)[0]
			// Three adjustments (above 2000, 4800, 11000 if no time passes) weigh each trace by 0.5 to 0.7.
			assert.Greater(t, top.TracesPerSecond, 3*before)
			assert.Less(t, top.TracesPerSecond, 10*before)
			assert.Less(t, feed(s, now+at, "big", 100), 4.0)
			assert.False(t, s.start.Before(epoch.Add(now)), "time does not go back")
		})
	}
}

func TestBurstDetectionCanBeOff(t *testing.T) {
	s := NewThroughput(ThroughputConfig{GoalThroughputPerSec: 101.0 / 15, Unit: Traces, BurstMultiple: -1})
	now := steady(s)
	assert.InEpsilon(t, 10*feed(s, now, "big", 1000), feed(s, now, "big", 10_000), 1e-9)
}

// Traces are decided in ticks. Intervals stand on a grid, or 1.5s that begin with a tick would always hold two.
func TestTicksDoNotBiasTheGoal(t *testing.T) {
	s := NewThroughput(ThroughputConfig{GoalThroughputPerSec: 10, Unit: Traces, AdjustmentInterval: 1500 * time.Millisecond})
	var kept float64
	for tick := range 1000 {
		kept += feed(s, time.Duration(tick)*time.Second, "a", 100)
	}
	assert.InEpsilon(t, 10_000, kept, 0.1)
}

// Where the goal is too small for one trace of every key, half of it is for that.
func TestEveryKeyHasAPlace(t *testing.T) {
	s := NewThroughput(ThroughputConfig{GoalThroughputPerSec: 200.0 / 15, Unit: Traces})
	round := func(now time.Duration) {
		for k := range 100 {
			feed(s, now, fmt.Sprint("big ", k), 1000)
		}
		for k := range 20 {
			feed(s, now, fmt.Sprint("small ", k), 2)
		}
	}
	round(0)
	round(interval)
	// Floors are 100/120 of a trace. The level at which 200 are used up gives the big ones 100 + 83.3 of 200.
	assert.InDelta(t, 100.0/120/2, s.Threshold(epoch.Add(interval), "small 1", 1, 1).Probability(), 0.001)
	assert.InDelta(t, (200-20*100.0/120)/100/1000, s.Threshold(epoch.Add(interval), "big 1", 1, 1).Probability(), 0.0001)
}

func TestRateFallsOnlyBehindItsLimit(t *testing.T) {
	r := newRate(0.5, 100)
	for origin, want := range map[float64]float64{0: 0.5, 100: 0.5, 200: 0.25, 1000: 0.05} {
		assert.Equal(t, probability.FromProbability(want), r.at(load{origin: origin}))
	}
}
