package limit

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// AdaptiveSettings bound a limit that finds itself.
type AdaptiveSettings struct {
	// Min and Max bound the limit. 0: 4, which lets latency still be measured, and 1000.
	Min, Max int
	// Start is the limit before anything is known. 0: 20, or the bound that is nearest.
	Start int
	// Tolerance is how much longer than with an idle upstream requests may take, as a factor, before the limit shrinks. 0:
	// 1.5. Smaller values keep latency lower and leave an upstream with uneven latency idle at times.
	Tolerance float64
	// Window is how long latencies are gathered for a step. 0: 500ms. A window with fewer than 50 goes on.
	Window time.Duration
	// Probe is the time between two looks at the upstream with half of the limit, which show how fast it is now when nothing
	// waits in it. 0: one minute. Each takes two windows, and two more for each half that shows that more did wait.
	Probe time.Duration
}

const (
	// minSamples make a mean that is off by 7 % if latencies scatter by half of it.
	minSamples = 50
	// improved is by how much a probe must lower the latency to show that requests did wait.
	improved = 0.8
	// smoothing is the part of a step that is taken: five steps to most of a change.
	smoothing = 0.2
	// failedShare of a window's requests lets the limit shrink whatever the latency of the others says.
	failedShare = 0.1
)

// Adaptive moves a limit on requests in flight so that an upstream is busy and nothing queues in it. It compares the
// latency of each window with a baseline, that of the upstream without a queue, and steps
//
//	limit x min(1, max(1/2, tolerance x baseline / latency)) + sqrt(limit)
//
// as Netflix' gradient limits do, of which a part is taken. Where the latency rises with the requests in flight, it comes
// to rest at about 1.5 to 2 times what the upstream works on at once.
//
// The baseline is the least of the windows since the last probe. A probe halves the limit, and halves it again as long as
// that makes requests faster; the first one is at the start, as nobody knows whether the limit to start with is too high.
// A running mean as the baseline, the other way that is known, grows along with a queue that stays for long.
//
// It is safe for concurrent use; observing takes a handful of atomic additions, and one caller per window does the step.
type Adaptive struct {
	ends    atomic.Int64 // unix nanoseconds of the window's end
	count   atomic.Int64
	failed  atomic.Int64
	sum     atomic.Int64 // of latencies, in nanoseconds
	highest atomic.Int64 // in flight

	mu        sync.Mutex // guards all below
	s         AdaptiveSettings
	limit     float64
	baseline  float64 // nanoseconds; 0: unknown
	phase     phase
	depth     int // halvings of a probe
	nextProbe time.Time
	jitter    func() float64
}

// phase of a probe. The first window after the limit fell still has requests that waited before.
type phase uint8

const (
	steady phase = iota
	settling
	measuring
)

// Validate reports what is wrong with s. Its errors begin with the name of the field.
func (s AdaptiveSettings) Validate() error {
	s = s.withDefaults()
	var errs []error
	if s.Min < 1 || s.Max < s.Min {
		errs = append(errs, fmt.Errorf("Max: must not be below Min, nor Min below 1, got %d and %d", s.Max, s.Min))
	}
	if s.Start < s.Min || s.Start > s.Max {
		errs = append(errs, fmt.Errorf("Start: must be from Min to Max (%d to %d), got %d", s.Min, s.Max, s.Start))
	}
	if s.Tolerance < 1.1 || s.Tolerance > 10 {
		errs = append(errs, fmt.Errorf("Tolerance: must be from 1.1 to 10, got %v", s.Tolerance))
	}
	if s.Window <= 0 || s.Probe < 10*s.Window {
		errs = append(errs, fmt.Errorf("Probe: must be at least ten times Window, and both positive, got %s and %s", s.Probe, s.Window))
	}
	return errors.Join(errs...)
}

func (s AdaptiveSettings) withDefaults() AdaptiveSettings {
	if s.Min == 0 {
		s.Min = 4
	}
	if s.Max == 0 {
		s.Max = max(1000, s.Min)
	}
	if s.Start == 0 {
		s.Start = min(s.Max, max(s.Min, 20))
	}
	if s.Tolerance == 0 {
		s.Tolerance = 1.5
	}
	if s.Window == 0 {
		s.Window = 500 * time.Millisecond
	}
	if s.Probe == 0 {
		s.Probe = time.Minute
	}
	return s
}

// NewAdaptive returns the limit of an upstream of which nothing is known. The settings must be valid.
func NewAdaptive(s AdaptiveSettings, now time.Time) *Adaptive {
	a := &Adaptive{s: s.withDefaults(), jitter: rand.Float64, baseline: math.Inf(1), phase: settling, depth: 1}
	a.limit = float64(a.s.Start)
	a.ends.Store(now.Add(a.s.Window).UnixNano())
	a.scheduleProbe(now)
	return a
}

// Set changes the settings, which must be valid, and keeps what is known.
func (a *Adaptive) Set(s AdaptiveSettings) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.s = s.withDefaults()
	a.limit = a.clamp(a.limit)
}

// Limit returns the limit of now.
func (a *Adaptive) Limit() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.current()
}

// Observe takes the latency of a request to its first byte, as the rest is the client's pace, the requests in flight when
// it ended, itself included, and whether it failed for overload (a timeout, 503). When that ends a window, it returns the
// new limit and true.
func (a *Adaptive) Observe(latency time.Duration, inFlight int, failed bool, now time.Time) (int, bool) {
	a.sum.Add(int64(latency))
	if failed {
		a.failed.Add(1)
	}
	for {
		h := a.highest.Load()
		if int64(inFlight) <= h || a.highest.CompareAndSwap(h, int64(inFlight)) {
			break
		}
	}
	if n := a.count.Add(1); n < minSamples || now.UnixNano() < a.ends.Load() || !a.mu.TryLock() {
		return 0, false
	}
	defer a.mu.Unlock()
	if now.UnixNano() < a.ends.Load() { // another one was faster
		return 0, false
	}
	a.ends.Store(now.Add(a.s.Window).UnixNano())
	n := a.count.Swap(0)
	if n == 0 {
		return 0, false
	}
	// Observations between these swaps fall into two windows by halves: one in a thousand, and harmless.
	w := window{latency: float64(a.sum.Swap(0)) / float64(n), failed: float64(a.failed.Swap(0)) / float64(n), highest: float64(a.highest.Swap(0))}
	before := a.current()
	a.step(w, now)
	return a.current(), a.current() != before
}

// window is what was seen in one.
type window struct {
	latency float64 // mean, in nanoseconds
	failed  float64 // share
	highest float64 // in flight
}

// step moves the limit after a window. mu held.
func (a *Adaptive) step(w window, now time.Time) {
	switch a.phase {
	case settling:
		a.phase = measuring
		return
	case measuring:
		a.measured(w, now)
		return
	}
	a.baseline = min(a.baseline, w.latency)
	gradient := min(1, max(0.5, a.s.Tolerance*a.baseline/w.latency))
	if w.failed > failedShare {
		gradient = min(gradient, 0.8)
	}
	move := smoothing * (a.limit*gradient + math.Sqrt(a.limit) - a.limit)
	if w.highest < a.limit/2 { // the limit limits nobody: nothing can be learnt about a larger one
		if move = min(0, move); gradient == 1 {
			return
		}
	}
	a.limit = a.clamp(a.limit + move)
	if now.After(a.nextProbe) {
		a.phase, a.depth = settling, 1
	}
}

// measured takes the latency under a lower limit. If it shows that requests waited under the one before, the next lower
// one is tried; else it is how fast the upstream is, and the limit returns to twice the last one that made a difference.
// mu held.
func (a *Adaptive) measured(w window, now time.Time) {
	if w.latency < improved*a.baseline && a.probeLimit() > float64(a.s.Min) {
		a.baseline = w.latency
		a.depth++
		a.phase = settling
		return
	}
	if a.depth > 1 {
		a.limit = a.clamp(4 * a.limit / float64(int(1)<<a.depth))
	}
	a.baseline = w.latency
	a.phase, a.depth = steady, 0
	a.scheduleProbe(now)
}

// probeLimit is the limit of a probe. mu held.
func (a *Adaptive) probeLimit() float64 {
	return max(float64(a.s.Min), a.limit/float64(int(1)<<a.depth))
}

// current is the limit in force. mu held.
func (a *Adaptive) current() int {
	if a.phase != steady {
		return int(a.probeLimit())
	}
	return int(a.limit)
}

func (a *Adaptive) clamp(limit float64) float64 {
	return min(float64(a.s.Max), max(float64(a.s.Min), limit))
}

// scheduleProbe spreads probes over a fifth of their interval, so that those of many routes do not come together.
func (a *Adaptive) scheduleProbe(now time.Time) {
	a.nextProbe = now.Add(time.Duration((0.9 + 0.2*a.jitter()) * float64(a.s.Probe)))
}
