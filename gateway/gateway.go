// Package gateway puts the parts of the gateway together: configuration, telemetry, upstreams, request path, listeners,
// admin pages. It owns the goroutines that are not net/http's or the OpenTelemetry SDK's: the one that follows the
// configuration file. Run joins all of them before it returns.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/admin"
	"github.com/tailgate-otel/tailgate/gateway/config"
	"github.com/tailgate-otel/tailgate/gateway/front"
	"github.com/tailgate-otel/tailgate/gateway/proxy"
	"github.com/tailgate-otel/tailgate/gateway/reload"
	gatewaytelemetry "github.com/tailgate-otel/tailgate/gateway/telemetry"
	"github.com/tailgate-otel/tailgate/gateway/upstream"
	"github.com/tailgate-otel/tailgate/telemetry/instruments"
)

const (
	// flushTimeout is how long the end of the program may wait for a collector to take the last telemetry.
	flushTimeout = 3 * time.Second
	// abortTimeout is the same for a start that failed: there is nothing yet that is worth waiting for.
	abortTimeout = 200 * time.Millisecond
)

// Settings are what the command line says.
type Settings struct {
	ConfigFile string
	Listen     string // replaces the file's when not empty
	Admin      string // replaces the file's when not empty
	Version    string
	Stderr     io.Writer
}

// Gateway is a running gateway.
type Gateway struct {
	s         Settings
	telemetry *gatewaytelemetry.Telemetry
	metrics   *instruments.Gateway
	registry  *upstream.Registry
	handler   *proxy.Handler
	reloader  *reload.Reloader
	front     *front.Front
	admin     *admin.Server
	started   *config.Config // what listeners and telemetry were started with
	snapshot  atomic.Pointer[proxy.Snapshot]
}

// Start reads the configuration, opens the listeners and begins to serve. Whatever is wrong is wrong now, not later.
func Start(ctx context.Context, s Settings) (*Gateway, error) {
	c, err := Check(s.ConfigFile)
	if err != nil {
		return nil, err
	}
	g := &Gateway{s: s, registry: upstream.NewRegistry(time.Now), started: s.over(c)}
	if err := g.start(ctx); err != nil {
		return nil, errors.Join(err, g.close(abortTimeout))
	}
	g.telemetry.Logger.InfoContext(ctx, "serving", "address", g.Addr().String(), "admin", g.AdminAddr().String(),
		"routes", len(c.Routes), "config", s.ConfigFile, "version", s.Version)
	return g, nil
}

// Check reads a configuration and builds all that can be built without opening a socket, so that a file that passes
// also starts.
func Check(file string) (*config.Config, error) {
	c, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	if _, _, err := build(c, upstream.NewRegistry(time.Now)); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if err := front.CheckTLS(c.TLS); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

// Snapshot builds the route table of a file, for those who only want to look at it.
func Snapshot(file string) (*proxy.Snapshot, error) {
	c, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	snap, _, err := build(c, upstream.NewRegistry(time.Now))
	return snap, err
}

func build(c *config.Config, r *upstream.Registry) (*proxy.Snapshot, *upstream.Generation, error) {
	generation, err := r.Prepare(c.Upstreams, c.Timeouts)
	if err != nil {
		return nil, nil, err
	}
	snap, err := proxy.Build(c, generation)
	return snap, generation, err
}

// over puts the addresses of the command line over those of the file.
func (s Settings) over(c *config.Config) *config.Config {
	if s.Listen != "" {
		c.Listen = s.Listen
	}
	if s.Admin != "" {
		c.Admin = s.Admin
	}
	return c
}

func (g *Gateway) start(ctx context.Context) error {
	var err error
	t := g.started.Telemetry
	g.telemetry, err = gatewaytelemetry.Start(ctx, gatewaytelemetry.Settings{
		Endpoint: t.Endpoint, Version: g.s.Version, InstanceID: instanceID(g.started.Listen), Stderr: g.s.Stderr,
		LogLevel: t.LogLevel, ExportLogLevel: t.ExportLogLevel,
	})
	if err != nil {
		return err
	}
	g.reloader, err = reload.New(reload.Settings{File: g.s.ConfigFile, Apply: g.apply, Done: g.reloaded, Now: time.Now})
	if err != nil {
		return err
	}
	if g.metrics, err = instruments.NewGateway(g.telemetry.Meter.Meter(gatewaytelemetry.Scope), g.state); err != nil {
		return err
	}
	g.handler = proxy.New(proxy.Settings{Tracer: g.telemetry.Tracer, Metrics: g.metrics, Logger: g.telemetry.Logger}, g.snapshot.Load())
	return g.listen()
}

func (g *Gateway) listen() error {
	var err error
	c, errorLog := g.started, slog.NewLogLogger(g.telemetry.Logger.Handler(), slog.LevelDebug)
	g.front, err = front.Listen(front.Settings{
		Listen: c.Listen, TLS: c.TLS, Frontend: c.Frontend, MaxConnections: c.Limits.MaxConnections, MaxHeader: int(c.Limits.MaxHeader), Timeouts: c.Timeouts,
		Handler: g.handler, Connections: func(n int64) { g.metrics.Connections(context.Background(), n) },
		ErrorLog: errorLog, CutCause: proxy.ErrDraining,
	})
	if err != nil {
		return err
	}
	g.admin, err = admin.Listen(admin.Settings{
		Listen: c.Admin, Version: g.s.Version, Ready: g.front.Ready, Snapshot: g.handler.Current, Sets: g.registry.Sets,
		Config: g.reloader.Status, Now: time.Now, ErrorLog: errorLog,
	})
	return err
}

// instanceID tells gateways apart that run at the same time; unlike a random number it stays over a restart, so that
// series go on.
func instanceID(listen string) string {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	_, port, _ := net.SplitHostPort(listen) // checked by Validate
	return net.JoinHostPort(host, port)
}

// Addr is the address for clients.
func (g *Gateway) Addr() net.Addr { return g.front.Addr() }

// TLSAddr is the address for clients with TLS, or nil.
func (g *Gateway) TLSAddr() net.Addr { return g.front.TLSAddr() }

// AdminAddr is the address of the admin pages.
func (g *Gateway) AdminAddr() net.Addr { return g.admin.Addr() }

// Reload reads the configuration file now. Changes of the file are noticed without it.
func (g *Gateway) Reload() { g.reloader.Trigger() }

// Run serves until ctx ends, then drains and returns. cut, when it ends, shortens the drain: a second Ctrl-C.
func (g *Gateway) Run(ctx, cut context.Context) error {
	watching, stop := context.WithCancel(ctx)
	watched := make(chan error, 1)
	go func() { watched <- g.reloader.Run(watching) }()
	var err error
	select {
	case <-ctx.Done():
	case err = <-watched:
		watched <- nil
	case err = <-g.front.Err():
	}
	stop()
	err = errors.Join(err, <-watched)
	g.telemetry.Logger.Info("draining", "at_most", (g.started.Timeouts.DrainDelay + g.started.Timeouts.Drain).String())
	drained := g.front.Drain(cut)
	if drained != nil {
		g.telemetry.Logger.Warn("drain was not complete", "error", drained)
	}
	g.telemetry.Logger.Info("stopped")
	return errors.Join(err, g.close(flushTimeout))
}

// close ends what start began, as far as it came. Telemetry comes after all that records, and what it has not delivered
// after flush is given up; the endpoints come last, since its last export still counts them.
func (g *Gateway) close(flush time.Duration) error {
	if g.front != nil {
		g.front.Close()
	}
	if g.admin != nil {
		g.admin.Close()
	}
	defer g.registry.Close()
	if g.telemetry == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), flush)
	defer cancel()
	if err := g.telemetry.Shutdown(ctx); err != nil && flush > abortTimeout {
		g.telemetry.Logger.Warn("the last telemetry could not be delivered", "error", err)
	}
	if g.metrics == nil {
		return nil
	}
	return g.metrics.Close()
}
