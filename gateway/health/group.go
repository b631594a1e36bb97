package health

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// gain is the step of the score for one result of weight 1, maxStep that of a round.
	gain    = 0.1
	maxStep = 0.5
	// latencyMemory is that of the mean latency; after twice that without an answer it is not compared any more.
	latencyMemory = 5 * time.Second
	// firstShare is the part of its requests that a returning endpoint gets at first.
	firstShare = 0.1
	// maxDoublings bounds how much slower an endpoint heals that is ejected again and again.
	maxDoublings = 3
	// goodTimes is how many times HealHalf an endpoint is used until its earlier ejections are forgiven.
	goodTimes = 10
)

// Group decides which endpoints of an upstream are used. It is safe for concurrent use.
type Group struct {
	name string

	mu      sync.Mutex // guards the following and what endpoints say belongs to the group; callbacks run without it
	s       Settings
	members []*Endpoint
	last    time.Time // of the last round; zero before the first
	alarm   bool      // too few are healthy
}

// What says what a Change is.
type What uint8

const (
	// Ejected means that an endpoint gets no more requests.
	Ejected What = iota
	// Returned means that it gets requests again, few at first.
	Returned
	// PanicBegan means that all endpoints of the group are used, for too few are healthy.
	PanicBegan
	// PanicEnded means that enough are healthy again.
	PanicEnded
)

// String is the change as telemetry shows it.
func (w What) String() string {
	return [...]string{"ejected", "returned", "panic_began", "panic_ended"}[w]
}

// Change is an event of a group.
type Change struct {
	Group    string
	What     What
	Endpoint string // none for panics
	Score    float64
	Cause    string // of an ejection: the kind of result, or slow
	At       time.Time
}

// NewGroup makes a group without endpoints. A Keeper's Group makes one that is evaluated.
func NewGroup(name string) *Group { return &Group{name: name, s: Settings{}.withDefaults()} }

// Configure replaces settings and endpoints. Endpoints keep their scores; those that are new to a group which has been
// evaluated before start slowly. An endpoint that leaves keeps its share, for requests that know it still.
func (g *Group) Configure(s Settings, endpoints []*Endpoint) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.s = s.withDefaults()
	if !g.last.IsZero() {
		for _, e := range endpoints {
			if !slices.Contains(g.members, e) && e.since.IsZero() {
				e.since = g.last
			}
		}
	}
	g.members = slices.Clone(endpoints)
}

// Evaluate makes a round: it takes in the results since the last one and sets the shares.
func (g *Group) Evaluate(now time.Time) {
	changes, moved, s := g.round(now)
	for _, c := range changes {
		if s.OnChange != nil {
			s.OnChange(c)
		}
	}
	if moved && s.OnShares != nil {
		s.OnShares()
	}
}

func (g *Group) round(now time.Time) (changes []Change, moved bool, s Settings) {
	g.mu.Lock()
	defer g.mu.Unlock()
	passed := time.Duration(0)
	if !g.last.IsZero() {
		passed = max(0, now.Sub(g.last))
	}
	g.last = now
	tallies := make([]tally, len(g.members))
	for i, e := range g.members {
		tallies[i] = e.drain()
		e.hear(tallies[i], now)
	}
	p := g.peers(now)
	for i, e := range g.members {
		g.score(e, tallies[i], p.quality(e, now, &g.s), passed)
	}
	changes = g.decide(now)
	for _, e := range g.members {
		share := g.share(e, now)
		moved = e.share.Swap(share) != share || moved
	}
	return changes, moved, g.s
}

// score moves the score of one endpoint.
func (g *Group) score(e *Endpoint, t tally, quality float64, passed time.Duration) {
	n := t.good + t.bad
	if n == 0 {
		if e.probed.Load() == 0 {
			half := float64(g.s.HealHalf) * math.Exp2(float64(min(max(e.ejections-1, 0), maxDoublings)))
			e.score = 100 - (100-e.score)*math.Exp2(-float64(passed)/half)
		}
		return
	}
	target := 100 * quality * t.good / n
	if target < e.score {
		if e.cause = t.cause; quality < 1 && t.bad < (1-quality)*t.good {
			e.cause = slow
		}
	}
	e.score += min(maxStep, 1-math.Pow(1-gain, n)) * (target - e.score)
}

// decide ejects and returns endpoints and begins and ends panics.
func (g *Group) decide(now time.Time) []Change {
	bad := g.bad()
	for i, e := range bad {
		e.out = i < g.mayEject()
	}
	var changes []Change
	for _, e := range g.members {
		switch out := e.bad && e.out; {
		case out != e.ejected:
			changes = append(changes, g.move(e, out, now))
		case !out && now.Sub(e.since) > goodTimes*g.s.HealHalf:
			e.ejections = 0
		}
	}
	alarm := float64(len(g.members)-len(bad)) < g.s.PanicBelow*float64(len(g.members))
	if alarm != g.alarm {
		g.alarm = alarm
		c := Change{Group: g.name, What: PanicEnded, At: now}
		if alarm {
			c.What = PanicBegan
		}
		changes = append(changes, c)
	}
	return changes
}

// bad answers the endpoints that should not be used: first those ejected already, then the worst.
func (g *Group) bad() []*Endpoint {
	var bad []*Endpoint
	for _, e := range g.members {
		if e.bad = e.score < g.s.EjectBelow || e.bad && e.score < g.s.UseAbove; e.bad {
			bad = append(bad, e)
		}
	}
	slices.SortStableFunc(bad, func(a, b *Endpoint) int {
		if a.ejected != b.ejected {
			if a.ejected {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.score, b.score)
	})
	return bad
}

// move ejects an endpoint or lets it return.
func (g *Group) move(e *Endpoint, ejected bool, now time.Time) Change {
	e.ejected, e.since = ejected, now
	if !ejected {
		return Change{Group: g.name, What: Returned, Endpoint: e.id, Score: e.score, At: now}
	}
	e.ejections++
	return Change{Group: g.name, What: Ejected, Endpoint: e.id, Score: e.score, Cause: e.cause.String(), At: now}
}

// mayEject is how many endpoints may be ejected. The only one never is: its requests have nowhere else to go.
func (g *Group) mayEject() int {
	n := len(g.members)
	return max(int(g.s.MaxEjected*float64(n)), min(1, n-1))
}

func (g *Group) share(e *Endpoint, now time.Time) uint32 {
	switch {
	case g.alarm:
		return Full
	case e.ejected:
		return 0
	case e.since.IsZero() || g.s.SlowStart < 0:
		return Full
	}
	warm := float64(now.Sub(e.since)) / float64(g.s.SlowStart)
	return uint32(Full * min(1, max(warm, firstShare)))
}

// Status is what an admin page shows of a group.
type Status struct {
	Group     string
	Panic     bool
	Endpoints []EndpointStatus
}

// EndpointStatus is what an admin page shows of an endpoint.
type EndpointStatus struct {
	ID      string
	Score   float64
	Ejected bool
	Share   float64 // of 1
	// Since is when it was ejected or returned; zero for an endpoint that was used from the start.
	Since time.Time
	// Cause is what last made its score fall.
	Cause string
	// Latency is the mean of its answers, 0 before the first.
	Latency time.Duration
	Probed  bool
}

// Status describes the group as of its last round.
func (g *Group) Status() Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := Status{Group: g.name, Panic: g.alarm, Endpoints: make([]EndpointStatus, len(g.members))}
	for i, e := range g.members {
		es := EndpointStatus{ID: e.id, Score: e.score, Ejected: e.ejected, Share: float64(e.Share()) / Full,
			Since: e.since, Probed: e.probed.Load() > 0}
		if e.cause != Success {
			es.Cause = e.cause.String()
		}
		if !e.heard.IsZero() {
			es.Latency = duration(e.latency)
		}
		s.Endpoints[i] = es
	}
	return s
}
