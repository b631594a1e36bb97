package scenario

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"
	"go.opentelemetry.io/collector/receiver"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/rig"
)

// exporterConfig batches and compresses as Refinery does: 500 spans or 100 ms, zstd. The queue has room for half a
// second's worth of everything that comes in at the usual rate, of which a sixteenth is kept.
func exporterConfig(endpoint string) map[string]any {
	return map[string]any{
		"endpoint":    endpoint,
		"compression": "zstd",
		"sending_queue": map[string]any{
			"sizer": "items", "queue_size": 20_000,
			"batch": map[string]any{"sizer": "items", "min_size": 500, "max_size": 500, "flush_timeout": "100ms"},
		},
	}
}

// export starts the Collector's OTLP/HTTP exporter, metrics on and logs off as all components of the benchmark.
func export(endpoint string) (exporter.Traces, error) {
	factory := otlphttpexporter.NewFactory()
	cfg := factory.CreateDefaultConfig()
	if err := confmap.NewFromStringMap(exporterConfig(endpoint)).Unmarshal(cfg); err != nil {
		return nil, fmt.Errorf("decode the configuration of the otlp_http exporter: %w", err)
	}
	telemetry := componenttest.NewNopTelemetrySettings()
	telemetry.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	exp, err := factory.CreateTraces(context.Background(), exporter.Settings{
		ID:                component.NewID(factory.Type()),
		TelemetrySettings: telemetry,
		BuildInfo:         component.NewDefaultBuildInfo(),
	}, cfg)
	if err != nil {
		return nil, fmt.Errorf("create the otlp_http exporter: %w", err)
	}
	if err := exp.Start(context.Background(), componenttest.NewNopHost()); err != nil {
		return nil, fmt.Errorf("start the otlp_http exporter: %w", err)
	}
	return exp, nil
}

// A Collector takes what a child sends on, in the process of who loads it, and counts.
type Collector struct {
	sink    rig.Sink
	recv    receiver.Traces
	address string
}

// Collect starts a collector on a free port of the loopback.
func Collect() (*Collector, error) {
	c := &Collector{}
	var err error
	c.address, c.recv, err = listen(componenttest.NewNopTelemetrySettings(), &c.sink)
	return c, err
}

// Endpoint is what an exporter is to be given.
func (c *Collector) Endpoint() string { return "http://" + c.address }

// Close ends the collector and says what came.
func (c *Collector) Close() (rig.Kept, error) {
	if err := c.recv.Shutdown(context.Background()); err != nil {
		return rig.Kept{}, fmt.Errorf("shut down the collector: %w", err)
	}
	return c.sink.Kept(), nil
}
