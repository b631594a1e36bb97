package fault

import (
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Outcome is what shall happen to one request: first the delay, then the status, or the work when it is 0.
type Outcome struct {
	Delay  time.Duration
	Status int
}

// Injector holds the rules in force.
type Injector struct {
	set atomic.Pointer[ruleSet]
}

// ruleSet is one configuration, compiled. Only the dice in it change.
type ruleSet struct {
	config Config
	rules  []rule
}

type rule struct {
	Rule
	dice *dice
}

// dice is the luck of one rule. It has its own source, so that what happens on one route does not shift another's.
type dice struct {
	mu  sync.Mutex // guards src
	src *rand.Rand
}

// NewInjector returns an injector with a configuration that Parse or Load has accepted.
func NewInjector(c Config) *Injector {
	inj := &Injector{}
	inj.Set(c)
	return inj
}

// Set replaces the rules and starts their luck anew.
func (inj *Injector) Set(c Config) {
	set := &ruleSet{config: c}
	for _, r := range c.Rules {
		h := fnv.New64a()
		_, _ = h.Write([]byte(r.Service + " " + r.Route)) // a hash never fails
		set.rules = append(set.rules, rule{Rule: r, dice: &dice{src: rand.New(rand.NewPCG(c.Seed, h.Sum64()))}})
	}
	inj.set.Store(set)
}

// Config returns the configuration in force.
func (inj *Injector) Config() Config { return inj.set.Load().config }

// Decide draws the outcome for one request of a route.
func (inj *Injector) Decide(service, route string) Outcome {
	for _, r := range inj.set.Load().rules {
		if r.Service == service && (r.Route == "" || r.Route == route) {
			return r.draw()
		}
	}
	return Outcome{}
}

// draw takes the same number of draws from the source whatever comes out of them, so that raising one probability does
// not shift every later request.
func (r *rule) draw() Outcome {
	r.dice.mu.Lock()
	defer r.dice.mu.Unlock()
	var out Outcome
	src := r.dice.src
	if hit := src.Float64(); r.Error != nil && hit < r.Error.Ratio {
		out.Status = r.Error.Status
		if out.Status == 0 {
			out.Status = http.StatusInternalServerError
		}
	}
	decided := false
	for i := range r.Latency {
		l := &r.Latency[i]
		hit, size := src.Float64(), l.size(src)
		if !decided && (l.Probability == nil || hit < *l.Probability) {
			out.Delay, decided = size, true
		}
	}
	return out
}

func (l *Latency) size(src *rand.Rand) time.Duration {
	switch {
	case l.Uniform != nil:
		return l.Uniform.Min + time.Duration(src.Float64()*float64(l.Uniform.Max-l.Uniform.Min))
	case l.Exponential != nil:
		limit := l.Exponential.Max
		if limit == 0 {
			limit = MaxDelay
		}
		return min(limit, time.Duration(src.ExpFloat64()*float64(l.Exponential.Mean)))
	default:
		return l.Fixed
	}
}
