package peers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/tailgate-otel/tailgate/dashboards/check"
	"github.com/tailgate-otel/tailgate/internal/testkit/promserver"
	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/upstream"
)

// TestDashboardQueries sends every metric of the contract to both sides over OTLP, executes every query of the shipped
// dashboards on ours as Grafana would, and demands that the stock server gives the same answer to each request.
func TestDashboardQueries(t *testing.T) {
	end := time.Now().Truncate(time.Second)
	ours, stock := contractOnBothSides(t, end)
	dashboards, findings, err := check.Load(os.DirFS(filepath.Join(repo, "dashboards", "dist")))
	if err != nil || len(findings) > 0 {
		t.Fatal(err, findings)
	}
	recorder := record(t, ours)
	api, err := check.NewAPI(recorder.url)
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	report, err := check.Execute(t.Context(), api, dashboards, check.Options{Now: end})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range report.Empty {
		t.Errorf("%s: %s: %s", e.Dashboard, e.Panel, e.Reason)
	}
	if report.Queries < 80 || report.PanelsWithData < 60 {
		t.Errorf("only %d queries and %d panels", report.Queries, report.PanelsWithData)
	}
	for _, r := range recorder.requests {
		sameAnswer(t, r.path, r.form.Encode(), ours.Post(t, r.path, r.form), stock.Post(t, r.path, r.form), nil)
	}
	t.Logf("%d panels, %d queries, %d requests", report.Panels, report.Queries, len(recorder.requests))
}

// contractOnBothSides starts a store with the shipped rules and a stock server with their files, and fills both.
func contractOnBothSides(t *testing.T, end time.Time) (ours, stock promserver.API) {
	t.Helper()
	s, ours := store(t, "contract", t.TempDir(), nil, section{"rules": section{"builtin": true}})
	c := start(t, "", s)
	files := shippedRules(t)
	server := promserver.Start(t, promserver.Settings{
		Flags: stockFlags, Config: "rule_files: " + string(marshal(t, files)) + "\nstorage: {tsdb: {out_of_order_time_window: 10m}}\n",
	})
	for round := range 12 {
		md := contract(round+1, end.Add(time.Duration(round-11)*telemetry.ExportInterval))
		mustExport(t, c.otlp, otlpPath, md)
		mustExport(t, server.API, stockOTLPPath, md)
	}
	return ours, server.API
}

// shippedRules are the generated rule files.
func shippedRules(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(repo, "dashboards", "dist", "rules", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("find the rules: %v, %d files", err, len(files))
	}
	for i, file := range files {
		if files[i], err = filepath.Abs(file); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// TestShippedRules holds that ours has the rules of the shipped files built in, that a stock server and promtool take the
// files, and that each expression gives the same on both sides.
func TestShippedRules(t *testing.T) {
	end := time.Now().Truncate(time.Second)
	ours, stock := contractOnBothSides(t, end)
	a, b := ruleTexts(t, ours), ruleTexts(t, stock)
	if len(b) < 20 {
		t.Fatalf("the stock server has only the rules %v", b)
	}
	for _, rule := range missing(b, a) {
		t.Errorf("only stock has the rule %s", rule)
	}
	for _, rule := range missing(a, b) {
		t.Errorf("only ours has the rule %s", rule)
	}
	answered := 0
	for _, rule := range b {
		query := url.Values{"query": {rule[strings.LastIndex(rule, "\n")+1:]}, "time": {promserver.Seconds(end)}}
		answer := stock.Post(t, "/api/v1/query", query)
		sameAnswer(t, "/api/v1/query", rule, ours.Post(t, "/api/v1/query", query), answer, nil)
		if strings.Contains(string(answer.Body), `"metric"`) {
			answered++
		}
	}
	promtool(t, t.TempDir(), append([]string{"check", "rules", "--lint-fatal"}, shippedRules(t)...), []string{"SUCCESS"})
	t.Logf("%d rules, %d with an answer", len(b), answered)
}

// ruleTexts are group, kind, name and labels of each rule, and on the last line its expression.
func ruleTexts(t *testing.T, api promserver.API) []string {
	t.Helper()
	var decoded struct {
		Data struct {
			Groups []struct {
				Name  string
				Rules []struct {
					Type, Name, Query string
					Labels            map[string]string
				}
			}
		}
	}
	answer := api.Get(t, "/api/v1/rules", nil)
	if err := json.Unmarshal(answer.Body, &decoded); err != nil || answer.Status != http.StatusOK {
		t.Fatalf("rules: status %d, %v", answer.Status, err)
	}
	var out []string
	for _, g := range decoded.Data.Groups {
		for _, r := range g.Rules {
			out = append(out, fmt.Sprintf("%s %s %s %v\n%s", g.Name, r.Type, r.Name, r.Labels, r.Query))
		}
	}
	return out
}

// recorder passes requests on and keeps those that are queries.
type recorder struct {
	url      string
	mu       sync.Mutex // guards requests
	requests []recorded
}

type recorded struct {
	path string
	form url.Values
}

func record(t *testing.T, to promserver.API) *recorder {
	t.Helper()
	target, err := url.Parse(string(to))
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{}
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body := &strings.Builder{}
		req.Body = readThrough(req.Body, body)
		proxy.ServeHTTP(w, req)
		form, err := url.ParseQuery(body.String())
		if err != nil || !strings.Contains(req.URL.Path, "query") {
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.requests = append(r.requests, recorded{req.URL.Path, form})
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// contract is one export of every metric of the contract, with a few combinations of the values that it allows.
func contract(round int, at time.Time) pmetric.Metrics {
	md := pmetric.NewMetrics()
	all := slices.Concat(telemetry.Gateway(), telemetry.Store(), telemetry.Sampling(), upstream.All())
	for _, service := range []string{telemetry.ServiceCollector, telemetry.ServiceGateway} {
		rm := md.ResourceMetrics().AppendEmpty()
		rm.Resource().Attributes().PutStr("service.name", service)
		rm.Resource().Attributes().PutStr("service.instance.id", service+"-1")
		metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
		for _, m := range all {
			ofGateway := m.Source == telemetry.ServiceGateway || strings.HasPrefix(m.Name, "go.")
			if ofGateway == (service == telemetry.ServiceGateway) {
				fill(metrics.AppendEmpty(), m, round, pcommon.NewTimestampFromTime(at))
			}
		}
	}
	return md
}

func fill(to pmetric.Metric, m telemetry.Metric, round int, at pcommon.Timestamp) {
	to.SetName(m.Name)
	to.SetUnit(m.Unit)
	to.SetDescription(m.Description)
	number := func(points pmetric.NumberDataPointSlice, value int) func(pcommon.Map) {
		return func(attrs pcommon.Map) {
			p := points.AppendEmpty()
			p.SetTimestamp(at)
			p.SetIntValue(int64(value))
			attrs.CopyTo(p.Attributes())
		}
	}
	add := number(pmetric.NewNumberDataPointSlice(), 0)
	switch m.Kind {
	case telemetry.Counter, telemetry.UpDownCounter:
		sum := to.SetEmptySum()
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		sum.SetIsMonotonic(m.Kind == telemetry.Counter)
		add = number(sum.DataPoints(), 10*round)
	case telemetry.Gauge:
		add = number(to.SetEmptyGauge().DataPoints(), round)
	case telemetry.Histogram:
		h := to.SetEmptyHistogram()
		h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		add = func(attrs pcommon.Map) {
			p := h.DataPoints().AppendEmpty()
			p.SetTimestamp(at)
			p.ExplicitBounds().FromRaw([]float64{1, 10})
			n := uint64(10 * round)
			p.BucketCounts().FromRaw([]uint64{n, n, n})
			p.SetCount(3 * n)
			p.SetSum(float64(12 * n))
			attrs.CopyTo(p.Attributes())
		}
	case telemetry.NativeHistogram:
		h := to.SetEmptyExponentialHistogram()
		h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		add = func(attrs pcommon.Map) {
			p := h.DataPoints().AppendEmpty()
			p.SetTimestamp(at)
			n := uint64(10 * round)
			p.SetScale(1)
			p.Positive().SetOffset(-3)
			p.Positive().BucketCounts().FromRaw([]uint64{n, 2 * n, n, n})
			p.SetCount(5 * n)
			p.SetSum(float64(4 * n))
			attrs.CopyTo(p.Attributes())
		}
	}
	each(m.Attributes, pcommon.NewMap(), add)
}

// each calls do with every combination of a few values of the attributes.
func each(attributes []telemetry.Attribute, set pcommon.Map, do func(pcommon.Map)) {
	if len(attributes) == 0 {
		do(set)
		return
	}
	a := attributes[0]
	for _, value := range values(a) {
		set.PutStr(a.Key, value)
		each(attributes[1:], set, do)
	}
}

// values are those that dashboards ask for by name, and else one or two.
func values(a telemetry.Attribute) []string {
	switch {
	case a.Key == "policy":
		return []string{"errors", "rest"}
	case len(a.Values) > 6:
		return []string{a.Values[0], a.Values[len(a.Values)-1]}
	case len(a.Values) > 0:
		return a.Values
	case a.Max == 599:
		return []string{"200", "404", "503"}
	case a.Max != 0:
		return []string{"1"}
	}
	return []string{a.Key + "-1"}
}
