package telemetry

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/instruments"
)

const (
	// spanQueue is how many ended spans may wait for export. At 2 spans per request and one export per second it holds
	// the spans of 4,000 requests/s; a span weighs about 2 KB in the SDK, so 8,192 of them bound it at 16 MB.
	spanQueue = 8192
	// spanInterval is how long a span waits for company. The SDK's 5s would show a trace late.
	spanInterval = time.Second
)

// env is what the environment says about telemetry.
type env struct {
	disabled bool
	lookup   func(string) string
}

func environment() env {
	return env{disabled: strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true"), lookup: os.Getenv}
}

// endpoint says whether the environment names where to send a signal (TRACES and so on; empty for all signals).
func (e env) endpoint(signal string) bool {
	return e.lookup("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || signal != "" && e.lookup("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") != ""
}

func (e env) off(signal string) bool { return e.lookup("OTEL_"+signal+"_EXPORTER") == "none" }

func newResource(ctx context.Context, s Settings) (*resource.Resource, error) {
	r, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithHost(),
		resource.WithAttributes(
			attribute.String("service.name", telemetry.ServiceGateway),
			attribute.String("service.version", s.Version),
			attribute.String("service.instance.id", s.InstanceID),
		),
		resource.WithFromEnv(), // last, so that OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win
	)
	if err != nil {
		return nil, fmt.Errorf("describe this process as a resource (look at OTEL_RESOURCE_ATTRIBUTES): %w", err)
	}
	return r, nil
}

// signalURL is the URL of one signal below the base URL, as the OTLP specification builds it.
func signalURL(base, signal string) string { return strings.TrimSuffix(base, "/") + "/v1/" + signal }

func newTracerProvider(ctx context.Context, s Settings, env env, res *resource.Resource) (*sdktrace.TracerProvider, error) {
	var opts []otlptracehttp.Option
	if !env.endpoint("TRACES") {
		opts = append(opts, otlptracehttp.WithEndpointURL(signalURL(s.Endpoint, "traces")))
	}
	exporter, err := otlptracehttp.New(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("create trace exporter: %w", err)
	}
	var batch []sdktrace.BatchSpanProcessorOption
	if env.lookup("OTEL_BSP_MAX_QUEUE_SIZE") == "" {
		batch = append(batch, sdktrace.WithMaxQueueSize(spanQueue))
	}
	if env.lookup("OTEL_BSP_SCHEDULE_DELAY") == "" {
		batch = append(batch, sdktrace.WithBatchTimeout(spanInterval))
	}
	return sdktrace.NewTracerProvider(sdktrace.WithResource(res), sdktrace.WithBatcher(exporter, batch...)), nil
}

func newMeterProvider(ctx context.Context, s Settings, env env, res *resource.Resource) (*sdkmetric.MeterProvider, error) {
	var opts []otlpmetrichttp.Option
	if !env.endpoint("METRICS") {
		opts = append(opts, otlpmetrichttp.WithEndpointURL(signalURL(s.Endpoint, "metrics")))
	}
	exporter, err := otlpmetrichttp.New(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("create metric exporter: %w", err)
	}
	var reader []sdkmetric.PeriodicReaderOption
	if env.lookup("OTEL_METRIC_EXPORT_INTERVAL") == "" {
		reader = append(reader, sdkmetric.WithInterval(telemetry.ExportInterval))
	}
	return sdkmetric.NewMeterProvider(
		sdkmetric.WithResource(res),
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter, reader...)),
		sdkmetric.WithView(instruments.Views(telemetry.Gateway())...),
	), nil
}

func newLoggerProvider(ctx context.Context, s Settings, env env, res *resource.Resource) (*sdklog.LoggerProvider, error) {
	var opts []otlploghttp.Option
	if !env.endpoint("LOGS") {
		opts = append(opts, otlploghttp.WithEndpointURL(signalURL(s.Endpoint, "logs")))
	}
	exporter, err := otlploghttp.New(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("create log exporter: %w", err)
	}
	return sdklog.NewLoggerProvider(sdklog.WithResource(res), sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter))), nil
}
