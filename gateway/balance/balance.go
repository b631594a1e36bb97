// Package balance chooses the endpoint of a request: by consistent hash, in turn, by load, or at random, with the own zone
// first.
//
// A Balancer is built once per configuration and then only read, but for the turn of the round robin and the split among
// zones; it starts no goroutine, takes no lock and allocates nothing. What lives longer belongs to the caller: the Load of
// each endpoint, which all balancers that know the endpoint share, and its health, which a Pick sees through a View. So a
// reload builds new balancers and forgets nothing.
//
// An endpoint whose share is below Full, because it has just come back, gets that part of the requests it would get
// otherwise. Which part depends on the key under Ring, so that a key that moved back stays.
//
// Nothing queues: a Pick answers at once, with None when no endpoint has a share.
//
// What a pick costs in ns, among 16 endpoints of equal weight, on one of two busy cores of an EPYC (BenchmarkPick; the hash of
// a key of 20 bytes, BenchmarkKey, takes 5.5 beside it). Nothing is allocated. Under Ring half of the cost with endpoints
// down is jumps that the processor cannot predict.
//
//	policy         16 up   8 up   1 up
//	RoundRobin         8     13     84
//	Random            15     36    112
//	LeastLoaded       21     77    148
//	Ring, all idle    12     29    150
//	Ring, busy        19     36    160
package balance

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
)

const (
	// Full is the share of an endpoint that takes all requests it is chosen for.
	Full = 1024
	// None is what Pick answers when no endpoint has a share.
	None = -1
	// MaxEndpoints bounds the endpoints of one balancer, so that a set of them fits into 512 bytes of stack.
	MaxEndpoints = 4096
	// MaxWeight bounds a weight. Ratios above 1000 are mistakes more often than intentions.
	MaxWeight = 1000
)

// Policy is a way to choose.
type Policy uint8

const (
	// RoundRobin gives the endpoints turns, as many as their weights say, evenly spread over the round.
	RoundRobin Policy = iota
	// LeastLoaded takes the less loaded of two endpoints drawn by weight. Two draws are nearly as good as looking at all
	// endpoints, and several gateways do not all run to the same idle one (Mitzenmacher, 2001).
	LeastLoaded
	// Ring sends equal keys to the same endpoint, and to the next one clockwise while that is unhealthy or overloaded.
	Ring
	// Random draws by weight.
	Random
)

// Endpoint is what a balancer knows of an endpoint.
type Endpoint struct {
	// ID names the endpoint. Its place on the ring follows from it alone, so use what survives restarts and reorderings,
	// such as host and port. Unique and not empty.
	ID string
	// Weight is its part of the requests relative to the others. 0 is 1; at most MaxWeight.
	Weight int
	// Zone is where it stands; "" is a zone too.
	Zone string
	// Load counts its requests. LeastLoaded and the load bound of Ring read it; nil for them means: idle always.
	Load *Load
}

// Load counts the requests in flight at one endpoint. It fills a cache line, lest two endpoints share one. The zero Load is
// ready.
type Load struct {
	n atomic.Int64
	_ [56]byte
}

// Begin counts a request.
func (l *Load) Begin() { l.n.Add(1) }

// End ends what Begin began.
func (l *Load) End() { l.n.Add(-1) }

// InFlight is the number of requests begun and not ended.
func (l *Load) InFlight() int64 { return l.n.Load() }

// View is what a Pick sees of the health of endpoints. A request that has tried an endpoint already, or whose breaker is
// open there, hides it by answering 0. A nil View gives all endpoints a full share.
type View interface {
	// Share is the part of its requests, in 1/Full, that the endpoint with this index gets: 0 for none at all.
	Share(index int) uint32
}

// Settings say how to choose. The zero Settings is a round robin over all zones.
type Settings struct {
	Policy Policy
	// VirtualNodes is the number of points on the ring per unit of weight. 0 is 128: the fullest of 16 endpoints then gets
	// about 1.2 times the mean, with 512 about 1.1 at four times the memory (26 to 42 bytes a point).
	VirtualNodes int
	// LoadFactor bounds the requests in flight at an endpoint of a Ring to this multiple of what its weight entitles it to;
	// a key goes on clockwise when its endpoint is full (Mirrokni et al., 2016). 0 is 1.25; below 0 there is no bound;
	// otherwise above 1.
	LoadFactor float64
	// Zones are the zones to prefer, nearest first, usually the gateway's own alone. Endpoints of all other zones come last,
	// together. Empty: zones do not matter.
	Zones []string
	// Overprovision is how much more than its part a zone can bear: requests spill over to the next zone when less than
	// 1/Overprovision of a zone is healthy. 0 is 1.4, that is, below 71 %; otherwise at least 1.
	Overprovision float64
	// Rand draws 64 random bits. Nil is rand.Uint64.
	Rand func() uint64
}

// Balancer chooses among a fixed list of endpoints. It is safe for concurrent use.
type Balancer struct {
	policy Policy
	rand   func() uint64
	tiers  []tier // never empty; one unless zones matter
	over   float64
}

// picker chooses among the endpoints of one tier.
type picker interface {
	pick(key uint64, v View) int
}

// member is an endpoint with its place in the caller's list.
type member struct {
	Endpoint
	index int
}

// New makes a balancer. The list must not be empty; its order is the caller's numbering of the endpoints and has no
// influence on a Ring.
func New(endpoints []Endpoint, s Settings) (*Balancer, error) {
	s, err := s.withDefaults()
	if err = errors.Join(err, check(endpoints)); err != nil {
		return nil, err
	}
	b := &Balancer{policy: s.Policy, rand: s.Rand, over: s.Overprovision}
	for _, members := range byZone(endpoints, s.Zones) {
		p, err := newPicker(members, s)
		if err != nil {
			return nil, err
		}
		b.tiers = append(b.tiers, newTier(members, p))
	}
	b.tiers[0].upTo.Store(splitBase)
	return b, nil
}

// Pick answers the index of the endpoint for a request, or None. key, made by Key, matters to Ring alone. The caller counts
// the request with Load.Begin.
func (b *Balancer) Pick(key uint64, v View) int {
	if len(b.tiers) == 1 {
		return b.tiers[0].pick(key, v)
	}
	return b.pickZone(key, v)
}

// Key hashes what requests are told apart by. The hash is the same in all processes and versions.
func Key(b []byte) uint64 { return xxhash.Sum64(b) }

// KeyString is Key for a string.
func KeyString(s string) uint64 { return xxhash.Sum64String(s) }

func newPicker(members []member, s Settings) (picker, error) {
	switch s.Policy {
	case Ring:
		return newRing(members, s)
	case LeastLoaded:
		return newLeastLoaded(members, s.Rand), nil
	case Random:
		return newRandom(members, s.Rand), nil
	default:
		return newRoundRobin(members, s.Rand())
	}
}

func (s Settings) withDefaults() (Settings, error) {
	if s.VirtualNodes == 0 {
		s.VirtualNodes = 128
	}
	if s.LoadFactor == 0 {
		s.LoadFactor = 1.25
	}
	if s.Overprovision == 0 {
		s.Overprovision = 1.4
	}
	if s.Rand == nil {
		s.Rand = rand.Uint64
	}
	var errs []error
	if s.Policy > Random {
		errs = append(errs, fmt.Errorf("policy: %d is none of those known", s.Policy))
	}
	if s.VirtualNodes < 1 {
		errs = append(errs, fmt.Errorf("virtual_nodes: must be positive, got %d", s.VirtualNodes))
	}
	if s.LoadFactor >= 0 && s.LoadFactor <= 1 {
		errs = append(errs, fmt.Errorf("load_factor: must be above 1, or negative for no bound, got %g", s.LoadFactor))
	}
	if s.Overprovision < 1 {
		errs = append(errs, fmt.Errorf("overprovision: must be at least 1, got %g", s.Overprovision))
	}
	return s, errors.Join(errs...)
}

func check(endpoints []Endpoint) error {
	if n := len(endpoints); n == 0 || n > MaxEndpoints {
		return fmt.Errorf("endpoints: must be 1 to %d, got %d", MaxEndpoints, n)
	}
	var errs []error
	seen := make(map[string]bool, len(endpoints))
	for i, e := range endpoints {
		switch {
		case e.ID == "":
			errs = append(errs, fmt.Errorf("endpoints[%d]: id is empty", i))
		case seen[e.ID]:
			errs = append(errs, fmt.Errorf("endpoints[%d]: id %q is there already; give it once, with the sum of the weights", i, e.ID))
		}
		if e.Weight < 0 || e.Weight > MaxWeight {
			errs = append(errs, fmt.Errorf("endpoints[%d].weight: must be 0 to %d, got %d", i, MaxWeight, e.Weight))
		}
		seen[e.ID] = true
	}
	return errors.Join(errs...)
}

// share is v's, or Full without a v.
func share(v View, index int) uint32 {
	if v == nil {
		return Full
	}
	return v.Share(index)
}

// admits says whether an endpoint with this share takes the request that bits stand for: in share of Full cases, always the
// same for the same bits, and for no fewer bits when the share grows.
func admits(share uint32, index int, bits uint64) bool {
	return share >= Full || uint32(mix(bits, uint64(index)+1)>>54) < share
}

// mix spreads the bits of x, differently for each salt (the finalizer of splitmix64).
func mix(x, salt uint64) uint64 {
	x += salt * 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func inFlight(l *Load) int64 {
	if l == nil {
		return 0
	}
	return l.InFlight()
}
