// Package fallback answers for upstreams that cannot: with the last good response, from another upstream, or with a
// fixed response, in the order that the route names. What it gives is marked with X-Downgraded, so that nobody takes it
// for the real thing.
//
// A Chain is a route's immutable list of steps. Chain.Next returns the first step from a given one on that has something
// to offer; sending a request to the other upstream is the caller's, who comes back for the next step if that fails too.
//
// The last good responses lie in a Cache that all routes share and that outlives reloads. It is bounded in bytes, least
// recently stored or served first out; an eighth of the bound is for responses that are just being captured. Capturing
// copies what passes by and holds nothing up: what grows too large is let go of, and so is everything when the eighth is
// full. Storing keeps to RFC 9111 as a shared cache does, and is stricter where a response could be meant for one client:
// see storable. Since an upstream answers a popular address again and again, an entry is only replaced when it is older
// than a second; the copying is paid once a second per address, not per request.
//
// The package starts no goroutine.
package fallback

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Reason says why a request is answered for. It is a closed set, the value of X-Downgraded-Reason and of a metric.
type Reason string

// The reasons.
const (
	NoEndpoint  Reason = "no_endpoint"
	BreakerOpen Reason = "breaker_open"
	Connect     Reason = "connect"
	Reset       Reason = "reset"
	Timeout     Reason = "timeout"
	Status      Reason = "status"
	Overload    Reason = "overload" // the gateway's own limits
)

// Reasons returns all reasons.
func Reasons() []Reason {
	return []Reason{NoEndpoint, BreakerOpen, Connect, Reset, Timeout, Status, Overload}
}

// Settings are the fallbacks of a route.
type Settings struct {
	// Steps are tried in their order.
	Steps []Step
	// On are the reasons for which there is a fallback. Empty: all.
	On []Reason
	// Statuses of the upstream that count as failure. Empty: 502, 503 and 504; a 500 is more often an error of one request
	// than of a service.
	Statuses []int
}

// Step is one fallback: exactly one of its fields is set.
type Step struct {
	Cached   *Cached
	Upstream string // its name
	Static   *Static
}

// Cached answers GET and HEAD with the last good response to the same request.
type Cached struct {
	// MaxStale is how long after the end of its freshness a response is still good enough. Responses that say nothing about
	// freshness are stale at once. 0: one hour.
	MaxStale time.Duration
	// MaxBodyBytes is the largest body kept. 0: 256 KiB.
	MaxBodyBytes int
}

// Static is a fixed response.
type Static struct {
	Status int // 0: 503
	Header http.Header
	Body   []byte
}

// Chain is the checked Settings of one route.
type Chain struct {
	steps    []Step
	static   []*Response // by step; nil: another kind
	cached   *Cached     // the first of the steps that is one
	on       []Reason
	statuses []int
	cache    *Cache
}

// New checks s. Its errors begin with the name of the field. The cache may be nil if no step is Cached.
func New(s Settings, cache *Cache) (*Chain, error) {
	c := &Chain{on: s.On, statuses: s.Statuses, cache: cache}
	var errs []error
	if len(c.on) == 0 {
		c.on = Reasons()
	}
	for _, r := range c.on {
		if !slices.Contains(Reasons(), r) {
			errs = append(errs, fmt.Errorf("On: %q is none of %q", r, Reasons()))
		}
	}
	if len(c.statuses) == 0 {
		c.statuses = []int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}
	}
	for _, status := range c.statuses {
		if status < 400 || status > 599 {
			errs = append(errs, fmt.Errorf("Statuses: %d is no error status (400 to 599)", status))
		}
	}
	for i, step := range s.Steps {
		if err := c.add(step); err != nil {
			errs = append(errs, fmt.Errorf("Steps[%d]: %w", i, err))
		}
	}
	return c, errors.Join(errs...)
}

func (c *Chain) add(step Step) error {
	var static *Response
	switch {
	case step.Cached != nil && step.Upstream == "" && step.Static == nil:
		k := *step.Cached
		if k.MaxStale < 0 || k.MaxBodyBytes < 0 {
			return fmt.Errorf("Cached: MaxStale and MaxBodyBytes must not be negative, got %s and %d", k.MaxStale, k.MaxBodyBytes)
		}
		if c.cached != nil {
			return errors.New("Cached: is a step already, leave one out")
		}
		if c.cache == nil {
			return errors.New("Cached: there is no cache")
		}
		if k.MaxStale == 0 {
			k.MaxStale = time.Hour
		}
		if k.MaxBodyBytes == 0 {
			k.MaxBodyBytes = 256 << 10
		}
		if most := c.cache.maxBody(); k.MaxBodyBytes > most {
			return fmt.Errorf("Cached: MaxBodyBytes must not be above %d, got %d: raise the size of the cache", most, k.MaxBodyBytes)
		}
		c.cached, step.Cached = &k, &k
	case step.Upstream != "" && step.Cached == nil && step.Static == nil:
	case step.Static != nil && step.Cached == nil && step.Upstream == "":
		status := step.Static.Status
		if status == 0 {
			status = http.StatusServiceUnavailable
		}
		if status < 200 || status > 599 {
			return fmt.Errorf("Static: status must be from 200 to 599, got %d", status)
		}
		static = &Response{Status: status, Header: endToEnd(step.Static.Header), Body: step.Static.Body, static: true}
	default:
		return errors.New("must have exactly one of Cached, Upstream and Static")
	}
	c.steps, c.static = append(c.steps, step), append(c.static, static)
	return nil
}

// Failed says whether a response with this status is a failure to answer for.
func (c *Chain) Failed(status int) bool { return slices.Contains(c.statuses, status) }

// Covers says whether there is a fallback for the reason at all.
func (c *Chain) Covers(r Reason) bool { return len(c.steps) > 0 && slices.Contains(c.on, r) }

// Kind is what a step does.
type Kind string

// The kinds: a closed set, fit for a metric.
const (
	KindCached   Kind = "cached"
	KindUpstream Kind = "upstream"
	KindStatic   Kind = "static"
)

// Action is what to do now.
type Action struct {
	Kind     Kind
	Response *Response // to be written; nil for KindUpstream
	Upstream string    // to be asked; empty for the others
	Next     int       // the step to go on with if the upstream fails as well
}

// Next returns the first step from from on that can serve q. Another upstream is only asked if the request can still be
// sent whole. False: nothing is left, answer with the error.
func (c *Chain) Next(from int, q Query, replayable bool, now time.Time) (Action, bool) {
	for i := from; i < len(c.steps); i++ {
		switch step := &c.steps[i]; {
		case step.Cached != nil:
			if res := c.cache.serve(q, step.Cached.MaxStale, now); res != nil {
				return Action{Kind: KindCached, Response: res, Next: i + 1}, true
			}
		case step.Static != nil:
			return Action{Kind: KindStatic, Response: c.static[i], Next: i + 1}, true
		case replayable:
			return Action{Kind: KindUpstream, Upstream: step.Upstream, Next: i + 1}, true
		}
	}
	return Action{}, false
}
