package gateway

import (
	"context"

	"github.com/tailgate-otel/tailgate/gateway/config"
	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/instruments"
)

// apply puts a configuration in force. Requests that are under way keep the old one to their end; the endpoints that it
// shares with the new one keep their connections.
func (g *Gateway) apply(c *config.Config) error {
	g.s.over(c)
	snap, generation, err := build(c, g.registry)
	if err != nil {
		return err
	}
	g.snapshot.Store(snap)
	if g.handler == nil { // the first one: the handler is about to be made of it
		g.registry.Commit(generation)
		return nil
	}
	g.handler.Swap(snap)
	g.registry.Commit(generation)
	if keys := config.RestartKeys(g.started, c); len(keys) > 0 {
		g.telemetry.Logger.Warn("some changes of the configuration take effect at the next start only", "keys", keys)
	}
	return nil
}

// reloaded is told of every attempt to reload.
func (g *Gateway) reloaded(outcome string, err error) {
	g.metrics.Reload(context.Background(), outcome)
	switch outcome {
	case telemetry.ReloadApplied:
		g.telemetry.Logger.Info("configuration applied", "version", g.reloader.Status().Version, "routes", g.snapshot.Load().Table.Len())
	case telemetry.ReloadRefused:
		g.telemetry.Logger.Warn("configuration refused; the one before stays in force", "error", err)
	}
}

// state is what the gauges show.
func (g *Gateway) state() instruments.GatewayState {
	st := g.reloader.Status()
	s := instruments.GatewayState{
		Routes: g.snapshot.Load().Table.Len(), LastReloadSuccessful: st.LastError == nil, ConfigAppliedUnixTime: st.AppliedAt.Unix(),
	}
	for _, set := range g.registry.Sets() {
		healthy, unhealthy := set.Health()
		s.Endpoints = append(s.Endpoints, instruments.UpstreamEndpoints{Upstream: set.Name, Healthy: healthy, Unhealthy: unhealthy})
	}
	return s
}
