package prometheusstoreextension_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/exemplar"
	promlabels "github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/internal/promstore"
)

// data returns "data" of a successful answer of the API.
func data(t *testing.T, a answer) string {
	t.Helper()
	var got struct {
		Status, Error string
		Data          json.RawMessage
	}
	require.NoError(t, json.Unmarshal([]byte(a.body), &got), a.body)
	require.Equal(t, "success", got.Status, got.Error)
	return string(got.Data)
}

// value runs an instant query that has one answer.
func (i *instance) value(expr string, at time.Time) string {
	i.t.Helper()
	var got struct {
		Result []struct{ Value [2]any }
	}
	form := url.Values{"query": {expr}, "time": {strconv.FormatFloat(float64(at.UnixMilli())/1e3, 'f', 3, 64)}}
	require.NoError(i.t, json.Unmarshal([]byte(data(i.t, i.get("/api/v1/query?"+form.Encode()))), &got))
	require.Len(i.t, got.Result, 1, expr)
	return got.Result[0].Value[1].(string)
}

func (i *instance) directory() string {
	i.t.Helper()
	var flags map[string]string
	require.NoError(i.t, json.Unmarshal([]byte(data(i.t, i.get("/api/v1/status/flags"))), &flags))
	return flags["storage.tsdb.path"]
}

// Each of these once had no answer, or ended the process.
func TestQueriesOfAStockServer(t *testing.T) {
	i := started(t, t.TempDir(), nil)
	i.write("requests_total", now(), 1)
	for _, query := range []string{
		"max_over_time(requests_total[5m:])", "avg_over_time(rate(requests_total[1m])[10m:] offset 1s)",
		"count_over_time(requests_total[2m+3m])", "requests_total offset (2*0)",
	} {
		got := i.get("/api/v1/query?" + url.Values{"query": {query}}.Encode())
		assert.Equal(t, http.StatusOK, got.status, "%s: %s", query, got.body)
	}
	assert.Contains(t, data(t, i.get("/api/v1/features")), `"rules":{`)
}

func TestQueriesAreLogged(t *testing.T) {
	file := filepath.Join(t.TempDir(), "queries.log")
	i := started(t, t.TempDir(), settings{"global": map[string]any{"query_log_file": file}})
	i.get("/api/v1/query?query=up")
	log, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Contains(t, string(log), `"query":"up"`)
}

// What Grafana and promtool ask before and beside queries has an answer of the right shape.
func TestAPIOfAnEmptyStore(t *testing.T) {
	i := started(t, t.TempDir(), nil)
	for path, want := range map[string]string{
		"/api/v1/query?query=up":                         `{"resultType":"vector","result":[]}`,
		"/api/v1/labels":                                 `[]`,
		"/api/v1/label/job/values":                       `[]`,
		"/api/v1/series?match[]=up":                      `[]`,
		"/api/v1/metadata":                               `{}`,
		"/api/v1/rules":                                  `{"groups":[]}`,
		"/api/v1/alerts":                                 `{"alerts":[]}`,
		"/api/v1/targets":                                `{"activeTargets":[],"droppedTargets":[],"droppedTargetCounts":{}}`,
		"/api/v1/scrape_pools":                           `{"scrapePools":[]}`,
		"/api/v1/alertmanagers":                          `{"activeAlertmanagers":[],"droppedAlertmanagers":[]}`,
		"/api/v1/notifications":                          `[]`,
		"/api/v1/query_exemplars?query=up&start=0&end=1": `[]`,
		"/api/v1/format_query?query=sum(foo)by(x)":       `"sum by (x) (foo)"`,
	} {
		got := i.get(path)
		assert.Equal(t, http.StatusOK, got.status, path)
		assert.JSONEq(t, want, data(t, got), path)
	}
	for _, path := range []string{
		"/api/v1/status/buildinfo", "/api/v1/status/runtimeinfo", "/api/v1/status/tsdb", "/api/v1/status/flags",
		"/api/v1/status/config", "/api/v1/features", "/api/v1/status/walreplay", "/api/v1/status/tsdb/blocks",
		"/api/v1/status/self_metrics", "/api/v1/parse_query?query=up",
	} {
		assert.NotEmpty(t, data(t, i.get(path)), path)
	}
}

// What would change the data, or come in past the pipeline, is off.
func TestAPIIsReadOnly(t *testing.T) {
	i := started(t, t.TempDir(), nil)
	for _, path := range []string{
		"/api/v1/write", "/api/v1/otlp/v1/metrics", "/api/v1/admin/tsdb/delete_series?match[]=a", "/api/v1/admin/tsdb/snapshot",
	} {
		got := i.do(http.MethodPost, path, "")
		assert.GreaterOrEqual(t, got.status, 400, "%s: %s", path, got.body)
	}
}

func TestMetadataOfPushedMetrics(t *testing.T) {
	i := started(t, t.TempDir(), nil)
	i.write("requests_total", now(), 1)
	want := `{"requests_total":[{"type":"counter","help":"about requests_total","unit":""}]}`
	assert.JSONEq(t, want, data(t, i.get("/api/v1/metadata")))
	assert.JSONEq(t, want, data(t, i.get("/api/v1/metadata?metric=requests_total")))
	assert.JSONEq(t, `{}`, data(t, i.get("/api/v1/metadata?metric=other")))
	assert.Contains(t, i.get("/api/v1/targets").body, `"activeTargets":[]`, "the stand-in is no target")
	assert.Contains(t, i.get("/metrics").body, "prometheusstore_metadata_bytes 1")
}

func TestQueryLimits(t *testing.T) {
	i := started(t, t.TempDir(), settings{"query": map[string]any{"max_samples": 3}})
	at := now()
	for n := range 4 {
		i.write(fmt.Sprintf("m%d", n), at, 1)
	}
	got := i.get(`/api/v1/query?query=` + url.QueryEscape(`{job="shop"}`))
	assert.Equal(t, http.StatusUnprocessableEntity, got.status)
	assert.Contains(t, got.body, "query processing would load too many samples into memory")
}

func TestSyntaxErrorsAreExplained(t *testing.T) {
	i := started(t, t.TempDir(), nil)
	got := i.get("/api/v1/query?query=sum(")
	assert.Equal(t, http.StatusBadRequest, got.status)
	assert.Contains(t, got.body, "unclosed left parenthesis")
}

// The bounds hold for every writer, and move with the newest sample.
func TestBounds(t *testing.T) {
	i := started(t, t.TempDir(), settings{"out_of_order_time_window": "90m"})
	at := now()
	appendAt := func(at time.Time) error {
		app := i.store().AppenderV2(t.Context())
		_, err := app.Append(0, promlabels.FromStrings("__name__", "a"), 0, at.UnixMilli(), 1, nil, nil, storage.AppendV2Options{})
		require.NoError(t, app.Rollback())
		return err
	}
	require.ErrorIs(t, appendAt(time.Unix(0, 0)), storage.ErrOutOfBounds, "an empty store still has its retention")
	require.NoError(t, appendAt(at.Add(-24*time.Hour)))
	require.ErrorIs(t, appendAt(at.Add(11*time.Minute)), promstore.ErrTooFarAhead)

	i.write("b", at, 1)
	oldest, newest := i.store().Bounds()
	assert.Equal(t, at.Add(-90*time.Minute), oldest)
	assert.WithinDuration(t, at.Add(10*time.Minute), newest, time.Minute)
	require.NoError(t, appendAt(oldest))
	require.ErrorIs(t, appendAt(oldest.Add(-time.Millisecond)), storage.ErrOutOfBounds)
}

func TestExemplarsCanBeSwitchedOff(t *testing.T) {
	i := started(t, t.TempDir(), settings{"max_exemplars": 0})
	app := i.store().AppenderV2(t.Context())
	_, err := app.Append(0, promlabels.FromStrings("__name__", "a"), 0, now().UnixMilli(), 1, nil, nil,
		storage.AppendV2Options{Exemplars: []exemplar.Exemplar{{Value: 1}, {Value: 2}}})
	var partial *storage.AppendPartialError
	require.ErrorAs(t, err, &partial)
	require.Len(t, partial.ExemplarErrors, 2)
	require.ErrorIs(t, partial.ExemplarErrors[0], storage.ErrExemplarsDisabled)
	require.NoError(t, app.Commit())
}

func TestSelfMetrics(t *testing.T) {
	i := started(t, t.TempDir(), nil)
	i.write("a", now(), 1)
	body := i.get("/metrics").body
	for _, name := range []string{
		"prometheus_tsdb_head_samples_appended_total", "prometheus_engine_queries_concurrent_max 4", "go_goroutines",
		"process_resident_memory_bytes", "prometheusstore_metadata_refused_total 0",
	} {
		assert.Contains(t, body, name)
	}
}

func TestCORSIsTheListeners(t *testing.T) {
	const origin = "http://grafana.example"
	closed := started(t, t.TempDir(), nil)
	got := closed.get("/api/v1/query?query=1", "Origin", origin)
	assert.Empty(t, got.header.Get("Access-Control-Allow-Origin"))

	open := started(t, t.TempDir(), settings{"http": map[string]any{"cors": map[string]any{"allowed_origins": []any{origin}}}})
	got = open.get("/api/v1/query?query=1", "Origin", origin)
	assert.Equal(t, origin, got.header.Get("Access-Control-Allow-Origin"))
}

func TestViewerIsServed(t *testing.T) {
	i := started(t, t.TempDir(), settings{"viewer": map[string]any{"trace_url": "http://localhost:16686/trace/{trace_id}"}})
	root := i.get("/")
	assert.Equal(t, http.StatusFound, root.status)
	assert.Equal(t, "/ui/", root.header.Get("Location"))

	page := i.get("/ui/")
	assert.Equal(t, http.StatusOK, page.status)
	assert.Equal(t, "text/html; charset=utf-8", page.header.Get("Content-Type"))
	assert.JSONEq(t, `{"traceUrl":"http://localhost:16686/trace/{trace_id}"}`, i.get("/ui/api/config").body)

	var dashboards []struct{ UID, Title string }
	require.NoError(t, json.Unmarshal([]byte(i.get("/ui/api/dashboards").body), &dashboards))
	require.NotEmpty(t, dashboards)
	for _, d := range dashboards {
		var classic struct{ UID, Title string }
		require.NoError(t, json.Unmarshal([]byte(i.get("/ui/api/dashboards/"+d.UID).body), &classic))
		assert.Equal(t, d.Title, classic.Title)
	}
	assert.Equal(t, http.StatusNotFound, i.get("/favicon.ico").status)
}
