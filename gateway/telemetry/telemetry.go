// Package telemetry wires the OpenTelemetry SDK for the gateway: traces, metrics and logs over OTLP/HTTP, one resource,
// one logger for standard error and OTLP.
//
// The goroutines are the SDK's: one batcher each for spans and log records, one periodic metric reader; Shutdown flushes
// and joins them. Nothing here ever makes a request wait: the queues are bounded and drop when the collector does not
// keep up. Failed exports are logged on standard error at most once in 30 seconds. The standard OTEL_* environment
// variables win over Settings.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/log"
	lognoop "go.opentelemetry.io/otel/log/noop"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/tailgate-otel/tailgate/telemetry"
)

// Scope is the instrumentation scope of all spans, metrics and log records of the gateway.
const Scope = "github.com/tailgate-otel/tailgate/gateway"

// Settings says what is exported, where and as whom.
type Settings struct {
	Endpoint       string // base URL for OTLP/HTTP; empty: no export
	Version        string // service.version
	InstanceID     string // service.instance.id
	Stderr         io.Writer
	LogLevel       slog.Leveler // least level on Stderr
	ExportLogLevel slog.Leveler // least level over OTLP
}

// Telemetry holds the providers and the logger of one process.
type Telemetry struct {
	Tracer trace.TracerProvider
	Meter  metric.MeterProvider
	Logger *slog.Logger

	stop []func(context.Context) error // in the order of starting
}

// Start builds everything. It connects to nothing; a collector that is not there shows in the log later.
func Start(ctx context.Context, s Settings) (*Telemetry, error) {
	console := consoleHandler(s.Stderr, s.LogLevel)
	t := &Telemetry{Tracer: tracenoop.NewTracerProvider(), Meter: metricnoop.NewMeterProvider(), Logger: slog.New(console)}
	env := environment()
	if env.disabled || s.Endpoint == "" && !env.endpoint("") {
		return t, nil
	}
	// The exporters' errors go to standard error only: over OTLP they would feed what they complain about.
	otel.SetErrorHandler(newErrorLimiter(slog.New(console), time.Now))
	res, err := newResource(ctx, s)
	if err != nil {
		return nil, err
	}
	logs, err := t.startSignals(ctx, s, env, res)
	if err != nil {
		return nil, errors.Join(err, t.Shutdown(ctx))
	}
	if err := runtime.Start(runtime.WithMeterProvider(t.Meter), runtime.WithMinimumReadMemStatsInterval(telemetry.ExportInterval)); err != nil {
		return nil, errors.Join(fmt.Errorf("start runtime metrics: %w", err), t.Shutdown(ctx))
	}
	export := otelslog.NewHandler(Scope, otelslog.WithLoggerProvider(logs), otelslog.WithVersion(s.Version))
	t.Logger = slog.New(fanOut{console, atLeast{s.ExportLogLevel, export}})
	return t, nil
}

func (t *Telemetry) startSignals(ctx context.Context, s Settings, env env, res *resource.Resource) (log.LoggerProvider, error) {
	if !env.off("TRACES") {
		tp, err := newTracerProvider(ctx, s, env, res)
		if err != nil {
			return nil, err
		}
		t.Tracer, t.stop = tp, append(t.stop, tp.Shutdown)
	}
	if !env.off("METRICS") {
		mp, err := newMeterProvider(ctx, s, env, res)
		if err != nil {
			return nil, err
		}
		t.Meter, t.stop = mp, append(t.stop, mp.Shutdown)
	}
	if env.off("LOGS") {
		return lognoop.NewLoggerProvider(), nil
	}
	lp, err := newLoggerProvider(ctx, s, env, res)
	if err != nil {
		return nil, err
	}
	t.stop = append(t.stop, lp.Shutdown)
	return lp, nil
}

// Shutdown flushes what is queued, for as long as ctx allows, and stops. It may be called twice.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	var errs []error
	for _, stop := range t.stop {
		errs = append(errs, stop(ctx))
	}
	t.stop = nil
	return errors.Join(errs...)
}
