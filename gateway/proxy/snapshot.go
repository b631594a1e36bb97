package proxy

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/config"
	"github.com/tailgate-otel/tailgate/gateway/rewrite"
	"github.com/tailgate-otel/tailgate/gateway/route"
	"github.com/tailgate-otel/tailgate/gateway/upstream"
)

// Snapshot is a configuration made ready for requests. It never changes.
type Snapshot struct {
	Config *config.Config
	Table  *route.Table
	Routes []Route // by the index that Table.Match returns
}

// Route is what a request needs to know of its route.
type Route struct {
	Name      string
	Template  string          // http.route
	Upstreams []*upstream.Set // those of Split, or one; none: the route redirects
	Split     *route.Split    // nil: all requests go to the one upstream
	Plan      *rewrite.Plan   // what changes on the way
	Timeout   time.Duration   // 0: none
	MaxBody   int64           // 0: no limit
}

// Build makes a snapshot of a valid configuration and the endpoints prepared for it.
func Build(c *config.Config, g *upstream.Generation) (*Snapshot, error) {
	rules, err := c.Rules()
	if err != nil {
		return nil, err
	}
	table, err := route.Build(rules)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{Config: c, Table: table, Routes: make([]Route, len(rules))}
	for i := range c.Routes {
		if s.Routes[i], err = buildRoute(c, &c.Routes[i], rules[i], g); err != nil {
			return nil, fmt.Errorf("routes[%d].%w", i, err)
		}
	}
	return s, nil
}

func buildRoute(c *config.Config, r *config.Route, rule route.Rule, g *upstream.Generation) (Route, error) {
	out := Route{Name: r.Name, Template: rule.Paths[0].Template(), Timeout: c.Timeouts.Request, MaxBody: int64(c.Limits.MaxBody)}
	var err error
	if out.Plan, err = r.Plan(rule); err != nil {
		return Route{}, err
	}
	var names []string
	switch {
	case len(r.Split) > 0:
		if out.Split, err = r.NewSplit(); err != nil {
			return Route{}, err
		}
		for _, share := range r.Split {
			names = append(names, share.Upstream)
		}
	case r.Redirect == nil:
		names = []string{r.Upstream}
	}
	for _, name := range names {
		if g.Sets[name] == nil {
			return Route{}, fmt.Errorf("upstream: unknown upstream %q", name)
		}
		out.Upstreams = append(out.Upstreams, g.Sets[name])
	}
	if r.Timeout != nil {
		out.Timeout = *r.Timeout
	}
	if r.MaxBody != nil {
		out.MaxBody = int64(*r.MaxBody)
	}
	return out, nil
}

// pick chooses the upstream of a request, or nil for a redirect.
func (r *Route) pick(q *route.Request) *upstream.Set {
	switch {
	case r.Split != nil:
		return r.Upstreams[r.Split.Pick(q, rand.Uint64())]
	case len(r.Upstreams) == 0:
		return nil
	}
	return r.Upstreams[0]
}
