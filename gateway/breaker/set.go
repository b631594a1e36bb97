package breaker

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Set keeps breakers from one configuration to the next. Requests do not come here: a configuration gets its breakers when
// it is built and holds on to them.
type Set struct {
	mu       sync.Mutex // guards breakers; breakers' own locks may be taken under it
	breakers map[Key]entry
}

type entry struct {
	*Breaker
	plain plainSettings
}

// plainSettings is what can be compared of Settings.
type plainSettings struct {
	window                                       time.Duration
	buckets, row, timeoutMinimum, failureMinimum int
	timeoutRate, failureRate, jitter             float64
	openFor, maxOpen                             time.Duration
	probes, successes                            int
}

// NewSet makes an empty set.
func NewSet() *Set { return &Set{breakers: map[Key]entry{}} }

// Get answers the breaker of the key, with its state if there is one with equal settings, otherwise a new, closed one; the
// old one, which a configuration may be using still, is no longer listed then. The callbacks of a kept breaker stay.
// Settings must be valid.
func (s *Set) Get(key Key, settings Settings, now time.Time) *Breaker {
	plain := settings.plain()
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.breakers[key]; ok && e.plain == plain {
		return e.Breaker
	}
	b := newBreaker(key, settings, now)
	s.breakers[key] = entry{b, plain}
	return b
}

// Retain forgets the breakers for which keep answers false.
func (s *Set) Retain(keep func(Key) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.breakers {
		if !keep(k) {
			delete(s.breakers, k)
		}
	}
}

// Status describes all breakers by route and endpoint.
func (s *Set) Status(now time.Time) []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Status, 0, len(s.breakers))
	for _, e := range s.breakers {
		out = append(out, e.Status(now))
	}
	slices.SortFunc(out, func(a, b Status) int {
		return cmp.Or(cmp.Compare(a.Key.Route, b.Key.Route), cmp.Compare(a.Key.Endpoint, b.Key.Endpoint))
	})
	return out
}

func (s Settings) plain() plainSettings {
	s = s.withDefaults()
	return plainSettings{s.Window, s.Buckets, s.TimeoutsInRow, s.TimeoutMinimum, s.FailureMinimum,
		s.TimeoutRate, s.FailureRate, s.Jitter, s.OpenFor, s.MaxOpen, s.Probes, s.Successes}
}
