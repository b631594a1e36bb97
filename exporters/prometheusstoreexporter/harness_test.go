package prometheusstoreexporter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/extension/extensiontest"

	"github.com/tailgate-otel/tailgate/exporters/prometheusstoreexporter"
	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension"
)

var storeID = component.MustNewID("prometheusstore")

// host is what the collector gives to its components.
type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

// world is a running store with an exporter in front, as in a collector, and a client of the store's API.
type world struct {
	t         *testing.T
	exporter  exporter.Metrics
	telemetry *componenttest.Telemetry
	client    *http.Client
}

// settings are the keys a user would write.
type settings map[string]any

func newWorld(t *testing.T, store, export settings) *world {
	t.Helper()
	extension, client := startStore(t, store)
	w := &world{t: t, client: client, telemetry: componenttest.NewTelemetry()}
	t.Cleanup(func() { require.NoError(t, w.telemetry.Shutdown(context.Background())) })
	w.exporter = startExporter(t, host{storeID: extension}, w.telemetry, export)
	return w
}

// startStore starts the extension on a unix socket: no port that another process could take first.
func startStore(t testing.TB, keys settings) (component.Component, *http.Client) {
	t.Helper()
	dir, err := os.MkdirTemp("", "store") // t.TempDir is too long for the address of a socket
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	socket := filepath.Join(dir, "s")

	factory := prometheusstoreextension.NewFactory()
	cfg := factory.CreateDefaultConfig()
	all := map[string]any{
		"directory":    t.TempDir(),
		"self_metrics": map[string]any{"interval": "0s"}, // whose series are not those of the test
		"http":         map[string]any{"transport": "unix", "endpoint": socket},
	}
	maps.Copy(all, keys)
	require.NoError(t, confmap.NewFromStringMap(all).Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
	extension, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), cfg)
	require.NoError(t, err)
	require.NoError(t, extension.Start(t.Context(), host{}))
	t.Cleanup(func() { require.NoError(t, extension.Shutdown(context.Background())) })

	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	t.Cleanup(client.CloseIdleConnections)
	return extension, client
}

func startExporter(t testing.TB, h host, telemetry *componenttest.Telemetry, keys settings) exporter.Metrics {
	t.Helper()
	factory := prometheusstoreexporter.NewFactory()
	cfg := factory.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(keys).Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
	set := exportertest.NewNopSettings(factory.Type())
	set.TelemetrySettings = telemetry.NewTelemetrySettings()
	exp, err := factory.CreateMetrics(t.Context(), set, cfg)
	require.NoError(t, err)
	require.NoError(t, exp.Start(t.Context(), h))
	t.Cleanup(func() { require.NoError(t, exp.Shutdown(context.Background())) })
	return exp
}

// push exports what build makes; it must succeed whatever is in there.
func (w *world) push(b *batch) {
	w.t.Helper()
	require.NoError(w.t, w.exporter.ConsumeMetrics(w.t.Context(), b.metrics))
}

// post sends a form as Grafana does and decodes "data" of a successful answer into v.
func (w *world) post(path string, form url.Values, v any) {
	w.t.Helper()
	w.do(http.MethodPost, path, strings.NewReader(form.Encode()), v)
}

func (w *world) get(path string, v any) {
	w.t.Helper()
	w.do(http.MethodGet, path, strings.NewReader(""), v)
}

func (w *world) do(method, path string, body *strings.Reader, v any) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, "http://store"+path, body)
	require.NoError(w.t, err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := w.client.Do(r)
	require.NoError(w.t, err)
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	require.NoError(w.t, json.NewDecoder(resp.Body).Decode(&answer), "%s", path)
	require.Equal(w.t, "success", answer.Status, "%s: %s", path, answer.Error)
	require.NoError(w.t, json.Unmarshal(answer.Data, v), "%s", path)
}

type labels map[string]string

// String writes a series as PromQL does.
func (l labels) String() string {
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(l)) {
		if k != "__name__" {
			pairs = append(pairs, fmt.Sprintf("%s=%q", k, l[k]))
		}
	}
	return l["__name__"] + "{" + strings.Join(pairs, ",") + "}"
}

// query runs an instant query and returns series -> value.
func (w *world) query(expr string, at time.Time) map[string]string {
	w.t.Helper()
	var data struct {
		Result []struct {
			Metric    labels
			Value     [2]any
			Histogram []any
		}
	}
	w.post("/api/v1/query", url.Values{"query": {expr}, "time": {seconds(at)}}, &data)
	got := map[string]string{}
	for _, r := range data.Result {
		if r.Histogram != nil {
			got[r.Metric.String()] = "histogram"
			continue
		}
		got[r.Metric.String()] = r.Value[1].(string)
	}
	return got
}

// value runs an instant query that has one answer.
func (w *world) value(expr string, at time.Time) string {
	w.t.Helper()
	got := w.query(expr, at)
	require.Len(w.t, got, 1, "%s: %v", expr, got)
	return slices.Collect(maps.Values(got))[0]
}

// names returns the metric names in the store.
func (w *world) names() []string {
	w.t.Helper()
	var got []string
	w.get("/api/v1/label/__name__/values", &got)
	return got
}

func seconds(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMilli())/1e3, 'f', 3, 64)
}
