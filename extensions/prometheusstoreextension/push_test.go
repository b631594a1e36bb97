package prometheusstoreextension_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/prompb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension"
)

// listening starts a store on a port of the loopback interface and returns the port's address.
func listening(t *testing.T, dir string, keys settings) (i *instance, address string) {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address = free.Addr().String()
	require.NoError(t, free.Close())
	all := settings{"directory": dir, "http": map[string]any{"endpoint": address}, "self_metrics": map[string]any{"interval": "0s"}}
	for key, value := range keys {
		all[key] = value
	}
	i = &instance{t: t, extension: create(t, all), client: &http.Client{Transport: rewrite{address}}}
	require.NoError(t, i.extension.Start(t.Context(), host{}))
	t.Cleanup(i.stop)
	return i, address
}

// rewrite sends every request to one address.
type rewrite struct{ address string }

func (r rewrite) RoundTrip(req *http.Request) (*http.Response, error) {
	req.URL.Host = r.address
	return http.DefaultTransport.RoundTrip(req)
}

// eventually waits until a query has an answer.
func (i *instance) eventually(expr, want string) {
	i.t.Helper()
	require.Eventually(i.t, func() bool {
		body := i.get("/api/v1/query?query=" + expr).body
		return strings.Contains(body, `,"`+want+`"]`)
	}, 30*time.Second, 50*time.Millisecond, "%s never was %s: %s", expr, want, i.get("/api/v1/query?query="+expr).body)
}

func TestPushedByRemoteWriteAndByOTLP(t *testing.T) {
	i := started(t, t.TempDir(), nil)
	at := now()
	request := prompb.WriteRequest{Timeseries: []prompb.TimeSeries{{
		Labels:  []prompb.Label{{Name: "__name__", Value: "pushed"}, {Name: "job", Value: "a"}},
		Samples: []prompb.Sample{{Timestamp: at.UnixMilli(), Value: 3}},
	}}}
	body, err := request.Marshal()
	require.NoError(t, err)
	got := i.do(http.MethodPost, "/api/v1/write", string(snappy.Encode(nil, body)),
		"Content-Type", "application/x-protobuf", "Content-Encoding", "snappy", "X-Prometheus-Remote-Write-Version", "0.1.0")
	require.Equal(t, http.StatusNoContent, got.status, got.body)
	assert.Equal(t, "3", i.value("pushed", at))

	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "shop")
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("queue.length")
	point := m.SetEmptyGauge().DataPoints().AppendEmpty()
	point.SetTimestamp(pcommon.NewTimestampFromTime(at))
	point.SetIntValue(5)
	text, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalJSON()
	require.NoError(t, err)
	got = i.do(http.MethodPost, "/api/v1/otlp/v1/metrics", string(text), "Content-Type", "application/json")
	require.Equal(t, http.StatusOK, got.status, got.body)
	assert.Equal(t, "5", i.value(`queue_length{job="shop"}`, at))

	page := i.get("/debug/ingest").body
	assert.Contains(t, page, `"name": "queue.length"`)
	assert.Contains(t, i.get("/debug/ingest", "Accept", "text/html").body, "<code>queue.length</code>")

	federated := i.get("/federate?match[]=pushed").body
	assert.Contains(t, federated, `pushed{job="a",instance=""} 3`)
}

func TestWhatIsNotWantedIsNotTaken(t *testing.T) {
	i := started(t, t.TempDir(), settings{"receive": map[string]any{"remote_write": false, "otlp": false}})
	assert.Equal(t, http.StatusNotFound, i.do(http.MethodPost, "/api/v1/write", "").status)
	assert.Equal(t, http.StatusNotFound, i.do(http.MethodPost, "/api/v1/otlp/v1/metrics", "").status)
	assert.Contains(t, i.do(http.MethodPost, "/api/v1/admin/tsdb/snapshot", "").body, "admin APIs disabled")
}

func TestAdminAPI(t *testing.T) {
	dir := t.TempDir()
	i := started(t, dir, settings{"admin_api": true})
	i.write("requests_total", now(), 1)
	got := i.do(http.MethodPost, "/api/v1/admin/tsdb/snapshot", "")
	require.Equal(t, http.StatusOK, got.status, got.body)
	snapshots, err := filepath.Glob(filepath.Join(dir, "snapshots", "*"))
	require.NoError(t, err)
	assert.Len(t, snapshots, 1)
}

// One store scrapes a target, evaluates a rule over it, and sends everything to a second store, which is the real receiving
// side; a third in mode agent sends what is pushed to it.
func TestScrapeRulesAndRemoteWrite(t *testing.T) {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write([]byte("# HELP temperature_celsius Outside.\n# TYPE temperature_celsius gauge\ntemperature_celsius 21\n"))
	}))
	defer target.Close()
	rules := filepath.Join(t.TempDir(), "rules.yml")
	require.NoError(t, os.WriteFile(rules, []byte(`
groups:
  - name: weather
    interval: 100ms
    rules:
      - record: temperature:kelvin
        expr: temperature_celsius + 273
      - alert: Warm
        expr: temperature_celsius > 20
        labels: {severity: info}
`), 0o600))

	server, address := listening(t, t.TempDir(), nil)
	first, firstAddress := listening(t, t.TempDir(), settings{
		"global":     map[string]any{"external_labels": map[string]any{"cluster": "north"}},
		"rule_files": []any{rules},
		"scrape_configs": []any{map[string]any{
			"job_name": "weather", "scrape_interval": "100ms", "scrape_timeout": "100ms",
			"static_configs": []any{map[string]any{"targets": []any{strings.TrimPrefix(target.URL, "http://")}}},
		}},
		"remote_write": []any{map[string]any{
			"name": "second", "url": "http://" + address + "/api/v1/write",
			"queue_config": map[string]any{"batch_send_deadline": "100ms"},
		}},
	})
	first.eventually(`temperature_celsius{job="weather"}`, "21")
	first.eventually(`temperature:kelvin`, "294")
	assert.Contains(t, data(t, first.get("/api/v1/metadata?metric=temperature_celsius")), "Outside.")
	assert.Contains(t, data(t, first.get("/api/v1/targets")), `"health":"up"`)
	require.Eventually(t, func() bool {
		return strings.Contains(first.get("/api/v1/alerts").body, `"alertname":"Warm"`)
	}, 20*time.Second, 50*time.Millisecond)
	assert.Contains(t, data(t, first.get("/api/v1/rules")), `"name":"temperature:kelvin"`)

	server.eventually(`temperature_celsius{cluster="north",job="weather"}`, "21")
	server.eventually(`temperature:kelvin{cluster="north"}`, "294")
	server.eventually(`ALERTS{alertname="Warm",cluster="north"}`, "1")

	agent, _ := listening(t, t.TempDir(), settings{
		"mode": "agent",
		"remote_write": []any{
			map[string]any{"url": "http://" + address + "/api/v1/write", "queue_config": map[string]any{"batch_send_deadline": "100ms"}},
			map[string]any{"url": "http://" + firstAddress + "/api/v1/write", "queue_config": map[string]any{"batch_send_deadline": "100ms"}},
		},
	})
	agent.write("from_agent", now(), 9)
	server.eventually("from_agent", "9")
	first.eventually("from_agent", "9")
	assert.Contains(t, agent.get("/api/v1/query?query=from_agent").body, "unavailable with Prometheus Agent")
}

func TestTheStoreAndItsCollectorAreInTheStore(t *testing.T) {
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Contains(t, r.Header.Get("Accept"), "escaping=underscores")
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write([]byte("otelcol_receiver_accepted_spans_total 7\n"))
	}))
	defer collector.Close()
	hostname, port, err := net.SplitHostPort(strings.TrimPrefix(collector.URL, "http://"))
	require.NoError(t, err)
	i, address := listening(t, t.TempDir(), settings{"self_metrics": map[string]any{"interval": "100ms"}})
	watcher, ok := i.extension.(extensioncapabilities.ConfigSnapshotWatcher)
	require.True(t, ok)
	conf := confmap.NewFromStringMap(map[string]any{"service": map[string]any{"telemetry": map[string]any{"metrics": map[string]any{
		"readers": []any{map[string]any{"pull": map[string]any{"exporter": map[string]any{"prometheus": map[string]any{
			"host": hostname, "port": port,
		}}}}},
	}}}})
	require.NoError(t, watcher.NotifyConfigSnapshot(t.Context(), extensioncapabilities.NewConfigSnapshot(conf, conf)))
	i.eventually(`otelcol_receiver_accepted_spans_total{job="tailgate"}`, "7")
	assert.NotContains(t, i.get("/api/v1/targets").body, `"lastError":":`)
	i.eventually(`up{job="store",instance="`+address+`"}`, "1")
	i.eventually(`count(prometheus_tsdb_head_series{job="store"})`, "1")
}

func TestRuleFilesThatAreWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bad.yml")
	require.NoError(t, os.WriteFile(file, []byte("groups:\n  - name: a\n    rules:\n      - record: x\n        expr: sum(\n"), 0o600))
	cfg := prometheusstoreextension.NewFactory().CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(settings{"rule_files": []any{file}}).Unmarshal(cfg))
	err := confmap.Validate(cfg)
	require.Error(t, err, "validate finds it, not only the start")
	assert.Contains(t, err.Error(), file+":5:15")
}

func TestJobsOfTheStoreAreTaken(t *testing.T) {
	cfg := prometheusstoreextension.NewFactory().CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(settings{
		"scrape_configs": []any{map[string]any{"job_name": "store"}},
	}).Unmarshal(cfg))
	assert.ErrorContains(t, confmap.Validate(cfg), `scrape_configs[0]: job_name: "store" is the store's own name`)
}
