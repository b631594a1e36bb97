package telemetry_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/tailgate-otel/tailgate/demo/internal/otlptest"
	"github.com/tailgate-otel/tailgate/demo/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestThreeSignalsUnderOneName(t *testing.T) {
	sink := otlptest.Start(t)
	t.Setenv("OTEL_SERVICE_NAME", "everybody") // must not make one service of five
	var text bytes.Buffer
	tel, err := telemetry.Start(t.Context(), telemetry.Settings{Service: "cart", Version: "1", Log: &text, Level: slog.LevelWarn})
	if err != nil {
		t.Fatal(err)
	}
	ctx, span := tel.Tracers.Tracer("t").Start(t.Context(), "work")
	tel.Log.DebugContext(ctx, "detail")
	tel.Log.InfoContext(ctx, "said")
	tel.Log.With("a", 1).WithGroup("g").WarnContext(ctx, "warned", "b", 2)
	span.End()
	counter, err := tel.Meters.Meter("t").Int64Counter("things")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(ctx, 3)
	if err := tel.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	spans, logs := sink.Spans(), sink.Logs()
	if len(spans) != 1 || spans[0].Service != "cart" {
		t.Fatalf("spans: %+v", spans)
	}
	if len(logs) != 2 || logs[0].Body().AsString() != "said" || logs[0].TraceID() != spans[0].TraceID() || logs[1].SpanID() != spans[0].SpanID() {
		t.Errorf("%d log records", len(logs))
	}
	if m, ok := sink.Metric("cart", "things"); !ok || m.Sum().DataPoints().At(0).IntValue() != 3 {
		t.Error("the counter did not arrive")
	}
	if got := text.String(); strings.Contains(got, "said") || !strings.Contains(got, "service=cart") || !strings.Contains(got, "trace_id="+spans[0].TraceID().String()) {
		t.Errorf("text is %s", got)
	}
}

func TestDisabled(t *testing.T) {
	sink := otlptest.Start(t)
	t.Setenv("OTEL_SDK_DISABLED", "true")
	tel, err := telemetry.Start(t.Context(), telemetry.Settings{Service: "cart", Log: &bytes.Buffer{}, Level: slog.LevelInfo})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tel.Tracers.Tracer("t").Start(t.Context(), "work")
	span.End()
	tel.Log.Info("said")
	if err := tel.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(sink.Spans())+len(sink.Logs()) != 0 {
		t.Error("a disabled SDK sends")
	}
}

func TestDefaultsGiveWay(t *testing.T) {
	for _, d := range telemetry.Defaults {
		t.Setenv(d.Name, "") // restores the environment after the test
		if err := os.Unsetenv(d.Name); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	if err := telemetry.SetDefaults(); err != nil {
		t.Fatal(err)
	}
	if got := os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"); got != "http://127.0.0.1:1" {
		t.Errorf("endpoint is %q", got)
	}
	if got := os.Getenv("OTEL_METRIC_EXPORT_INTERVAL"); got != "5000" {
		t.Errorf("interval is %q", got)
	}
}
