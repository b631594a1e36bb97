// Package rig runs one sampler as the Collector would: made by its factory from a decoded configuration, with real
// metrics, between decoded requests and a sink that counts. The rig starts no goroutine; the sampler has its own, and
// Stop ends them.
package rig

import (
	"context"
	"fmt"
	"maps"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/traffic"
)

// An Engine is a sampler to measure.
type Engine struct {
	Name string
	// Factory makes the processor; nil stands for no sampler at all: requests are decoded and forgotten.
	Factory processor.Factory
	// Config is what the engine needs beside what all get. Whatever is in neither has the engine's default.
	Config map[string]any
	// Pause names the metric, a histogram, of how long decisions stop the engine, and the time that its unit stands for.
	Pause     string
	PauseUnit time.Duration
}

// Settings is what a measurement decides about the sampler.
type Settings struct {
	DecisionWait time.Duration
	// NumTraces is a table twice as large as the traces that will be open: contrib keeps the ids of decided traces until
	// the table is full.
	NumTraces int
	// Next gets what is kept, behind the sink; nil for nobody.
	Next consumer.Traces
}

// config is the configuration in the words of contrib's tail_sampling: four cheap policies that keep 6 % of the traces
// of package traffic: 2 % fail, 1 % last more than a second, 1 % are of the watched tenant, 2 % are drawn.
func config(s Settings) map[string]any {
	return map[string]any{
		"decision_wait": s.DecisionWait.String(),
		"num_traces":    s.NumTraces,
		"policies": []any{
			map[string]any{"name": "errors", "type": "status_code", "status_code": map[string]any{"status_codes": []any{"ERROR"}}},
			map[string]any{"name": "slow", "type": "latency", "latency": map[string]any{"threshold_ms": 1000}},
			map[string]any{"name": "watched", "type": "string_attribute", "string_attribute": map[string]any{
				"key": traffic.TenantKey, "values": []any{traffic.WatchedTenant},
			}},
			map[string]any{"name": "some", "type": "probabilistic", "probabilistic": map[string]any{"sampling_percentage": 2}},
		},
	}
}

// A Rig is a running sampler.
type Rig struct {
	Sink   Sink
	engine Engine
	next   consumer.Traces
	proc   processor.Traces
	reader *sdkmetric.ManualReader
	meters *sdkmetric.MeterProvider
}

// Start makes and starts the engine's sampler.
func Start(e Engine, s Settings) (*Rig, error) {
	reader := sdkmetric.NewManualReader()
	r := &Rig{Sink: Sink{Next: s.Next}, engine: e, reader: reader, meters: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))}
	if e.Factory == nil {
		nothing, err := consumer.NewTraces(func(context.Context, ptrace.Traces) error { return nil })
		r.next = nothing
		return r, err
	}
	cfg := e.Factory.CreateDefaultConfig()
	keys := config(s)
	maps.Copy(keys, e.Config)
	if err := confmap.NewFromStringMap(keys).Unmarshal(cfg); err != nil {
		return nil, fmt.Errorf("decode the configuration of %s: %w", e.Name, err)
	}
	if v, ok := cfg.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return nil, fmt.Errorf("configuration of %s: %w", e.Name, err)
		}
	}
	proc, err := e.Factory.CreateTraces(context.Background(), processor.Settings{
		ID:                component.NewID(e.Factory.Type()),
		TelemetrySettings: r.Telemetry(),
		BuildInfo:         component.NewDefaultBuildInfo(),
	}, cfg, &r.Sink)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", e.Name, err)
	}
	if err := proc.Start(context.Background(), componenttest.NewNopHost()); err != nil {
		return nil, fmt.Errorf("start %s: %w", e.Name, err)
	}
	r.proc, r.next = proc, proc
	return r, nil
}

// Telemetry is what components of this rig are made with: metrics that count, no logs, no traces.
func (r *Rig) Telemetry() component.TelemetrySettings {
	t := componenttest.NewNopTelemetrySettings()
	t.MeterProvider = r.meters
	return t
}

// Consumer takes decoded requests.
func (r *Rig) Consumer() consumer.Traces { return r.next }

// Stop lets the sampler decide what is still open and ends it.
func (r *Rig) Stop() error {
	if r.proc == nil {
		return nil
	}
	if err := r.proc.Shutdown(context.Background()); err != nil {
		return fmt.Errorf("shut down %s: %w", r.engine.Name, err)
	}
	return nil
}

// Decode turns a request into fresh pdata, as a receiver does.
func Decode(body []byte) (ptrace.Traces, error) {
	var u ptrace.ProtoUnmarshaler
	td, err := u.UnmarshalTraces(body)
	if err != nil {
		return td, fmt.Errorf("decode a request of the benchmark: %w", err)
	}
	return td, nil
}
