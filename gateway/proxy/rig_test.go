package proxy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/tailgate-otel/tailgate/gateway/config"
	"github.com/tailgate-otel/tailgate/gateway/proxy"
	gatewaytelemetry "github.com/tailgate-otel/tailgate/gateway/telemetry"
	"github.com/tailgate-otel/tailgate/gateway/upstream"
	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/instruments"
	"github.com/tailgate-otel/tailgate/telemetry/livecheck"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a handler behind a real server, with everything it records in memory. When the test ends, every metric that it
// recorded is compared with the contract.
type rig struct {
	*httptest.Server
	t       *testing.T
	handler *proxy.Handler
	spans   *tracetest.SpanRecorder
	reader  *sdkmetric.ManualReader
	log     *logBuffer
	busy    sync.WaitGroup // handlers that run
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newRig serves the configuration; each $name in it is replaced by the value that follows name.
func newRig(t *testing.T, yaml string, replace ...string) *rig {
	t.Helper()
	for i := 0; i+1 < len(replace); i += 2 {
		yaml = strings.ReplaceAll(yaml, "$"+replace[i], replace[i+1])
	}
	r := &rig{t: t, spans: tracetest.NewSpanRecorder(), reader: sdkmetric.NewManualReader(), log: &logBuffer{}}
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r.spans))
	mp := sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader), sdkmetric.WithView(instruments.Views(telemetry.Gateway())...))
	metrics, err := instruments.NewGateway(mp.Meter(gatewaytelemetry.Scope), func() instruments.GatewayState { return instruments.GatewayState{} })
	if err != nil {
		t.Fatal(err)
	}
	registry := upstream.NewRegistry(time.Now)
	r.handler = proxy.New(proxy.Settings{
		Tracer: tp, Metrics: metrics,
		Logger: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}, build(t, registry, yaml))
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.busy.Add(1)
		defer r.busy.Done()
		r.handler.ServeHTTP(w, req)
	}))
	r.Config.Protocols = allProtocols()
	r.EnableHTTP2 = true
	t.Cleanup(func() {
		r.CloseClientConnections()
		r.Close()
		registry.Close()
		if err := livecheck.Check(r.collect(), gatewaytelemetry.Scope, telemetry.Gateway()); err != nil {
			t.Errorf("metrics that the contract does not promise:\n%v", err)
		}
	})
	return r
}

func build(t testing.TB, registry *upstream.Registry, yaml string) *proxy.Snapshot {
	t.Helper()
	c, err := config.Parse("gateway.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	g, err := registry.Prepare(c.Upstreams, c.Timeouts)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := proxy.Build(c, g)
	if err != nil {
		t.Fatal(err)
	}
	registry.Commit(g)
	return snap
}

func allProtocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

func (r *rig) start() *rig { r.Start(); return r }

func (r *rig) collect() metricdata.ResourceMetrics {
	r.busy.Wait()
	var rm metricdata.ResourceMetrics
	if err := r.reader.Collect(context.Background(), &rm); err != nil {
		r.t.Error(err)
	}
	return rm
}

// sum returns the total of a counter, or the count of a histogram, over the points that have all the attributes
// given as key, value, ….
func (r *rig) sum(name string, kv ...string) int64 {
	r.t.Helper()
	total := int64(0)
	add := func(set attribute.Set, n int64) {
		for i := 0; i+1 < len(kv); i += 2 {
			if v, ok := set.Value(attribute.Key(kv[i])); !ok || v.String() != kv[i+1] {
				return
			}
		}
		total += n
	}
	for _, sm := range r.collect().ScopeMetrics {
		for _, m := range sm.Metrics {
			if m.Name != name {
				continue
			}
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					add(p.Attributes, p.Value)
				}
			case metricdata.ExponentialHistogram[float64]:
				for _, p := range d.DataPoints {
					add(p.Attributes, int64(p.Count))
				}
			case metricdata.ExponentialHistogram[int64]:
				for _, p := range d.DataPoints {
					add(p.Attributes, p.Sum)
				}
			}
		}
	}
	return total
}

func (r *rig) want(n int64, name string, kv ...string) {
	r.t.Helper()
	if got := r.sum(name, kv...); got != n {
		r.t.Errorf("%s%v is %d, want %d", name, kv, got, n)
	}
}

// ended returns the spans of a kind, in the order in which they ended.
func (r *rig) ended(kind trace.SpanKind) []sdktrace.ReadOnlySpan {
	r.busy.Wait()
	var out []sdktrace.ReadOnlySpan
	for _, s := range r.spans.Ended() {
		if s.SpanKind() == kind {
			out = append(out, s)
		}
	}
	return out
}

// server returns the span of the only request.
func (r *rig) server() sdktrace.ReadOnlySpan {
	r.t.Helper()
	spans := r.ended(trace.SpanKindServer)
	if len(spans) != 1 {
		r.t.Fatalf("%d server spans, want 1", len(spans))
	}
	return spans[0]
}

func attr(s sdktrace.ReadOnlySpan, key string) string {
	for _, kv := range s.Attributes() {
		if string(kv.Key) == key {
			return kv.Value.String()
		}
	}
	return ""
}

// do sends a request and reads the whole answer.
func (r *rig) do(method, path string, body io.Reader, header ...string) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.URL+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	res, err := r.Client().Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	return res, read(r.t, res)
}

func read(t *testing.T, res *http.Response) string {
	t.Helper()
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("read the response: %v", err)
	}
	return string(b)
}

// wantProblem checks an answer of the gateway's own.
func (r *rig) wantProblem(res *http.Response, body string, status int) {
	r.t.Helper()
	var p struct {
		Title, Detail, TraceID string
		Status                 int
		Trace                  string `json:"trace_id"`
	}
	if err := json.Unmarshal([]byte(body), &p); err != nil || res.Header.Get("Content-Type") != "application/problem+json" {
		r.t.Fatalf("status %d with %q, not problem+json: %v", res.StatusCode, body, err)
	}
	spans := r.ended(trace.SpanKindServer)
	traceID := spans[len(spans)-1].SpanContext().TraceID().String()
	if res.StatusCode != status || p.Status != status || p.Title == "" || p.Detail == "" || p.Trace != traceID {
		r.t.Errorf("status %d with %s, want status %d, title, detail and trace %s", res.StatusCode, body, status, traceID)
	}
	if strings.Contains(body, "127.0.0.1") {
		r.t.Errorf("the answer tells an address of the inside: %s", body)
	}
}

// serve starts an upstream.
func serve(t testing.TB, h http.HandlerFunc) string {
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = allProtocols()
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

const one = `
telemetry: { access_log_level: debug }
upstreams: { up: { endpoints: ["$up"] } }
routes: [{ name: all, match: { path: "/{rest...}" }, upstream: up }]
`

func echo(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	w.Header().Set("X-Upstream-Proto", r.Proto)
	_, _ = io.WriteString(w, r.Method+" "+r.URL.RequestURI()+" "+string(b))
}
