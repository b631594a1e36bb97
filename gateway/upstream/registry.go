// Package upstream keeps the endpoints that requests go to: their connections, what is known of their health, and the
// choice among them.
//
// Endpoints outlive configurations. A Registry holds each under its Settings; a new configuration takes over the
// endpoints whose settings did not change, with connections and state, so that a reload closes nothing that is still
// wanted. Connections and their goroutines belong to net/http's transports, one per endpoint. Health is passive: an
// endpoint that accepts no connection is skipped for its cooldown, then one request tries it again. When all are
// cooling down Pick returns nil at once, and the caller answers instead of queueing.
package upstream

import (
	"slices"
	"sync"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/config"
)

// Registry owns all endpoints. It is safe for concurrent use; Prepare and Commit are meant for one reloader at a time.
type Registry struct {
	now func() time.Time

	mu        sync.Mutex // guards the two below
	endpoints map[Settings]*Endpoint
	sets      map[string]*Set
}

// NewRegistry returns an empty registry. now is the clock of cooldowns.
func NewRegistry(now func() time.Time) *Registry {
	return &Registry{now: now, endpoints: map[Settings]*Endpoint{}, sets: map[string]*Set{}}
}

// Generation is what Prepare made of a configuration; it takes effect with Commit.
type Generation struct {
	Sets      map[string]*Set
	endpoints map[Settings]*Endpoint
}

// Prepare builds the sets of a configuration from known and new endpoints. It opens no connection and changes nothing,
// so that a configuration can still be refused afterwards.
func (r *Registry) Prepare(upstreams map[string]config.Upstream, t config.Timeouts) (*Generation, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := &Generation{Sets: map[string]*Set{}, endpoints: map[Settings]*Endpoint{}}
	for name, u := range upstreams {
		set := &Set{Name: name, Attempts: u.Attempts, HostOfEndpoint: u.Host == config.HostOfEndpoint,
			leastLoaded: u.Balance == config.LeastLoaded, now: r.now}
		for _, raw := range u.Endpoints {
			s := settings(name, raw, u, t)
			e := r.endpoints[s]
			if e == nil {
				var err error
				if e, err = newEndpoint(s, r.now); err != nil {
					return nil, err
				}
			}
			g.endpoints[s] = e
			set.endpoints = append(set.endpoints, e)
		}
		g.Sets[name] = set
	}
	return g, nil
}

func settings(name, endpoint string, u config.Upstream, t config.Timeouts) Settings {
	return Settings{
		Upstream: name, URL: endpoint, Protocol: string(u.Protocol),
		ConnectTimeout: t.Connect, HeaderTimeout: t.UpstreamHeader, IdleTimeout: t.UpstreamIdle,
		MaxIdle: u.MaxIdleConnections, Cooldown: u.Cooldown, CAFile: u.TLS.CAFile, ServerName: u.TLS.ServerName,
	}
}

// Commit makes g current and retires the endpoints that it does not have.
func (r *Registry) Commit(g *Generation) {
	r.mu.Lock()
	old := r.endpoints
	r.endpoints, r.sets = g.endpoints, g.Sets
	r.mu.Unlock()
	for s, e := range old {
		if g.endpoints[s] == nil {
			e.retire()
		}
	}
}

// Close retires everything.
func (r *Registry) Close() { r.Commit(&Generation{}) }

// Sets lists the current upstreams by name.
func (r *Registry) Sets() []*Set {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*Set, 0, len(r.sets))
	for _, s := range r.sets {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *Set) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return out
}
