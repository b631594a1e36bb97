package proxy

import (
	"fmt"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/config"
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
	Name     string
	Template string // http.route
	Upstream *upstream.Set
	Timeout  time.Duration // 0: none
	MaxBody  int64         // 0: no limit
	Rewrite  func(escapedPath string) string
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
		r := &c.Routes[i]
		out := Route{
			Name: r.Name, Template: rules[i].Paths[0].Template(), Upstream: g.Sets[r.Upstream],
			Timeout: c.Timeouts.Request, MaxBody: int64(c.Limits.MaxBody), Rewrite: r.Rewriter(rules[i]),
		}
		if out.Upstream == nil {
			return nil, fmt.Errorf("routes[%d].upstream: unknown upstream %q", i, r.Upstream)
		}
		if r.Timeout != nil {
			out.Timeout = *r.Timeout
		}
		if r.MaxBody != nil {
			out.MaxBody = int64(*r.MaxBody)
		}
		s.Routes[i] = out
	}
	return s, nil
}
