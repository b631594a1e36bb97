package telemetry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.uber.org/goleak"

	"github.com/tailgate-otel/tailgate/telemetry/instruments"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink is an OTLP/HTTP receiver that keeps what it got, by path.
type sink struct {
	*httptest.Server
	mu   sync.Mutex
	got  map[string][][]byte
	fail bool
}

func newSink(t *testing.T) *sink {
	s := &sink{got: map[string][][]byte{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil || s.fail {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		s.got[r.URL.Path] = append(s.got[r.URL.Path], body)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *sink) first(t *testing.T, path string) []byte {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.got[path]) == 0 {
		t.Fatalf("nothing arrived at %s; got %d paths", path, len(s.got))
	}
	return s.got[path][0]
}

func (s *sink) paths() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.got)
}

func start(t *testing.T, endpoint string, console io.Writer) *Telemetry {
	t.Helper()
	tel, err := Start(t.Context(), Settings{Endpoint: endpoint, Version: "v1", InstanceID: "here", Stderr: console,
		LogLevel: slog.LevelInfo, ExportLogLevel: slog.LevelInfo})
	if err != nil {
		t.Fatal(err)
	}
	return tel
}

func shutdown(t *testing.T, tel *Telemetry) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := errors.Join(tel.Shutdown(ctx), tel.Shutdown(ctx)); err != nil {
		t.Fatal(err)
	}
}

// use records one of each signal within one span and returns its trace id.
func use(t *testing.T, tel *Telemetry) string {
	t.Helper()
	ctx, span := tel.Tracer.Tracer(Scope).Start(t.Context(), "GET /a")
	gw, err := instruments.NewGateway(tel.Meter.Meter(Scope), func() instruments.GatewayState { return instruments.GatewayState{} })
	if err != nil {
		t.Fatal(err)
	}
	gw.ServerRequest(ctx, instruments.ServerRequest{Method: "GET", Status: 200}, time.Second, 1, 2)
	tel.Logger.WarnContext(ctx, "look at this", "key", "value")
	tel.Logger.DebugContext(ctx, "not at this")
	span.End()
	return span.SpanContext().TraceID().String()
}

func TestAllSignalsArriveWithOneResource(t *testing.T) {
	s, console := newSink(t), &bytes.Buffer{}
	tel := start(t, s.URL+"/", console)
	traceID := use(t, tel)
	shutdown(t, tel)

	traces, metrics, logs := ptraceotlp.NewExportRequest(), pmetricotlp.NewExportRequest(), plogotlp.NewExportRequest()
	if err := errors.Join(traces.UnmarshalProto(s.first(t, "/v1/traces")), metrics.UnmarshalProto(s.first(t, "/v1/metrics")), logs.UnmarshalProto(s.first(t, "/v1/logs"))); err != nil {
		t.Fatal(err)
	}
	for signal, res := range map[string]pcommon.Resource{
		"traces":  traces.Traces().ResourceSpans().At(0).Resource(),
		"metrics": metrics.Metrics().ResourceMetrics().At(0).Resource(),
		"logs":    logs.Logs().ResourceLogs().At(0).Resource(),
	} {
		for key, want := range map[string]string{"service.name": "gateway", "service.version": "v1", "service.instance.id": "here"} {
			if v, ok := res.Attributes().Get(key); !ok || v.Str() != want {
				t.Errorf("%s: resource attribute %s is %v, want %q", signal, key, v.AsString(), want)
			}
		}
	}
	records := logs.Logs().ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	if records.Len() != 1 || records.At(0).TraceID().String() != traceID {
		t.Errorf("%d log records, the first of trace %s; want 1 of trace %s", records.Len(), records.At(0).TraceID(), traceID)
	}
	if line := console.String(); !strings.Contains(line, `msg="look at this"`) || !strings.Contains(line, "trace_id="+traceID) || strings.Contains(line, "not at this") {
		t.Errorf("standard error got %q", line)
	}
	checkDuration(t, metrics.Metrics(), traceID)
}

// checkDuration looks for the duration as an exponential histogram with an exemplar of the trace, and for runtime metrics.
func checkDuration(t *testing.T, md pmetric.Metrics, traceID string) {
	found, goroutines := false, false
	scopes := md.ResourceMetrics().At(0).ScopeMetrics()
	for i := range scopes.Len() {
		for j := range scopes.At(i).Metrics().Len() {
			m := scopes.At(i).Metrics().At(j)
			goroutines = goroutines || m.Name() == "go.goroutine.count"
			if m.Name() != "http.server.request.duration" || m.Type() != pmetric.MetricTypeExponentialHistogram {
				continue
			}
			for k := range m.ExponentialHistogram().DataPoints().Len() {
				ex := m.ExponentialHistogram().DataPoints().At(k).Exemplars()
				found = found || ex.Len() == 1 && ex.At(0).TraceID().String() == traceID
			}
		}
	}
	if !found || !goroutines {
		t.Errorf("exponential histogram with exemplar: %v; runtime metrics: %v; want both", found, goroutines)
	}
}

func TestEnvironmentWins(t *testing.T) {
	right, wrong := newSink(t), newSink(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", right.URL)
	t.Setenv("OTEL_SERVICE_NAME", "renamed")
	t.Setenv("OTEL_LOGS_EXPORTER", "none")
	tel := start(t, wrong.URL, io.Discard)
	use(t, tel)
	shutdown(t, tel)
	req := ptraceotlp.NewExportRequest()
	if err := req.UnmarshalProto(right.first(t, "/v1/traces")); err != nil {
		t.Fatal(err)
	}
	if v, _ := req.Traces().ResourceSpans().At(0).Resource().Attributes().Get("service.name"); v.Str() != "renamed" {
		t.Errorf("service.name %q, want renamed", v.Str())
	}
	if wrong.paths() != 0 || right.paths() != 2 {
		t.Errorf("the file's endpoint got %d signals, want 0; the environment's %d, want 2 (logs are off)", wrong.paths(), right.paths())
	}
}

func TestDisabled(t *testing.T) {
	s := newSink(t)
	t.Setenv("OTEL_SDK_DISABLED", "true")
	tel := start(t, s.URL, io.Discard)
	use(t, tel)
	shutdown(t, tel)
	if s.paths() != 0 {
		t.Errorf("%d signals were exported", s.paths())
	}
}

func TestFailingExportIsLoggedOnStandardErrorOnly(t *testing.T) {
	s, console := newSink(t), &bytes.Buffer{}
	s.fail = true
	tel := start(t, s.URL, console)
	use(t, tel)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := tel.Shutdown(ctx); err == nil && !strings.Contains(console.String(), "telemetry export failed") {
		t.Errorf("nobody said that exports fail; standard error got %q", console.String())
	}
}

func TestErrorLimiter(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	l := newErrorLimiter(slog.New(slog.NewTextHandler(&out, nil)), func() time.Time { return now })
	for range 100 {
		l.Handle(errors.New("down"))
	}
	if n := strings.Count(out.String(), "\n"); n != 1 {
		t.Fatalf("%d lines for 100 errors at once, want 1", n)
	}
	now = now.Add(errorInterval)
	l.Handle(errors.New("still down"))
	if n := strings.Count(out.String(), "\n"); n != 2 || !strings.Contains(out.String(), "more_since_last_message=99") {
		t.Errorf("got %q, want a second line that counts 99", out.String())
	}
}
