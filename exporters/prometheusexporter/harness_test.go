package prometheusexporter_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/tailgate-otel/tailgate/internal/exposition/pagetest"
)

const (
	acceptText        = "text/plain;version=0.0.4"
	acceptOpenMetrics = "application/openmetrics-text;version=1.0.0"
	acceptProtobuf    = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
)

// running is an exporter that listens on a unix socket, so that tests need no free port.
type running struct {
	exporter.Metrics
	client *http.Client
}

// start creates an exporter of the factory with the configuration and starts it.
func start(t testing.TB, factory exporter.Factory, config map[string]any) *running {
	t.Helper()
	return startWith(t, factory, config, func(*exporter.Settings) {})
}

func startWith(t testing.TB, factory exporter.Factory, config map[string]any, change func(*exporter.Settings)) *running {
	t.Helper()
	dir, err := os.MkdirTemp("", "page") // t.TempDir is too long for a socket's name
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	merged := map[string]any{"endpoint": socket, "transport": "unix"}
	for k, v := range config {
		merged[k] = v
	}
	cfg := factory.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(merged).Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
	set := exportertest.NewNopSettings(factory.Type())
	change(&set)
	e, err := factory.CreateMetrics(t.Context(), set, cfg)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		require.NoError(t, e.Shutdown(context.Background()))
	})
	return &running{Metrics: e, client: &http.Client{Transport: transport}}
}

// push sends a copy of md, as a fan-out does to an exporter that changes its data.
func (r *running) push(t testing.TB, md pmetric.Metrics) {
	t.Helper()
	own := pmetric.NewMetrics()
	md.CopyTo(own)
	require.NoError(t, r.ConsumeMetrics(t.Context(), own))
}

// get scrapes; it returns the page and its content type.
func (r *running) get(t testing.TB, accept string) (page, contentType string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://exporter/metrics", nil)
	require.NoError(t, err)
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", "Prometheus/3.14.0")
	resp, err := r.client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, string(body))
	return string(body), resp.Header.Get("Content-Type")
}

func (r *running) page(t testing.TB, accept string) pagetest.Page {
	t.Helper()
	page, contentType := r.get(t, accept)
	return pagetest.Parse(t, page, contentType)
}
