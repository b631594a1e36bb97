package check_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/tailgate-otel/tailgate/dashboards/check"
	"github.com/tailgate-otel/tailgate/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func execute(t *testing.T, url string, dashboards []check.Dashboard, opts check.Options) (check.Report, error) {
	t.Helper()
	api, err := check.NewAPI(url)
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	return check.Execute(context.Background(), api, dashboards, opts)
}

// filled is when the synthetic data ends: two minutes of it.
var filled = time.UnixMilli(1_800_000_000_000)

func fill(t *testing.T, p *prometheus, metrics []telemetry.Metric) {
	t.Helper()
	p.write(synthetic(metrics), filled.Add(-2*time.Minute), filled, telemetry.ExportInterval)
}

// TestShippedDashboardsOnTheContract executes all shipped dashboards, with Prometheus' own engine, on series made of
// nothing but the contract. The engine may not warn about any query.
func TestShippedDashboardsOnTheContract(t *testing.T) {
	p := startPrometheus(t)
	fill(t, p, wholeContract())
	dashboards := shipped(t)
	run := func(t *testing.T, hidden ...string) check.Report {
		t.Helper()
		p.hide(metricsNamed(t, hidden...)...)
		report, err := execute(t, p.URL, dashboards, check.Options{Now: filled})
		if err != nil {
			t.Fatal(err)
		}
		if report.PanelsWithData+len(report.Empty) != report.Panels || report.Panels < 60 || report.Queries < 80 {
			t.Errorf("%d queries, %d + %d panels of %d", report.Queries, report.PanelsWithData, len(report.Empty), report.Panels)
		}
		return report
	}
	allFull := func(t *testing.T, report check.Report) {
		t.Helper()
		for _, e := range report.Empty {
			t.Errorf("%s: %s: %s", e.Dashboard, e.Panel, e.Reason)
		}
	}
	t.Run("every panel has data", func(t *testing.T) {
		report := run(t)
		allFull(t, report)
		t.Logf("%d queries, %d of %d panels", report.Queries, report.PanelsWithData, report.Panels)
	})
	// What a system without faults never records: zeros must stand in for it.
	t.Run("a healthy system has no empty panels", func(t *testing.T) {
		allFull(t, run(t, "gateway.requests.rejected", "gateway.config.reloads", "otelcol_exporter_send_failed_spans",
			"otelcol_exporter_send_failed_metric_points", "otelcol_exporter_send_failed_log_records",
			"otelcol_exporter_prometheusstore_samples_refused", "otelcol_exporter_queue_size", "otelcol_exporter_queue_capacity",
			"otelcol_processor_tail_sampling_spans_failed", "otelcol_processor_tail_sampling_spans_recovered",
			"otelcol_processor_tail_sampling_spans_rescued",
			"otelcol_processor_tail_sampling_delivery_retries", "otelcol_processor_tail_sampling_damaged_segments",
			"otelcol_processor_tail_sampling_decisions_remembered",
			"otelcol_processor_tail_sampling_sampling_policy_evaluation_error",
			"otelcol_processor_tail_sampling_sampling_late_span_age", "otelcol_processor_tail_sampling_traces_dropped_too_large"))
	})
	// And a zero may never hide a program that is gone.
	for metric, panels := range map[string][]string{
		"http.client.request.duration":                              {"Attempts by upstream", "p99 by upstream"},
		"gateway.routes":                                            {"Routes"},
		"otelcol_process_memory_rss":                                {"Resident memory"},
		"traces.span.metrics.duration":                              {"p95 by service", "Operations"},
		"otelcol_receiver_accepted_spans":                           {"Spans in"},
		"go.goroutine.count":                                        {"Goroutines"},
		"otelcol_processor_tail_sampling_buffer_limit":              {"Buffer fill"},
		"otelcol_processor_tail_sampling_sampling_traces_on_memory": {"Traces open", "Open traces"},
	} {
		t.Run("without "+metric, func(t *testing.T) {
			report := run(t, metric)
			for _, want := range panels {
				if !slices.ContainsFunc(report.Empty, func(e check.Empty) bool { return e.Panel == want }) {
					t.Errorf("panel %q is not named; named are %+v", want, report.Empty)
				}
			}
		})
	}
}

// metricsNamed finds metrics of the contract; a name that it does not have would make a test blind.
func metricsNamed(t *testing.T, names ...string) []telemetry.Metric {
	t.Helper()
	var out []telemetry.Metric
	for _, name := range names {
		i := slices.IndexFunc(wholeContract(), func(m telemetry.Metric) bool { return m.Name == name })
		if i < 0 {
			t.Fatalf("metric %s is not in the contract", name)
		}
		out = append(out, wholeContract()[i])
	}
	return out
}

// TestReasons holds that a person learns why a panel is empty: from the server's own words, or from what is absent.
func TestReasons(t *testing.T) {
	p := startPrometheus(t)
	fill(t, p, shop())
	for name, c := range map[string]struct{ old, new, panel, want string }{
		"server says no":      {minStock, `min(shop_stock_ratio{job=~\"$job\"}) + on(x) group_left(y) bogus(`, "In stock", "failed: prometheus says:"},
		"no series":           {minStock, `min(shop_stock_ratio{job=\"other\"})`, "In stock", "query A returned no series"},
		"no numbers":          {minStock, `min(shop_stock_ratio{job=~\"$job\"}) * NaN`, "In stock", "not one number"},
		"variable has no job": {"label_values(shop_stock_ratio, job)", "label_values(shop_closed_ratio, job)", "In stock", "variable job has no values, as there is no series shop_closed_ratio"},
	} {
		dashboards, _, err := check.Load(fstest.MapFS{"stock.json": goodFiles(t, stockFile, c.old, c.new)[stockFile]})
		if err != nil {
			t.Fatal(err)
		}
		report, err := execute(t, p.URL, dashboards, check.Options{Now: filled})
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Empty) != 1 || report.Empty[0].Panel != c.panel || !strings.Contains(report.Empty[0].Reason, c.want) {
			t.Errorf("%s: got %+v, want panel %q and a word about %q", name, report.Empty, c.panel, c.want)
		}
	}
}

// TestWaitEndsWithTheFirstData lets data appear while Execute waits: after the first whole try came back empty.
func TestWaitEndsWithTheFirstData(t *testing.T) {
	p := startPrometheus(t)
	target, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	backend := httputil.NewSingleHostReverseProxy(target)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	backend.Transport = transport
	var tries atomic.Int32
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/values") && tries.Add(1) == 2 {
			fill(t, p, shop())
		}
		backend.ServeHTTP(w, r)
	}))
	defer front.Close()
	dashboards, _, err := check.Load(fstest.MapFS{"stock.json": goodFiles(t, "", "", "")[stockFile]})
	if err != nil {
		t.Fatal(err)
	}
	report, err := execute(t, front.URL, dashboards, check.Options{Now: filled, Wait: time.Minute, Retry: time.Millisecond})
	if err != nil || report.PanelsWithData != 1 || tries.Load() != 2 {
		t.Errorf("after %d tries: %+v, %v", tries.Load(), report, err)
	}
}

func TestWaitIsBounded(t *testing.T) {
	p := startPrometheus(t)
	dashboards := shipped(t)
	report, err := execute(t, p.URL, dashboards, check.Options{Now: filled, Wait: 20 * time.Millisecond, Retry: time.Millisecond})
	if err != nil || report.PanelsWithData != 0 || len(report.Empty) != report.Panels {
		t.Errorf("an empty server: %d of %d panels have data, %d are named, %v", report.PanelsWithData, report.Panels, len(report.Empty), err)
	}
}

func TestUnreachableServers(t *testing.T) {
	notFound := httptest.NewServer(http.NotFoundHandler())
	defer notFound.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for name, c := range map[string]struct{ url, want string }{
		"nothing listens": {closed.URL, "no answer from Prometheus at " + closed.URL},
		"something else":  {notFound.URL, "HTTP 404 is not an answer of the query API"},
	} {
		if _, err := execute(t, c.url, shipped(t), check.Options{Now: filled}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want a word about %q", name, err, c.want)
		}
	}
	for _, url := range []string{"localhost:9090", "ftp://x", "://"} {
		if _, err := check.NewAPI(url); err == nil || !strings.Contains(err.Error(), "http://host:port") {
			t.Errorf("URL %q: %v", url, err)
		}
	}
}

func TestCancelEndsTheWait(t *testing.T) {
	p := startPrometheus(t)
	api, err := check.NewAPI(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := check.Execute(ctx, api, shipped(t), check.Options{Now: filled, Wait: time.Hour, Retry: time.Minute}); err == nil {
		t.Error("a cancelled wait returned no error")
	}
}
