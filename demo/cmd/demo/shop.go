package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/tailgate-otel/tailgate/demo"
	"github.com/tailgate-otel/tailgate/demo/fault"
	"github.com/tailgate-otel/tailgate/demo/shop"
	"github.com/tailgate-otel/tailgate/demo/telemetry"
)

// drainTimeout is how long requests in flight may take at shutdown; longer than every timeout between the services.
const drainTimeout = 10 * time.Second

// defaultAddrs are the addresses that config/gateway.yaml routes to.
var defaultAddrs = map[string]string{
	"storefront": "127.0.0.1:9101", "catalog": "127.0.0.1:9102", "cart": "127.0.0.1:9103",
	"checkout": "127.0.0.1:9104", "payment": "127.0.0.1:9105",
}

func runShop(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("demo shop", flag.ContinueOnError)
	s := shop.Settings{Listen: make(map[string]string), Log: os.Stderr}
	flags.StringVar(&s.Gateway, "gateway", "http://127.0.0.1:8080", "base `URL` under which the services call each other")
	flags.StringVar(&s.Admin, "listen-admin", "127.0.0.1:9100", "`address` for /ready, /services and /faults")
	listen := make(map[string]*string)
	for _, name := range shop.Names() {
		listen[name] = flags.String("listen-"+name, defaultAddrs[name], "`address` of "+name+"; port 0 takes a free one")
	}
	faults := flags.String("faults", "", "`file` with what goes wrong, or none; by default the shipped demo/faults.yaml")
	level := flags.String("log-level", "warn", "least `level` on stderr: debug, info, warn or error")
	if err := parse(flags, args); err != nil {
		return err
	}
	for name, addr := range listen {
		s.Listen[name] = *addr
	}
	var err error
	if s.Faults, err = loadFaults(*faults); err != nil {
		return err
	}
	if s.Level, err = parseLevel(*level); err != nil {
		return err
	}
	if err := telemetry.SetDefaults(); err != nil {
		return err
	}
	return serveShop(ctx, s)
}

func serveShop(ctx context.Context, s shop.Settings) error {
	sh, err := shop.Start(ctx, s)
	if err != nil {
		return err
	}
	for _, name := range append(shop.Names(), "admin") {
		fmt.Fprintf(os.Stderr, "%s listens on %s\n", name, sh.Addr(name))
	}
	select {
	case <-ctx.Done():
	case err = <-sh.Failed():
	}
	drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if stopErr := sh.Shutdown(drain); stopErr != nil {
		// Telemetry that could not be flushed is no reason for a failure: the shop has done its work.
		fmt.Fprintln(os.Stderr, "shutdown:", stopErr)
	}
	return err
}

func loadFaults(file string) (fault.Config, error) {
	switch file {
	case "":
		return fault.Parse("demo/faults.yaml", demo.FaultsYAML, shop.Routes())
	case "none":
		return fault.Config{}, nil
	default:
		return fault.Load(file, shop.Routes())
	}
}

func parseLevel(text string) (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(text)); err != nil {
		return 0, errors.New("--log-level " + text + ": must be debug, info, warn or error")
	}
	return level, nil
}
