// Package telemetry gives each service of the demo its own OpenTelemetry SDK: resource, traces, metrics and logs over
// OTLP/HTTP, and a logger that writes to standard error and to OTLP alike.
//
// It is configured by the standard OTEL_* variables alone; SetDefaults fills in those that are not set. Nothing is
// global but the handler for errors of the SDK, which Start installs.
//
// Goroutines: those of the SDK's batch processors and metric reader; Shutdown flushes and joins them. Under overload the
// SDK drops spans and log records once OTEL_BSP_MAX_QUEUE_SIZE of them wait, and says so through the error handler.
package telemetry

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Default is an environment variable and the value it gets when it is not set.
type Default struct{ Name, Value, Why string }

// Defaults are what SetDefaults applies.
var Defaults = []Default{
	{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318", "the collector on this machine, without TLS"},
	{"OTEL_METRIC_EXPORT_INTERVAL", "5000", "ms; the SDK's 60 s would leave dashboards empty for the first minute"},
	{"OTEL_BSP_SCHEDULE_DELAY", "1000", "ms; the SDK's 5 s would make the parts of a trace arrive later than the sampler's decision"},
	{"OTEL_BSP_MAX_QUEUE_SIZE", "16384", "spans; the SDK's 2048 are 3 s of the demo at 30 requests/s"},
	{"OTEL_BLRP_SCHEDULE_DELAY", "1000", "ms, as for spans"},
	{"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "base2_exponential_bucket_histogram", "native histograms in the store"},
}

// SetDefaults sets the variables of Defaults that the environment does not.
func SetDefaults() error {
	for _, d := range Defaults {
		if _, set := os.LookupEnv(d.Name); set {
			continue
		}
		if err := os.Setenv(d.Name, d.Value); err != nil {
			return fmt.Errorf("set %s: %w", d.Name, err)
		}
	}
	return nil
}

// Settings are what distinguishes one service.
type Settings struct {
	Service string
	Version string
	// Log takes the text form of log records of at least Level; records of LevelInfo and above go to OTLP in any case.
	Log   io.Writer
	Level slog.Leveler
}

// Telemetry is the SDK of one service.
type Telemetry struct {
	Tracers     *sdktrace.TracerProvider
	Meters      *sdkmetric.MeterProvider
	Propagators propagation.TextMapPropagator
	Log         *slog.Logger

	logs *sdklog.LoggerProvider
}

// Start builds the SDK. It sends nothing yet; a collector that is not there is reported later, by the error handler.
func Start(ctx context.Context, s Settings) (*Telemetry, error) {
	res, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithFromEnv(), resource.WithAttributes(
		attribute.String("service.name", s.Service), // after the environment: five services share it
		attribute.String("service.version", s.Version),
		attribute.String("service.instance.id", instanceID()),
	))
	if err != nil {
		return nil, fmt.Errorf("resource of %s: %w", s.Service, err)
	}
	t := &Telemetry{
		Propagators: propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}),
	}
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		t.Tracers, t.Meters = sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())), sdkmetric.NewMeterProvider()
		t.logs = sdklog.NewLoggerProvider()
	} else if err := t.export(ctx, res); err != nil {
		return nil, fmt.Errorf("telemetry of %s: %w", s.Service, err)
	}
	text := slog.NewTextHandler(s.Log, &slog.HandlerOptions{Level: s.Level})
	records := otelslog.NewHandler(s.Service, otelslog.WithLoggerProvider(t.logs))
	t.Log = slog.New(slog.NewMultiHandler(correlated{text.WithAttrs([]slog.Attr{slog.String("service", s.Service)})}, atInfo{records}))
	reportErrors(t.Log)
	return t, nil
}

// export creates the three pipelines. All of their knobs come from the environment.
func (t *Telemetry) export(ctx context.Context, res *resource.Resource) error {
	spans, err := otlptracehttp.New(ctx)
	if err != nil {
		return fmt.Errorf("traces: %w", err)
	}
	metrics, err := otlpmetrichttp.New(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("metrics: %w", err), spans.Shutdown(ctx))
	}
	logs, err := otlploghttp.New(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("logs: %w", err), metrics.Shutdown(ctx), spans.Shutdown(ctx))
	}
	t.Tracers = sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(res))
	t.Meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(metrics)), sdkmetric.WithResource(res))
	t.logs = sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(logs)), sdklog.WithResource(res))
	return nil
}

// Shutdown sends what is buffered, within ctx, and ends the SDK.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	return errors.Join(
		wrap("flush traces", t.Tracers.Shutdown(ctx)),
		wrap("flush metrics", t.Meters.Shutdown(ctx)),
		wrap("flush logs", t.logs.Shutdown(ctx)),
	)
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// instanceID is a random UUID (RFC 9562, version 4), as the semantic conventions ask of service.instance.id.
func instanceID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
