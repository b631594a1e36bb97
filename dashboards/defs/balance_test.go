package defs_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"

	"github.com/tailgate-otel/tailgate/dashboards/defs"
	"github.com/tailgate-otel/tailgate/telemetry"
)

// panelQuery returns the query of the only target of a panel of the pipeline dashboard, with all variables at All.
func panelQuery(t *testing.T, title string) string {
	t.Helper()
	all, err := defs.All(telemetry.DefaultNaming)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all[1].Rows {
		for _, p := range r.Panels {
			if p.Title == title && len(p.Targets) == 1 {
				return strings.NewReplacer("$job", ".*", "$instance", ".*", "$__rate_interval", "20s").Replace(p.Targets[0].Expr)
			}
		}
	}
	t.Fatalf("no panel %q with one query", title)
	return ""
}

// TestBalance does the sum of spans on known series: 50 spans come in each 5 s, 5 of them are kept and 45 dropped when
// all goes well. A point stands for 5 s; the question is asked at minute 5.
func TestBalance(t *testing.T) {
	const (
		in      = `otelcol_receiver_accepted_spans_total{job="tailgate", instance="a"} `
		kept    = `otelcol_processor_tail_sampling_count_spans_sampled_total{job="tailgate", instance="a", policy="errors", decision="sampled"} `
		dropped = `otelcol_processor_tail_sampling_count_spans_sampled_total{job="tailgate", instance="a", policy="rest", decision="not_sampled"} `
		asked   = `otelcol_processor_tail_sampling_count_spans_sampled_total{job="tailgate", instance="a", policy="errors", decision="not_sampled"} `
		seen    = `otelcol_processor_tail_sampling_new_trace_id_received_total{job="tailgate", instance="a"} `
		late    = `otelcol_processor_tail_sampling_early_releases_from_cache_decision_total{job="tailgate", instance="a", sampled="true"} `
		up      = `otelcol_process_uptime_seconds_total{job="tailgate", instance="a"} `
		always  = seen + "0+5x60\n" + up + "0+5x60\n" + asked + "0+45x60\n"
	)
	for name, c := range map[string]struct {
		series                             string
		in, kept, dropped, held, unexplain float64
	}{
		"two exports behind": {always + in + "0+50x60\n" + kept + "0 0 0+5x58\n" + dropped + "0 0 0+45x58\n", 10, 1, 9, 100, 0},
		"late spans are kept": {always + in + "0+50x60\n" + kept + "0+4x60\n" + dropped + "0+45x60\n" + late + "0+1x60\n",
			10, 1, 9, 0, 0},
		"nothing decided for two minutes": {always + in + "0+50x60\n" + kept + "0+5x36 180x24\n" + dropped + "0+45x36 1620x24\n",
			10, 0, 0, 24 * 50, 12 * 50},
		// 5 of 50 spans: held climbs at once, unexplained follows once more is lost than comes in a minute.
		"a tenth is lost":   {always + in + "0+50x60\n" + kept + "0+5x60\n" + dropped + "0+40x60\n", 10, 1, 8, 300, 0},
		"half is lost":      {always + in + "0+50x60\n" + kept + "0+5x60\n" + dropped + "0+20x60\n", 10, 1, 4, 1500, 1500 - 12*50},
		"nothing kept ever": {always + in + "0+50x60\n" + dropped + "0+50x60\n", 10, 0, 10, 0, 0},
		// The old instance stopped with 300 spans in hand two minutes ago; the new one has just begun.
		"after a restart": {strings.ReplaceAll(always+in+"0+50x36 _x24\n"+kept+"0+5x36 _x24\n"+dropped+"0+40x36 _x24\n", "x60", "x36 _x24") +
			strings.ReplaceAll(always+in+"_x54 0+50x6\n"+kept+"_x54 0+5x6\n"+dropped+"_x54 0+45x6\n", `"a"`, `"b"`), 10, 1, 9, 0, 0},
	} {
		storage := promqltest.LoadedStorage(t, "load 5s\n"+strings.ReplaceAll("\n"+strings.TrimSpace(c.series), "\n", "\n  ")[1:]+"\n")
		engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, LookbackDelta: 15 * time.Second,
			Parser: parser.NewParser(parser.Options{})})
		for panel, want := range map[string]float64{"Spans in": c.in, "Kept": c.kept, "Dropped": c.dropped, "Held": c.held, "Unexplained": c.unexplain} {
			query, err := engine.NewInstantQuery(context.Background(), storage, nil, panelQuery(t, panel), time.Unix(300, 0))
			if err != nil {
				t.Fatal(err)
			}
			result, err := query.Exec(context.Background()).Vector()
			if err != nil || len(result) != 1 {
				t.Fatalf("%s: %s: %v, %v", name, panel, result, err)
			}
			if got := result[0].F; got != want {
				t.Errorf("%s: %s is %g, want %g", name, panel, got, want)
			}
			query.Close()
		}
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	}
}
