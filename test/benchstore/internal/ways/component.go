package ways

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// keys are what a user would write under a component.
type keys = map[string]any

// host has the extensions that an exporter looks for.
type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

// startExporter makes exports go to an exporter.
func (r *Running) startExporter(f exporter.Factory, config keys, h host) error {
	cfg := f.CreateDefaultConfig()
	if err := decode(f.Type(), config, cfg); err != nil {
		return err
	}
	set := exporter.Settings{ID: component.NewID(f.Type()), TelemetrySettings: r.telemetry(), BuildInfo: component.NewDefaultBuildInfo()}
	e, err := f.CreateMetrics(context.Background(), set, cfg)
	if err != nil {
		return fmt.Errorf("create exporter %s: %w", f.Type(), err)
	}
	if err := e.Start(context.Background(), h); err != nil {
		return fmt.Errorf("start exporter %s: %w", f.Type(), err)
	}
	r.onStop(func() error { return e.Shutdown(context.Background()) })
	r.export = e.ConsumeMetrics
	return nil
}

func (r *Running) startExtension(f extension.Factory, config keys) (host, error) {
	cfg := f.CreateDefaultConfig()
	if err := decode(f.Type(), config, cfg); err != nil {
		return nil, err
	}
	id := component.NewID(f.Type())
	set := extension.Settings{ID: id, TelemetrySettings: r.telemetry(), BuildInfo: component.NewDefaultBuildInfo()}
	e, err := f.Create(context.Background(), set, cfg)
	if err != nil {
		return nil, fmt.Errorf("create extension %s: %w", f.Type(), err)
	}
	if err := e.Start(context.Background(), host{}); err != nil {
		return nil, fmt.Errorf("start extension %s: %w", f.Type(), err)
	}
	r.onStop(func() error { return e.Shutdown(context.Background()) })
	return host{id: e}, nil
}

// decode checks as the collector does at start.
func decode(t component.Type, config keys, cfg component.Config) error {
	if err := confmap.NewFromStringMap(config).Unmarshal(cfg); err != nil {
		return fmt.Errorf("decode the configuration of %s: %w", t, err)
	}
	if err := confmap.Validate(cfg); err != nil {
		return fmt.Errorf("configuration of %s: %w", t, err)
	}
	return nil
}

// telemetry has metrics that count, as in a collector, and neither logs nor traces.
func (r *Running) telemetry() component.TelemetrySettings {
	t := componenttest.NewNopTelemetrySettings()
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	r.onStop(func() error { return meters.Shutdown(context.Background()) })
	t.MeterProvider = meters
	return t
}
