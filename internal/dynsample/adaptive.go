package dynsample

import (
	"math"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/tailgate-otel/tailgate/internal/probability"
)

// Adaptive is the sampler behind EMA, Throughput and Budget: it averages what comes in per key, and once an interval
// divides a goal among the keys.
//
// A key has a rate of its own once it was seen in two intervals. Until then, and if the table is full, it is one of the
// others, who are rated together as if they were one key. A key that leaves the others takes its part of their average
// along, so nothing is counted twice.
type Adaptive struct {
	tuning
	goal   func(origin float64) float64 // what may be kept in an interval whose average load is this
	divide func(load) share

	// mu guards everything below. It is held for a map lookup and a few additions, once an interval for an adjustment.
	mu        sync.Mutex
	index     map[string]int32 // of slots
	slots     []slot
	others    slot
	start     time.Time // of the running interval
	intervals uint      // that are over, bursts not counted
	current   float64   // origin of all that came in during the running interval
	burst     float64   // current above this ends the interval early
	shares    []share   // reused by adjust
}

func newAdaptive(t tuning, goal func(float64) float64, divide func(load) share, initial rate) *Adaptive {
	return &Adaptive{
		tuning: t,
		goal:   goal,
		divide: divide,
		index:  make(map[string]int32),
		others: slot{key: OtherKeys, rate: initial},
		burst:  math.Inf(1),
	}
}

// Threshold is Sampler's.
func (a *Adaptive) Threshold(now time.Time, key string, weight float64, spans int) probability.Threshold {
	size := 1.0
	if a.unit == Spans {
		size = float64(max(spans, 1))
	}
	one := load{traces: 1, arrived: size, origin: size * adjusted(weight)}

	a.mu.Lock()
	defer a.mu.Unlock()
	a.advance(now)
	a.current += one.origin
	s := a.find(clip(key, maxKeyBytes))
	if s != nil {
		if s.current.keys == 0 {
			one.keys = 1
		}
		s.current.add(one)
		if s.seenTwice {
			return s.rate.at(s.current)
		}
	}
	a.others.current.add(one)
	return a.others.rate.at(a.others.current)
}

// find returns the slot of key, a new one if there is room, nil if there is none. mu held; the slot is valid until the
// next call.
func (a *Adaptive) find(key string) *slot {
	if i, ok := a.index[key]; ok {
		return &a.slots[i]
	}
	if len(a.slots) >= a.maxKeys {
		return nil
	}
	key = strings.Clone(key)
	a.index[key] = int32(len(a.slots))
	a.slots = append(a.slots, slot{key: key})
	return &a.slots[len(a.slots)-1]
}

// advance ends the running interval if its time is over or if it was a burst. The intervals of a pause are skipped, so that
// averages survive it (as in Refinery). mu held.
func (a *Adaptive) advance(now time.Time) {
	if a.start.IsZero() {
		a.start = now
	}
	elapsed := now.Sub(a.start)
	switch {
	case elapsed >= a.interval:
		a.intervals++
		a.adjust(1)
		a.start = a.start.Add(elapsed - elapsed%a.interval)
	case a.current > a.burst && a.intervals >= a.burstDelay:
		elapsed = max(elapsed, 0) // another shard's clock was read a little earlier
		a.adjust(elapsed.Seconds() / a.interval.Seconds())
		a.start = a.start.Add(elapsed)
	}
}

// adjust folds the running interval, of which the given part is over, into the averages and divides the goal anew.
// mu held.
func (a *Adaptive) adjust(part float64) {
	a.average(part)
	var origin float64
	a.shares = a.shares[:0]
	for i := range a.slots {
		if s := &a.slots[i]; s.seenTwice {
			origin += s.average.origin
			a.shares = append(a.shares, a.divide(s.average))
		}
	}
	others := a.others.average
	origin += others.origin
	if others.origin > 0 {
		a.shares = append(a.shares, a.divide(others))
	}
	goal := a.goal(origin)
	fill(a.shares, goal)

	n := 0
	for i := range a.slots {
		if s := &a.slots[i]; s.seenTwice {
			s.rate = granted(s.average, a.shares[n], a.burstAbove(s.average.origin))
			n++
		}
	}
	// The others may always keep as much as an average key, even if there were none so far: a key that is new is kept
	// whole as long as new keys are few.
	one := goal / float64(n+1)
	if others.origin > 0 {
		a.others.rate = granted(others, a.shares[n], max(a.burstAbove(others.origin), one))
	} else {
		a.others.rate = newRate(1, one)
	}
	a.burst = a.burstAbove(origin)
}

// burstAbove is how much may come in where the average is this, until it is a burst.
func (a *Adaptive) burstAbove(average float64) float64 {
	if a.burstMultiple < 0 {
		return math.Inf(1)
	}
	return a.burstMultiple * average
}

// average folds what came in into the averages, forgets keys that have faded, and gives those seen twice their own slot.
//
// An interval that a burst ended after a part of its time weighs by that part: 1-(1-w)^part instead of w, of a load that
// would have been 1/part as large in a whole one. As part goes to 0 the product goes to -ln(1-w): a burst counts however
// short it was, and keys that just had no time to come do not fade. The very first interval is taken as it is, or
// averages would start at w times the truth. mu held.
func (a *Adaptive) average(part float64) {
	keep, gain := 1-a.weight, a.weight
	switch {
	case a.intervals == 1 && part == 1:
		keep, gain = 0, 1
	case part == 0:
		keep, gain = 1, -math.Log(1-a.weight)
	case part < 1:
		keep = math.Pow(1-a.weight, part)
		gain = (1 - keep) / part
	}
	a.current = 0
	a.others.average.fold(a.others.current, keep, gain)
	a.others.current = load{}
	for i := 0; i < len(a.slots); {
		s := &a.slots[i]
		seen, known := s.current.traces > 0, s.average.traces > 0
		s.average.fold(s.current, keep, gain)
		s.current = load{}
		switch {
		case s.average.traces < a.ageOut:
			a.forget(i)
			continue
		case !s.seenTwice && seen && (known || a.intervals == 1):
			s.seenTwice = true
			a.others.average.sub(s.average)
		}
		i++
	}
	if a.others.average.traces < a.ageOut {
		a.others.average = load{}
	}
}

// forget moves the last slot to the place of slot i. mu held.
func (a *Adaptive) forget(i int) {
	last := len(a.slots) - 1
	delete(a.index, a.slots[i].key)
	if i != last {
		a.slots[i] = a.slots[last]
		a.index[a.slots[i].key] = int32(i)
	}
	a.slots[last] = slot{}
	a.slots = a.slots[:last]
}

// Top is Sampler's. Keys that have no rate of their own are one line, OtherKeys.
func (a *Adaptive) Top(n int) []KeyRate {
	a.mu.Lock()
	defer a.mu.Unlock()
	rates := make([]KeyRate, 0, len(a.slots)+1)
	line := func(s *slot) {
		rates = append(rates, KeyRate{
			Key:             s.key,
			Probability:     s.rate.at(s.current).Probability(),
			TracesPerSecond: s.average.traces / a.interval.Seconds(),
		})
	}
	for i := range a.slots {
		if a.slots[i].seenTwice {
			line(&a.slots[i])
		}
	}
	if a.others.average.traces > 0 {
		line(&a.others)
	}
	return busiest(rates, n)
}

// Keys is Sampler's.
func (a *Adaptive) Keys() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.slots)
}

// mapEntry is what a map[string]int32 holds per key: 16+4 bytes, padded to 24, one byte of control, at most 7/8 full and
// after doubling half that.
const mapEntry = 42

// Bytes is Sampler's.
func (a *Adaptive) Bytes() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := int(unsafe.Sizeof(*a)) + cap(a.slots)*int(unsafe.Sizeof(slot{})) + cap(a.shares)*int(unsafe.Sizeof(share{}))
	for i := range a.slots {
		n += len(a.slots[i].key) + mapEntry
	}
	return n
}
