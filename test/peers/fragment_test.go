package peers

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/internal/testkit/promserver"
)

// exposition is what the scraped target says.
const exposition = `# HELP jobs_done Jobs that ended.
# TYPE jobs_done counter
# UNIT jobs_done 
jobs_done_total{queue="fast"} 42 # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"} 1
jobs_done_total{queue="slow"} 7
# HELP job_seconds How long they took.
# TYPE job_seconds histogram
# UNIT job_seconds seconds
job_seconds_bucket{le="1.0"} 3
job_seconds_bucket{le="+Inf"} 5
job_seconds_sum 12.5
job_seconds_count 5
# TYPE dropped gauge
dropped 1
# EOF
`

const ruleFile = `
groups:
  - name: jobs
    labels: {team: shop}
    rules:
      - record: queue:jobs:sum
        expr: sum by (queue) (jobs_done_total)
      - alert: ManyJobs
        expr: queue:jobs:sum > 10
        labels: {severity: page}
        annotations: {summary: "{{ $labels.queue }} has {{ $value }}"}
      - alert: Silent
        expr: jobs_done_total < 0
  - name: empty selections
    rules:
      - record: nothing
        expr: absent_metric > 1
`

// TestFragmentOfPrometheusYML gives both sides the same global, scrape_configs and rule_files, and demands the same series,
// targets, rules and alerts, and what promtool says of the files.
func TestFragmentOfPrometheusYML(t *testing.T) {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
		fmt.Fprint(w, exposition)
	}))
	t.Cleanup(target.Close)
	dir := t.TempDir()
	rules := filepath.Join(dir, "rules.yaml")
	if err := os.WriteFile(rules, []byte(ruleFile), 0o600); err != nil {
		t.Fatal(err)
	}
	fragment := fragment(strings.TrimPrefix(target.URL, "http://"), rules)
	config := unflow(t, fragment)
	stock := promserver.Start(t, promserver.Settings{Config: config, Flags: []string{"--enable-feature=exemplar-storage"}})
	s, ours := store(t, "fragment", t.TempDir(), nil, fragment)
	start(t, "", s)
	for _, api := range []promserver.API{ours, stock.API} {
		promserver.Eventually(t, settleTime, func() error { return scrapedAndRuled(t, api) })
	}
	t.Run("series", func(t *testing.T) { sameSeries(t, ours, stock.API) })
	t.Run("values", func(t *testing.T) { sameValues(t, ours, stock.API) })
	for _, r := range configured() {
		t.Run(r.path+" "+r.form.Encode(), func(t *testing.T) {
			a, b := ask(t, ours, http.MethodGet, r), ask(t, stock.API, http.MethodGet, r)
			if r.like == shaped {
				a, b = shape(t, a), shape(t, b)
			}
			sameAnswer(t, r.path, r.form.Encode(), a, b, nil)
		})
	}
	t.Run("promtool", func(t *testing.T) {
		file := filepath.Join(dir, "prometheus.yml")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		promtool(t, dir, []string{"check", "config", "--lint-fatal", file}, []string{"SUCCESS", "4 rules found"})
		promtool(t, dir, []string{"check", "rules", "--lint-fatal", rules}, []string{"SUCCESS: 4 rules found"})
	})
}

// fragment is a part of a prometheus.yml that stands as it is under our extension, too.
func fragment(target, rules string) section {
	return section{
		"global": section{"scrape_interval": "1s", "evaluation_interval": "1s", "external_labels": section{"site": "peers"}},
		"scrape_configs": []section{
			{
				"job_name":               "jobs",
				"static_configs":         []section{{"targets": []string{target}, "labels": section{"zone": "a"}}},
				"relabel_configs":        []section{{"source_labels": []string{"zone"}, "target_label": "zone_of_target"}},
				"metric_relabel_configs": []section{{"source_labels": []string{"__name__"}, "regex": "dropped", "action": "drop"}},
			},
			{"job_name": "nobody", "static_configs": []section{{"targets": []string{"127.0.0.1:1"}}}},
			{
				"job_name": "left_out", "static_configs": []section{{"targets": []string{target}}},
				"relabel_configs": []section{{"action": "drop", "source_labels": []string{"job"}, "regex": ".*"}},
			},
		},
		"rule_files": []string{rules},
	}
}

// scrapedAndRuled waits for what takes longest: an alert on a recorded series.
func scrapedAndRuled(t *testing.T, api promserver.API) error {
	for _, query := range []string{`ALERTS{alertname="ManyJobs"}`, `up{job="nobody"}`, `scrape_duration_seconds{job="jobs"}`} {
		if len(api.Query(t, query, time.Now())) == 0 {
			return fmt.Errorf("%s has no %s yet", api, query)
		}
	}
	return nil
}

// sameSeries compares the names and labels of all series: their values and times are the scrapes' own.
func sameSeries(t *testing.T, ours, stock promserver.API) {
	t.Helper()
	now := time.Now()
	names := func(api promserver.API) []string {
		return slices.Sorted(maps.Keys(api.Read(t, now.Add(-time.Minute), now)))
	}
	a, b := names(ours), names(stock)
	if len(b) < 15 {
		t.Fatalf("the stock server has only %v", b)
	}
	for _, name := range missing(b, a) {
		t.Errorf("only stock has %s", name)
	}
	for _, name := range missing(a, b) {
		t.Errorf("only ours has %s", name)
	}
}

// sameValues compares what does not depend on when it was scraped.
func sameValues(t *testing.T, ours, stock promserver.API) {
	t.Helper()
	for _, query := range []string{
		`{job="jobs",__name__!~"scrape_(duration|series).+"}`, `max_over_time(scrape_series_added[1m])`, "up", "sum(queue:jobs:sum)", "ALERTS", `sort(label_replace(ALERTS_FOR_STATE, "x", "y", "", "")) > bool 0`,
	} {
		a, b := ours.Query(t, query, time.Now()), stock.Query(t, query, time.Now())
		if len(b) == 0 || !sameSamplesInAnyOrder(a, b) {
			t.Errorf("%s:\nours  %v\nstock %v", query, a, b)
		}
	}
	for _, api := range []promserver.API{ours, stock} {
		if n := exemplars(t, api, time.Now()).Samples(); n == 0 {
			t.Errorf("%s has no exemplar of what it scraped", api)
		}
	}
}

func sameSamplesInAnyOrder(a, b []promserver.Sample) bool {
	text := func(list []promserver.Sample) []string {
		var out []string
		for _, s := range list {
			out = append(out, fmt.Sprint(s))
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(text(a), text(b))
}

// configured are the questions about targets, rules and alerts.
func configured() []request {
	return []request{
		{path: "/api/v1/scrape_pools"},
		{path: "/api/v1/targets", like: shaped},
		{path: "/api/v1/targets", form: form("state", "active", "scrapePool", "jobs"), like: shaped},
		{path: "/api/v1/targets", form: form("state", "dropped"), like: shaped},
		{path: "/api/v1/targets/metadata", form: form("match_target", `{job="jobs"}`, "metric", "job_seconds")},
		{path: "/api/v1/targets/relabel_steps", form: form("scrapePool", "jobs", "labels", `{"__address__":"x","zone":"b"}`)},
		{path: "/api/v1/metadata", form: form("metric", "jobs_done")},
		{path: "/api/v1/metadata", form: form("metric", "job_seconds")},
		{path: "/api/v1/rules", like: shaped},
		{path: "/api/v1/rules", form: form("type", "alert", "exclude_alerts", "true"), like: shaped},
		{path: "/api/v1/rules", form: form("rule_name[]", "Silent"), like: shaped},
		{path: "/api/v1/rules", form: form("group_limit", "1"), like: shaped},
		{path: "/api/v1/alerts", like: shaped},
		{path: "/api/v1/query", form: form("query", `queue:jobs:sum`), like: shaped},
	}
}
