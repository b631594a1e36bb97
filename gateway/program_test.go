package gateway_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/tailgate-otel/tailgate/gateway"
)

// TestMetricsOfTheProgram runs the whole program against an OTLP receiver and looks at its last export: state, reloads,
// connections.
func TestMetricsOfTheProgram(t *testing.T) {
	var mu sync.Mutex
	var last pmetric.Metrics
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		req := pmetricotlp.NewExportRequest()
		if r.URL.Path == "/v1/metrics" && err == nil && req.UnmarshalProto(b) == nil {
			mu.Lock()
			defer mu.Unlock()
			last = req.Metrics()
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer sink.Close()
	up := httptest.NewServer(http.NotFoundHandler())
	defer up.Close()
	p := start(t, yaml(up.URL, sink.URL, ""))
	p.get(404)
	p.write(yaml(up.URL, sink.URL, "  - { name: two, match: { path: /two }, upstream: up }\n"))
	var routes []any
	p.until("applying", func(configPage) bool { p.admin("/routes", &routes); return len(routes) == 2 })
	p.write(yaml(up.URL, sink.URL, "routs: 1\n"))
	p.until("refusing", func(c configPage) bool { return c.LastError != "" })
	http.DefaultTransport.(*http.Transport).CloseIdleConnections() // a connection that is open is counted
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	got := flatten(last)
	for name, want := range map[string]int64{
		"gateway.routes": 2, "gateway.config.last_reload_successful": 0, "gateway.config.reloads{applied}": 1, "gateway.config.reloads{refused}": 1,
		"gateway.upstream.endpoints{healthy,up}": 1, "gateway.upstream.endpoints{unhealthy,up}": 0, "gateway.connections.active": 0, "http.server.active_requests{GET,http}": 0,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %d (there: %v), want %d", name, v, ok, want)
		}
	}
	if !strings.Contains(p.log.String(), `routs: unknown key; did you mean \"routes\"?`) {
		t.Errorf("the log does not say what is wrong:\n%s", p.log)
	}
}

// flatten maps name{sorted attribute values} to the value of each integer point.
func flatten(md pmetric.Metrics) map[string]int64 {
	out := map[string]int64{}
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				points := pmetric.NewNumberDataPointSlice()
				switch m.Type() {
				case pmetric.MetricTypeGauge:
					points = m.Gauge().DataPoints()
				case pmetric.MetricTypeSum:
					points = m.Sum().DataPoints()
				}
				for _, dp := range points.All() {
					var values []string
					for _, key := range []string{"gateway.reload.outcome", "gateway.endpoint.state", "gateway.upstream", "http.request.method", "url.scheme"} {
						if v, ok := dp.Attributes().Get(key); ok {
							values = append(values, v.Str())
						}
					}
					name := m.Name()
					if len(values) > 0 {
						name += "{" + strings.Join(values, ",") + "}"
					}
					out[name] = dp.IntValue()
				}
			}
		}
	}
	return out
}

func TestStartFailsLoudly(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	good := filepath.Join(t.TempDir(), "good.yaml")
	if err := os.WriteFile(good, []byte(yaml("http://127.0.0.1:1", "http://127.0.0.1:1", "")), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		s    gateway.Settings
		want string
	}{
		"address in use":       {gateway.Settings{ConfigFile: good, Listen: l.Addr().String(), Admin: "127.0.0.1:0"}, "is in use by another program"},
		"admin address in use": {gateway.Settings{ConfigFile: good, Listen: "127.0.0.1:0", Admin: l.Addr().String()}, "admin: "},
		"no file":              {gateway.Settings{ConfigFile: "none.yaml"}, "none.yaml: no such file"},
	} {
		tc.s.Stderr = io.Discard
		if _, err := gateway.Start(t.Context(), tc.s); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, tc.want)
		}
	}
}

func TestCheckFindsMissingFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	for more, want := range map[string]string{
		"tls: { listen: \"127.0.0.1:0\", cert_file: none.pem, key_file: none.pem }\n": "tls.cert_file and tls.key_file: open none.pem",
	} {
		if err := os.WriteFile(file, []byte(yaml("http://127.0.0.1:1", "", more)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := gateway.Check(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
