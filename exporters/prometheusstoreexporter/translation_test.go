package prometheusstoreexporter_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// now has no more than the milliseconds that the store keeps.
func now() time.Time { return time.Now().Truncate(time.Millisecond) }

func TestEveryMetricTypeIsStored(t *testing.T) {
	w := newWorld(t, nil, nil)
	at := now()
	b := newBatch(at)
	b.gauge("queue.length", 7, "queue", "mail")
	b.number(b.metric("temperature", "Cel", "").SetEmptyGauge().DataPoints(), 21.5)
	b.number(b.sum("http.requests", "1", true).DataPoints(), 12)
	b.number(b.sum("http.server.active_requests", "{request}", false).DataPoints(), 3)
	classicHistogram(b)
	b.exponentialPoint(b.exponential("rpc.duration"), "rpc.method", "Get")
	summary(b)
	w.push(b)

	const id = `instance="shop-1",job="shop"`
	for expr, want := range map[string]map[string]string{
		`queue_length`:                                       {`queue_length{` + id + `,queue="mail"}`: "7"},
		`temperature_celsius`:                                {`temperature_celsius{` + id + `}`: "21.5"},
		`http_requests_total`:                                {`http_requests_total{` + id + `}`: "12"},
		`http_server_active_requests`:                        {`http_server_active_requests{` + id + `}`: "3"},
		`http_server_request_duration_seconds_count`:         {`http_server_request_duration_seconds_count{` + id + `}`: "6"},
		`http_server_request_duration_seconds_sum`:           {`http_server_request_duration_seconds_sum{` + id + `}`: "2.5"},
		`http_server_request_duration_seconds_bucket`:        buckets(id, "0.1", "1", "0.5", "3", "+Inf", "6"),
		`rpc_duration_seconds`:                               {`rpc_duration_seconds{` + id + `,rpc_method="Get"}`: "histogram"},
		`histogram_count(rpc_duration_seconds)`:              {`{` + id + `,rpc_method="Get"}`: "3"},
		`histogram_sum(rpc_duration_seconds)`:                {`{` + id + `,rpc_method="Get"}`: "7.5"},
		`histogram_fraction(1, 2, rpc_duration_seconds) * 3`: {`{` + id + `,rpc_method="Get"}`: "1"},
		`histogram_quantile(1, rpc_duration_seconds)`:        {`{` + id + `,rpc_method="Get"}`: "4"},
		`gc_pause_seconds{quantile="0.5"}`:                   {`gc_pause_seconds{` + id + `,quantile="0.5"}`: "0.01"},
		`gc_pause_seconds_sum + gc_pause_seconds_count`:      {`{` + id + `}`: "5.25"},
		`target_info`: {`target_info{cloud_region="eu-west",` + id + `}`: "1"},
		`queue_length * on (job, instance) group_left(cloud_region) target_info`: {
			`{cloud_region="eu-west",` + id + `,queue="mail"}`: "7",
		},
	} {
		assert.Equal(t, want, w.query(expr, at), expr)
	}
}

func classicHistogram(b *batch) {
	h := b.metric("http.server.request.duration", "s", "").SetEmptyHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	p := h.DataPoints().AppendEmpty()
	p.SetTimestamp(pcommon.NewTimestampFromTime(b.at))
	p.ExplicitBounds().FromRaw([]float64{0.1, 0.5})
	p.BucketCounts().FromRaw([]uint64{1, 2, 3})
	p.SetCount(6)
	p.SetSum(2.5)
}

func buckets(id string, boundsAndCounts ...string) map[string]string {
	want := map[string]string{}
	for i := 0; i+1 < len(boundsAndCounts); i += 2 {
		want[`http_server_request_duration_seconds_bucket{`+id+`,le="`+boundsAndCounts[i]+`"}`] = boundsAndCounts[i+1]
	}
	return want
}

func summary(b *batch) {
	p := b.metric("gc.pause", "s", "").SetEmptySummary().DataPoints().AppendEmpty()
	p.SetTimestamp(pcommon.NewTimestampFromTime(b.at))
	p.SetCount(5)
	p.SetSum(0.25)
	q := p.QuantileValues().AppendEmpty()
	q.SetQuantile(0.5)
	q.SetValue(0.01)
}

// Grafana's data source asks in these ways: POST forms, match[], explicit ranges.
func TestAPIAnswersLikePrometheus(t *testing.T) {
	w := newWorld(t, nil, nil)
	end := now()
	start := end.Add(-30 * time.Second)
	for i := range 3 {
		b := newBatch(start.Add(time.Duration(i) * 10 * time.Second))
		points := b.sum("http.requests", "1", true).DataPoints()
		b.number(points, float64(10*i), "route", "/a")
		b.number(points, float64(20*i), "route", "/b")
		w.push(b)
	}
	window := func(v url.Values) url.Values {
		v.Set("start", seconds(start))
		v.Set("end", seconds(end))
		return v
	}

	var matrix struct {
		ResultType string
		Result     []struct {
			Metric labels
			Values [][2]any
		}
	}
	w.post("/api/v1/query_range", window(url.Values{"query": {`http_requests_total{route="/b"}`}, "step": {"10"}}), &matrix)
	assert.Equal(t, "matrix", matrix.ResultType)
	require.Len(t, matrix.Result, 1)
	var values []string
	for _, v := range matrix.Result[0].Values {
		values = append(values, v[1].(string))
	}
	assert.Equal(t, []string{"0", "20", "40", "40"}, values)

	var series []labels
	w.post("/api/v1/series", window(url.Values{"match[]": {`http_requests_total`}}), &series)
	assert.ElementsMatch(t, []labels{
		{"__name__": "http_requests_total", "job": "shop", "instance": "shop-1", "route": "/a"},
		{"__name__": "http_requests_total", "job": "shop", "instance": "shop-1", "route": "/b"},
	}, series)

	var names []string
	w.post("/api/v1/labels", window(url.Values{"match[]": {`http_requests_total`}}), &names)
	assert.Equal(t, []string{"__name__", "instance", "job", "route"}, names)

	var routes []string
	w.get("/api/v1/label/route/values?"+window(url.Values{"match[]": {`http_requests_total{job="shop"}`}}).Encode(), &routes)
	assert.Equal(t, []string{"/a", "/b"}, routes)

	var metadata map[string][]map[string]string
	w.get("/api/v1/metadata?metric=http_requests_total", &metadata)
	assert.Equal(t, map[string][]map[string]string{
		"http_requests_total": {{"type": "counter", "help": "what http.requests counts", "unit": ""}},
	}, metadata)

	var build map[string]string
	w.get("/api/v1/status/buildinfo", &build)
	assert.Equal(t, "3.14.0", build["version"])
}

func TestHistogramLayouts(t *testing.T) {
	classic := []string{"http_server_request_duration_seconds_bucket", "http_server_request_duration_seconds_count", "http_server_request_duration_seconds_sum"}
	for layout, want := range map[string][]string{
		"classic": append(classic[:3:3], "target_info"),
		"nhcb":    {"http_server_request_duration_seconds", "target_info"},
		"both":    append(append([]string{"http_server_request_duration_seconds"}, classic...), "target_info"),
	} {
		t.Run(layout, func(t *testing.T) {
			w := newWorld(t, nil, settings{"histograms": layout})
			b := newBatch(now())
			classicHistogram(b)
			w.push(b)
			assert.Equal(t, want, w.names())
			if layout != "classic" {
				assert.Equal(t, "6", w.value("histogram_count(http_server_request_duration_seconds)", b.at))
			}
		})
	}
}

func TestTranslationStrategies(t *testing.T) {
	for strategy, want := range map[string][]string{
		"UnderscoreEscapingWithSuffixes":    {"http_requests_total", "rpc_duration_seconds", "target_info"},
		"UnderscoreEscapingWithoutSuffixes": {"http_requests", "rpc_duration", "target_info"},
		"NoUTF8EscapingWithSuffixes":        {"http.requests_total", "rpc.duration_seconds", "target_info"},
		"NoTranslation":                     {"http.requests", "rpc.duration", "target_info"},
	} {
		t.Run(strategy, func(t *testing.T) {
			w := newWorld(t, nil, settings{"translation_strategy": strategy})
			b := newBatch(now())
			b.number(b.sum("http.requests", "1", true).DataPoints(), 12)
			b.exponentialPoint(b.exponential("rpc.duration"))
			w.push(b)
			assert.Equal(t, want, w.names())
		})
	}
}

func TestResourceAndScopeLabels(t *testing.T) {
	for name, tc := range map[string]struct {
		export settings
		want   map[string]string
	}{
		"promoted": {
			settings{"promote_resource_attributes": []any{"cloud.region"}},
			map[string]string{
				`depth{cloud_region="eu-west",instance="shop-1",job="shop"}`:       "1",
				`target_info{cloud_region="eu-west",instance="shop-1",job="shop"}`: "1",
			},
		},
		"identifying": {
			settings{"keep_identifying_resource_attributes": true},
			map[string]string{
				`depth{instance="shop-1",job="shop"}`: "1",
				`target_info{cloud_region="eu-west",instance="shop-1",job="shop",` +
					`service_instance_id="shop-1",service_name="shop"}`: "1",
			},
		},
		"scope": {
			settings{"promote_scope_metadata": true},
			map[string]string{
				`depth{instance="shop-1",job="shop",otel_scope_name="lib",otel_scope_version="1.2"}`: "1",
				`target_info{cloud_region="eu-west",instance="shop-1",job="shop"}`:                   "1",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil, tc.export)
			b := newBatch(now())
			b.gauge("depth", 1)
			w.push(b)
			assert.Equal(t, tc.want, w.query(`{__name__=~".+"}`, b.at))
		})
	}
}

// target_info must be found by an instant query at any time between the points of a batch, whatever the store's
// look-back is.
func TestTargetInfoFollowsTheLookback(t *testing.T) {
	w := newWorld(t, settings{"query": map[string]any{"lookback_delta": "20s"}}, nil)
	end := now()
	b := newBatch(end.Add(-2 * time.Minute))
	points := b.metric("depth", "", "").SetEmptyGauge().DataPoints()
	b.number(points, 1)
	b.at = end
	b.number(points, 2)
	w.push(b)
	for ago := time.Duration(0); ago <= 2*time.Minute; ago += 15 * time.Second {
		assert.Equal(t, "1", w.value("target_info", end.Add(-ago)), "%s ago", ago)
	}
}

type exemplarAnswer []struct {
	SeriesLabels labels
	Exemplars    []struct {
		Labels    labels
		Value     string
		Timestamp float64
	}
}

func (w *world) exemplars(expr string, start, end time.Time) exemplarAnswer {
	w.t.Helper()
	var got exemplarAnswer
	w.post("/api/v1/query_exemplars", url.Values{"query": {expr}, "start": {seconds(start)}, "end": {seconds(end)}}, &got)
	return got
}

// Histograms bring exemplars in the order of value; none may be lost for being out of order in time.
func TestExemplarsArriveWhateverTheirOrder(t *testing.T) {
	w := newWorld(t, settings{"out_of_order_time_window": "0s"}, nil)
	at := now()
	b := newBatch(at)
	p := b.exponentialPoint(b.exponential("rpc.duration"))
	for i, ago := range []time.Duration{3, 1, 2} {
		exemplar(p.Exemplars(), float64(i)+1.5, at.Add(-ago*time.Second), byte(ago))
	}
	w.push(b)

	got := w.exemplars("rpc_duration_seconds", at.Add(-time.Minute), at)
	require.Len(t, got, 1)
	assert.Equal(t, labels{"__name__": "rpc_duration_seconds", "job": "shop", "instance": "shop-1"}, got[0].SeriesLabels)
	var traces []string
	for _, e := range got[0].Exemplars {
		traces = append(traces, e.Labels["trace_id"]+" "+e.Value)
	}
	assert.Equal(t, []string{
		"00000000000000000000000000000003 1.5",
		"00000000000000000000000000000002 3.5",
		"00000000000000000000000000000001 2.5",
	}, traces)
	w.assertExemplars(3, nil)
}
