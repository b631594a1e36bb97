package breaker

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Settings say when breakers open and close. A zero field has its default.
type Settings struct {
	// Window is how far back results count. 0 is 10s: shorter ones forget the failures of a route with few requests,
	// longer ones keep counting an incident that is over.
	Window time.Duration
	// Buckets is what the window is divided into; it moves on by one bucket at a time. 0 is 10; at most 60.
	Buckets int
	// TimeoutsInRow opens a breaker without looking at rates. 0 is 5; below 0: never.
	TimeoutsInRow int
	// TimeoutRate is the part of results that may be timeouts, once there are TimeoutMinimum results in the window. 0 is
	// 0.2 of 10.
	TimeoutRate    float64
	TimeoutMinimum int
	// FailureRate is the part of results that may be failures of any class, timeouts included, once there are
	// FailureMinimum results in the window. 0 is 0.5 of 20: with fewer results half of them fail by chance too often. A
	// healthy endpoint that fails 5 % of requests has 10 failures in 20 once in 10^8 windows.
	FailureRate    float64
	FailureMinimum int
	// OpenFor is the first wait of an open breaker. Each time it opens again before it was closed for longer than MaxOpen,
	// the wait doubles, up to MaxOpen. 0 is 2s and 1m.
	OpenFor, MaxOpen time.Duration
	// Jitter is the part of the wait that is random: a wait is up to so much shorter or longer, lest all gateways try at
	// the same moment. 0 is 0.2; below 0: none.
	Jitter float64
	// Probes is how many requests may be under way while half open, Successes how many must succeed to close. 0 is 1 and 3.
	Probes, Successes int
	// OnChange is told of each change after it is complete, on the goroutine of the request that caused it and without any
	// lock held. It must not wait. Nil: nobody is told.
	OnChange func(Change)
	// Rand draws from [0, 1) for the jitter. Nil is rand.Float64.
	Rand func() float64
}

// Validate reports all that is wrong.
func (s Settings) Validate() error {
	s = s.withDefaults()
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(s.Buckets < 1 || s.Buckets > maxBuckets, "buckets: must be 1 to %d, got %d", maxBuckets, s.Buckets)
	refuse(s.Window < time.Duration(max(s.Buckets, 1))*time.Millisecond, "window: must be at least a millisecond for each of the %d buckets, got %s", s.Buckets, s.Window)
	refuse(s.TimeoutRate < 0 || s.TimeoutRate > 1, "timeout_rate: must be above 0 and at most 1, got %g", s.TimeoutRate)
	refuse(s.FailureRate < 0 || s.FailureRate > 1, "failure_rate: must be above 0 and at most 1, got %g", s.FailureRate)
	refuse(s.TimeoutMinimum < 1, "timeout_minimum: must be positive, got %d", s.TimeoutMinimum)
	refuse(s.FailureMinimum < 1, "failure_minimum: must be positive, got %d", s.FailureMinimum)
	refuse(s.OpenFor < 0, "open_for: must be positive, got %s", s.OpenFor)
	refuse(s.MaxOpen < s.OpenFor, "max_open: must be at least open_for (%s), got %s", s.OpenFor, s.MaxOpen)
	refuse(s.Jitter >= 1, "jitter: must be below 1, got %g", s.Jitter)
	refuse(s.Probes < 1, "probes: must be positive, got %d", s.Probes)
	refuse(s.Successes < 1, "successes: must be positive, got %d", s.Successes)
	return errors.Join(errs...)
}

func (s Settings) withDefaults() Settings {
	or(&s.Window, 10*time.Second)
	or(&s.Buckets, 10)
	or(&s.TimeoutsInRow, 5)
	or(&s.TimeoutRate, 0.2)
	or(&s.TimeoutMinimum, 10)
	or(&s.FailureRate, 0.5)
	or(&s.FailureMinimum, 20)
	or(&s.OpenFor, 2*time.Second)
	or(&s.MaxOpen, max(time.Minute, s.OpenFor))
	or(&s.Jitter, 0.2)
	or(&s.Probes, 1)
	or(&s.Successes, 3)
	if s.Rand == nil {
		s.Rand = defaultRand
	}
	return s
}

func or[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// wait is how long to stay open for the time after so many repeats.
func (s *Settings) wait(repeats int) time.Duration {
	d := min(float64(s.OpenFor)*math.Exp2(float64(repeats)), float64(s.MaxOpen))
	if s.Jitter > 0 {
		d *= 1 + s.Jitter*(2*s.Rand()-1)
	}
	return time.Duration(d)
}
