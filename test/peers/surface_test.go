package peers

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/internal/testkit/promserver"
)

// likeness is how much of two answers must agree.
type likeness int

const (
	exact  likeness = iota // status, type and JSON
	shaped                 // status, type and the JSON with each string and number replaced by its kind: what is about the process
	status                 // status and type only: text that is about the process
)

// TestAPISurface asks both sides for everything that Grafana, promtool and other Prometheuses ask for, right and wrong,
// after both took the same exports.
func TestAPISurface(t *testing.T) {
	end := time.Now().Truncate(time.Second)
	s, ours := store(t, "surface", t.TempDir(), nil, nil)
	c := start(t, "", s)
	stock := stockOTLP(t, "{}")
	for _, md := range payload(8, end) {
		mustExport(t, c.otlp, otlpPath, md)
		mustExport(t, stock.API, stockOTLPPath, md)
	}
	differ := known(t, surfacePaths()...)
	for _, r := range surface(end) {
		methods := r.methods
		if methods == nil {
			methods = []string{http.MethodGet}
		}
		for _, method := range methods {
			what := method + " " + r.form.Encode()
			t.Run(r.path+" "+what, func(t *testing.T) {
				a, b := ask(t, ours, method, r), ask(t, stock.API, method, r)
				if r.like == shaped {
					a, b = shape(t, a), shape(t, b)
				}
				if r.like == status {
					a.Body, b.Body = nil, nil
				}
				sameAnswer(t, r.path, what, a, b, differ)
			})
		}
	}
}

func ask(t *testing.T, api promserver.API, method string, r request) promserver.Answer {
	t.Helper()
	if method == http.MethodPost {
		return api.Post(t, r.path, r.form)
	}
	return api.Get(t, r.path, r.form)
}

// request is one question.
type request struct {
	path    string
	form    url.Values
	like    likeness
	methods []string // default GET
}

var getAndPost = []string{http.MethodGet, http.MethodPost}

// form makes a form of name and value pairs.
func form(pairs ...string) url.Values {
	out := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		out.Add(pairs[i], pairs[i+1])
	}
	return out
}

// surface is the whole of the API, with what a client may get wrong.
func surface(end time.Time) []request {
	at, from := promserver.Seconds(end), promserver.Seconds(end.Add(-10*time.Minute))
	span := func(pairs ...string) url.Values { return form(append(pairs, "start", from, "end", at)...) }
	requests := []request{
		{path: "/api/v1/query", form: form("query", "1+1", "time", at), methods: getAndPost},
		{path: "/api/v1/query", form: form("query", `{job="peers/shop"}`, "time", at), methods: getAndPost},
		{path: "/api/v1/query", form: form("query", `{job="peers/shop"}`, "time", at, "limit", "3")},
		{path: "/api/v1/query", form: form("query", `"text"`, "time", at)},
		{path: "/api/v1/query", form: form("query", "sum(", "time", at), methods: getAndPost},
		{path: "/api/v1/query", form: form("query", "absent", "time", "yesterday")},
		{path: "/api/v1/query", form: form("query", "absent", "time", at, "timeout", "soon")},
		{path: "/api/v1/query", form: form("query", "rate(gauge_in_0[5m])", "time", at)},
		{path: "/api/v1/query", form: form("query", "max_over_time(counter_in_seconds_0_seconds_total[5m:])", "time", at)},
		{path: "/api/v1/query", form: form("query", `count({__name__=~".+"})`, "time", at, "stats", "all"), like: shaped},
		{path: "/api/v1/query", form: form("query", "counter_in_0_total offset 1m / 2", "time", at, "lookback_delta", "30s")},
		{path: "/api/v1/query_range", form: span("query", `sum by (job) (rate({__name__=~"counter.+"}[1m]))`, "step", "15"), methods: getAndPost},
		{path: "/api/v1/query_range", form: span("query", "latency_0_milliseconds", "step", "15s")},
		{path: "/api/v1/query_range", form: span("query", "up", "step", "0")},
		{path: "/api/v1/query_range", form: span("query", "up", "step", "1ms")},
		{path: "/api/v1/query_range", form: form("query", "up", "start", at, "end", from, "step", "1")},
		{path: "/api/v1/query_exemplars", form: span("query", `{__name__=~"request.+"}`), methods: getAndPost},
		{path: "/api/v1/query_exemplars", form: span("query", "rate(")},
		{path: "/api/v1/format_query", form: form("query", "sum(rate(x[5m]))by(job)"), methods: getAndPost},
		{path: "/api/v1/format_query", form: form("query", "sum(rate(x[5m]")},
		{path: "/api/v1/parse_query", form: form("query", "sum(rate(x[5m:1m]offset 3m))by(job)"), methods: getAndPost},
		{path: "/api/v1/parse_query", form: form("query", "x[1m+2m]")},
		{path: "/api/v1/parse_query", form: form("query", "))")},
		{path: "/api/v1/labels", methods: getAndPost},
		{path: "/api/v1/labels", form: span("match[]", "target_info"), methods: getAndPost},
		{path: "/api/v1/labels", form: form("limit", "2")},
		{path: "/api/v1/labels", form: form("match[]", "{")},
		{path: "/api/v1/label/__name__/values"},
		{path: "/api/v1/label/job/values", form: span("match[]", "target_info")},
		{path: "/api/v1/label/job/values", form: form("limit", "1")},
		{path: "/api/v1/label/U__gr_c3_b6_c3_9fe/values"},
		{path: "/api/v1/label/bad-label/values"},
		{path: "/api/v1/label/none/values"},
		{path: "/api/v1/series", form: span("match[]", "target_info", "match[]", `{__name__=~"gc.+"}`), methods: getAndPost},
		{path: "/api/v1/series", form: form("match[]", "target_info", "limit", "1")},
		{path: "/api/v1/series"},
		{path: "/api/v1/series", form: form("match[]", `{x=""}`)},
	}
	return append(requests, aboutTheProcess()...)
}

// aboutTheProcess are the questions whose answers cannot be the same in two processes.
func aboutTheProcess() []request {
	return []request{
		{path: "/api/v1/metadata"},
		{path: "/api/v1/metadata", form: form("metric", "target_info", "limit", "1")},
		{path: "/api/v1/metadata", form: form("limit", "none")},
		{path: "/api/v1/rules"},
		{path: "/api/v1/rules", form: form("type", "alert")},
		{path: "/api/v1/rules", form: form("type", "nonsense")},
		{path: "/api/v1/rules", form: form("group_limit", "1", "group_next_token", "no such token")},
		{path: "/api/v1/alerts"},
		{path: "/api/v1/alertmanagers"},
		{path: "/api/v1/targets"},
		{path: "/api/v1/targets", form: form("state", "active")},
		{path: "/api/v1/targets", form: form("state", "dropped", "scrapePool", "none")},
		{path: "/api/v1/targets/metadata"},
		{path: "/api/v1/targets/relabel_steps", form: form("scrapePool", "none", "labels", "{}")},
		{path: "/api/v1/scrape_pools"},
		{path: "/api/v1/notifications"},
		{path: "/api/v1/features", like: shaped},
		{path: "/api/v1/status/config", like: shaped},
		{path: "/api/v1/status/runtimeinfo", like: shaped},
		{path: "/api/v1/status/buildinfo", like: shaped},
		{path: "/api/v1/status/flags", like: shaped},
		{path: "/api/v1/status/walreplay"},
		{path: "/api/v1/status/tsdb", like: shaped},
		{path: "/api/v1/status/tsdb", form: form("limit", "0")},
		{path: "/api/v1/status/tsdb", form: form("limit", "3"), like: shaped},
		{path: "/api/v1/status/tsdb/blocks"},
		{path: "/api/v1/status/self_metrics", like: status},
		{path: "/api/v1/openapi.yaml", like: status},
		{path: "/api/v1/search/metric_names", form: form("query", "gauge")},
		{path: "/api/v1/no/such/route", methods: getAndPost},
		{path: "/api/v1/admin/tsdb/snapshot", methods: []string{http.MethodPost}},
		{path: "/api/v1/admin/tsdb/delete_series", form: form("match[]", "up"), methods: getAndPost},
		{path: "/api/v1/admin/tsdb/clean_tombstones", methods: []string{http.MethodPost}},
		{path: "/api/v1/read", methods: []string{http.MethodPost}},
		{path: "/api/v1/write", methods: []string{http.MethodPost}},
		{path: "/api/v1/otlp/v1/metrics", methods: []string{http.MethodPost}},
		{path: "/federate", form: form("match[]", `{job="peers/shop"}`)},
		{path: "/federate", form: form("match[]", `{__name__=~"latency.+"}`)},
		{path: "/federate", form: form("match[]", "{")},
		{path: "/federate"},
		{path: "/metrics", like: status},
		{path: "/-/healthy", like: status},
		{path: "/-/ready", like: status},
		{path: "/-/reload", methods: getAndPost, like: status},
		{path: "/-/quit", methods: getAndPost, like: status},
		{path: "/version", like: status},
		{path: "/debug/pprof/cmdline", like: status},
	}
}

func surfacePaths() []string {
	var paths []string
	for _, r := range surface(time.Time{}) {
		paths = append(paths, r.path)
	}
	return paths
}

// shape replaces each value in the JSON of an answer by its kind.
func shape(t *testing.T, a promserver.Answer) promserver.Answer {
	t.Helper()
	if a.Status == http.StatusOK {
		a.Body = marshal(t, kinds(a.JSON(t)))
	}
	return a
}

func kinds(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			out[key] = kinds(value)
		}
		return out
	case []any:
		if len(v) == 0 {
			return v
		}
		return []any{kinds(v[0])}
	default:
		return fmt.Sprintf("%T", v)
	}
}
