package upstream

import (
	"slices"
	"sync/atomic"
	"time"
)

// Set is the endpoints of one upstream in one configuration. It is immutable but for the turn of the round robin.
type Set struct {
	Name           string
	Attempts       int
	HostOfEndpoint bool

	endpoints   []*Endpoint
	leastLoaded bool
	turn        atomic.Uint64
	now         func() time.Time
}

// Pick chooses an endpoint that is not in tried and counts the request as in flight there; the caller Releases it. It
// returns nil when none may be tried now.
//
// Both ways to balance start at the endpoint whose turn it is, so that equal loads spread too. Least loaded looks at
// every endpoint, which is right for the tens of endpoints that an upstream has.
func (s *Set) Pick(tried []*Endpoint) *Endpoint {
	n := uint64(len(s.endpoints))
	if n == 0 {
		return nil
	}
	now, start := s.now(), s.turn.Add(1)-1
	var best *Endpoint
	for i := range n {
		e := s.endpoints[(start+i)%n]
		if slices.Contains(tried, e) {
			continue
		}
		if best != nil && e.InFlight() >= best.InFlight() {
			continue
		}
		ok, probe := e.take(now)
		if !ok {
			continue
		}
		best = e
		if probe || !s.leastLoaded {
			break
		}
	}
	if best != nil {
		best.inFlight.Add(1)
	}
	return best
}

// Endpoints lists the endpoints in the order of the configuration.
func (s *Set) Endpoints() []*Endpoint { return slices.Clone(s.endpoints) }

// Health counts the endpoints by state.
func (s *Set) Health() (healthy, unhealthy int) {
	for _, e := range s.endpoints {
		if e.Healthy() {
			healthy++
		} else {
			unhealthy++
		}
	}
	return healthy, unhealthy
}
