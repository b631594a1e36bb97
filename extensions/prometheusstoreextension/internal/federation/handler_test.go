package federation_test

import (
	"context"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/federation"
)

var now = time.UnixMilli(1_800_000_000_000)

func filled(t *testing.T) *tsdb.DB {
	t.Helper()
	db, err := tsdb.Open(t.TempDir(), nil, nil, tsdb.DefaultOptions(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	app := db.AppenderV2(context.Background())
	add := func(ago time.Duration, v float64, h *histogram.FloatHistogram, pairs ...string) {
		_, err := app.Append(0, labels.FromStrings(pairs...), 0, now.Add(-ago).UnixMilli(), v, nil, h, storage.AOptions{})
		require.NoError(t, err)
	}
	add(20*time.Second, 1, nil, "__name__", "requests_total", "instance", "a")
	add(5*time.Second, 2, nil, "__name__", "requests_total", "instance", "a")
	add(5*time.Second, 3, nil, "__name__", "requests_total", "instance", "b", "cluster", "south")
	add(5*time.Second, 4, nil, "__name__", "job:requests:rate5m", "job", "shop")
	add(10*time.Second, 5, nil, "__name__", "gone", "instance", "a")
	add(5*time.Second, math.Float64frombits(value.StaleNaN), nil, "__name__", "gone", "instance", "a")
	add(time.Hour, 6, nil, "__name__", "old", "instance", "a")
	add(5*time.Second, 0, &histogram.FloatHistogram{
		Schema: histogram.CustomBucketsSchema, Count: 6, Sum: 9, CustomValues: []float64{1, 2, 5},
		PositiveSpans: []histogram.Span{{Offset: 0, Length: 1}, {Offset: 1, Length: 2}}, PositiveBuckets: []float64{1, 2, 3},
	}, "__name__", "custom_seconds", "instance", "a")
	add(5*time.Second, 0, &histogram.FloatHistogram{
		Schema: 0, Count: 3, Sum: 4, ZeroThreshold: 0.01,
		PositiveSpans: []histogram.Span{{Offset: 0, Length: 2}}, PositiveBuckets: []float64{1, 2},
	}, "__name__", "native_seconds", "instance", "a")
	require.NoError(t, app.Commit())
	return db
}

func get(t *testing.T, db *tsdb.DB, accept string, selectors ...string) *http.Response {
	t.Helper()
	server := httptest.NewServer(&federation.Handler{
		Queryable: db, ExternalLabels: labels.FromStrings("cluster", "north"), Lookback: 5 * time.Minute,
		Now: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler),
	})
	t.Cleanup(server.Close)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"?"+url.Values{"match[]": selectors}.Encode(), http.NoBody)
	require.NoError(t, err)
	req.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, resp.Body.Close()) })
	return resp
}

func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	buf := make([]byte, 1<<16)
	n, _ := resp.Body.Read(buf)
	return string(buf[:n])
}

func TestTheNewestSampleOfEachSeries(t *testing.T) {
	text := body(t, get(t, filled(t), "text/plain", `{__name__=~".+"}`))
	assert.Equal(t, `# TYPE custom_seconds histogram
custom_seconds_bucket{instance="a",cluster="north",le="1"} 1 1799999995000
custom_seconds_bucket{instance="a",cluster="north",le="2"} 1 1799999995000
custom_seconds_bucket{instance="a",cluster="north",le="5"} 3 1799999995000
custom_seconds_bucket{instance="a",cluster="north",le="+Inf"} 6 1799999995000
custom_seconds_sum{instance="a",cluster="north"} 9 1799999995000
custom_seconds_count{instance="a",cluster="north"} 6 1799999995000
# TYPE job:requests:rate5m untyped
job:requests:rate5m{job="shop",cluster="north",instance=""} 4 1799999995000
# TYPE requests_total untyped
requests_total{cluster="south",instance="b"} 3 1799999995000
requests_total{instance="a",cluster="north"} 2 1799999995000
`, text, "stale and old series are not there, native histograms have no text form")
}

func TestNativeHistogramsInProtobuf(t *testing.T) {
	resp := get(t, filled(t), string(expfmt.NewFormat(expfmt.TypeProtoDelim)), "native_seconds")
	decoder := expfmt.NewDecoder(resp.Body, expfmt.ResponseFormat(resp.Header))
	family := &dto.MetricFamily{}
	require.NoError(t, decoder.Decode(family))
	h := family.GetMetric()[0].GetHistogram()
	assert.InDelta(t, 3, h.GetSampleCountFloat(), 0)
	assert.Equal(t, []float64{1, 2}, h.GetPositiveCount())
	assert.EqualValues(t, 2, h.GetPositiveSpan()[0].GetLength())
}

func TestSelectors(t *testing.T) {
	db := filled(t)
	two := body(t, get(t, db, "text/plain", `requests_total{instance="a"}`, `{__name__=~"job:.+"}`))
	assert.Contains(t, two, `requests_total{instance="a"`)
	assert.Contains(t, two, "job:requests:rate5m")
	assert.NotContains(t, two, `instance="b"`)
	assert.Empty(t, body(t, get(t, db, "text/plain")), "no selector, nothing")
	assert.Equal(t, http.StatusBadRequest, get(t, db, "text/plain", `{`).StatusCode)
}
