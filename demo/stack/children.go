package stack

import (
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/tailgate-otel/tailgate/internal/supervise"
)

// Names of the children.
const (
	collector = "tailgate"
	gateway   = "gateway"
	shop      = "shop"
	load      = "load"
)

const (
	buildTarget = "build" // of the Makefile
	// loadChunk bounds one run of the load; while the stack runs on it is started again.
	loadChunk = 24 * time.Hour
)

// Addresses are where the parts listen, as their configuration says.
type Addresses struct {
	Store, Health, Metrics, Debug, OTLPgRPC, OTLPHTTP string // of the collector

	Gateway, GatewayAdmin string
	ShopAdmin             string
	Services              map[string]string // of the shop
}

// DefaultAddresses are those of the shipped configuration.
func DefaultAddresses() Addresses {
	return Addresses{
		Store: "127.0.0.1:9090", Health: "127.0.0.1:13133", Metrics: "127.0.0.1:8888", Debug: "127.0.0.1:6831",
		OTLPgRPC: "127.0.0.1:4317", OTLPHTTP: "127.0.0.1:4318",
		Gateway: "127.0.0.1:8080", GatewayAdmin: "127.0.0.1:9901", ShopAdmin: "127.0.0.1:9100",
		Services: map[string]string{
			"storefront": "127.0.0.1:9101", "catalog": "127.0.0.1:9102", "cart": "127.0.0.1:9103",
			"checkout": "127.0.0.1:9104", "payment": "127.0.0.1:9105",
		},
	}
}

func (a Addresses) storeURL() string   { return "http://" + a.Store }
func (a Addresses) gatewayURL() string { return "http://" + a.Gateway }

// shopPorts lists the ports of the shop in order of their names.
func (a Addresses) shopPorts() []supervise.Port {
	ports := []supervise.Port{{Addr: a.ShopAdmin, Use: "admin"}}
	for _, name := range slices.Sorted(maps.Keys(a.Services)) {
		ports = append(ports, supervise.Port{Addr: a.Services[name], Use: name})
	}
	return ports
}

// children are started in this order and stopped in reverse: whoever sends telemetry ends before the collector.
func (o Options) children() []supervise.Child {
	a := o.Addresses
	return []supervise.Child{
		{
			Name: collector, Path: o.binary("tailgate"), MakeTarget: buildTarget,
			Args:  []string{"--config", filepath.Join(o.ConfigDir, "quickstart.yaml")},
			Env:   []string{"TAILGATE_DATA=" + o.Data},
			Ready: supervise.HTTPReady("http://"+a.Health+"/", a.storeURL()+"/-/ready"),
			Ports: []supervise.Port{
				{Addr: a.OTLPgRPC, Use: "OTLP/gRPC"}, {Addr: a.OTLPHTTP, Use: "OTLP/HTTP"},
				{Addr: a.Store, Use: "dashboards and PromQL"}, {Addr: a.Health, Use: "health check"},
				{Addr: a.Metrics, Use: "its own metrics"}, {Addr: a.Debug, Use: "sampling decisions"},
			},
			StopTimeout: 30 * time.Second, // it hands on what is kept and closes the store
		},
		{
			Name: gateway, Path: o.binary("gateway"), MakeTarget: buildTarget,
			Args:        []string{"--config", filepath.Join(o.ConfigDir, "gateway.yaml")},
			ReadyURL:    "http://" + a.GatewayAdmin + "/ready",
			Ports:       []supervise.Port{{Addr: a.Gateway, Use: "HTTP"}, {Addr: a.GatewayAdmin, Use: "admin"}},
			StopTimeout: 20 * time.Second, // its drain is 10 s
		},
		{
			Name: shop, Path: o.binary("demo"), MakeTarget: buildTarget,
			Args:        append([]string{"shop", "--gateway", a.gatewayURL(), "--listen-admin", a.ShopAdmin}, a.listenFlags()...),
			ReadyURL:    "http://" + a.ShopAdmin + "/ready",
			Ports:       a.shopPorts(),
			StopTimeout: 20 * time.Second,
		},
	}
}

func (o Options) loadChild() supervise.Child {
	return supervise.Child{
		Name: load, Path: o.binary("demo"), MakeTarget: buildTarget, MayExit: true,
		Args: []string{
			"load", "--gateway", o.Addresses.gatewayURL(), "--rate", strconv.FormatFloat(o.Rate, 'f', -1, 64),
			"--duration", loadChunk.String(), "--concurrency", strconv.Itoa(max(16, int(o.Rate))),
		},
		StopTimeout: 20 * time.Second, // it waits for the answers under way
	}
}

func (a Addresses) listenFlags() []string {
	var flags []string
	for _, name := range slices.Sorted(maps.Keys(a.Services)) {
		flags = append(flags, "--listen-"+name, a.Services[name])
	}
	return flags
}

func (o Options) binary(name string) string { return filepath.Join(o.Dist, name) }
