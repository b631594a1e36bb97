package stack

import (
	"path/filepath"
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
	storeURL    = "http://127.0.0.1:9090"
	gatewayURL  = "http://127.0.0.1:8080"
	buildTarget = "build" // of the Makefile
	// loadChunk bounds one run of the load; while the stack runs on it is started again.
	loadChunk = 24 * time.Hour
)

// children are started in this order and stopped in reverse: whoever sends telemetry ends before the collector.
func (o Options) children() []supervise.Child {
	return []supervise.Child{
		{
			Name: collector, Path: o.binary("tailgate"), MakeTarget: buildTarget,
			Args:  []string{"--config", filepath.Join(o.ConfigDir, "quickstart.yaml")},
			Env:   []string{"TAILGATE_DATA=" + o.Data},
			Ready: supervise.HTTPReady("http://127.0.0.1:13133/", storeURL+"/-/ready"),
			Ports: []supervise.Port{
				{Addr: "127.0.0.1:4317", Use: "OTLP/gRPC"}, {Addr: "127.0.0.1:4318", Use: "OTLP/HTTP"},
				{Addr: "127.0.0.1:9090", Use: "dashboards and PromQL"}, {Addr: "127.0.0.1:13133", Use: "health check"},
			},
			StopTimeout: 30 * time.Second, // it decides what is buffered and closes the store
		},
		{
			Name: gateway, Path: o.binary("gateway"), MakeTarget: buildTarget,
			Args:     []string{"--config", filepath.Join(o.ConfigDir, "gateway.yaml")},
			ReadyURL: "http://127.0.0.1:9901/ready",
			Ports: []supervise.Port{
				{Addr: "127.0.0.1:8080", Use: "HTTP"}, {Addr: "127.0.0.1:9901", Use: "admin"},
			},
			StopTimeout: 20 * time.Second, // its drain is 10 s
		},
		{
			Name: shop, Path: o.binary("demo"), MakeTarget: buildTarget,
			Args:     []string{"shop", "--gateway", gatewayURL},
			ReadyURL: "http://127.0.0.1:9100/ready",
			Ports: []supervise.Port{
				{Addr: "127.0.0.1:9100", Use: "admin"}, {Addr: "127.0.0.1:9101", Use: "storefront"},
				{Addr: "127.0.0.1:9102", Use: "catalog"}, {Addr: "127.0.0.1:9103", Use: "cart"},
				{Addr: "127.0.0.1:9104", Use: "checkout"}, {Addr: "127.0.0.1:9105", Use: "payment"},
			},
			StopTimeout: 20 * time.Second,
		},
	}
}

func (o Options) loadChild() supervise.Child {
	return supervise.Child{
		Name: load, Path: o.binary("demo"), MakeTarget: buildTarget, MayExit: true,
		Args: []string{
			"load", "--gateway", gatewayURL, "--rate", strconv.FormatFloat(o.Rate, 'f', -1, 64),
			"--duration", loadChunk.String(), "--concurrency", strconv.Itoa(max(16, int(o.Rate))),
		},
		StopTimeout: 20 * time.Second, // it waits for the answers under way
	}
}

func (o Options) binary(name string) string { return filepath.Join(o.Dist, name) }
