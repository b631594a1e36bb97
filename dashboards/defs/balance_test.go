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
		labels  = `{job="tailgate", instance="a"} `
		sampler = `otelcol_processor_tail_sampling_`
		open    = sampler + `sampling_traces_on_memory` + labels
		in      = sampler + `spans_received_total` + labels
		back    = sampler + `spans_recovered_total` + labels
		rescued = sampler + `spans_rescued_total` + labels
		kept    = sampler + `spans_kept_total` + labels
		failed  = sampler + `spans_failed_total` + labels
		held    = sampler + `spans_held` + labels
		dropped = sampler + `spans_dropped_total{job="tailgate", instance="a", reason="not_sampled"} `
		late    = sampler + `spans_dropped_total{job="tailgate", instance="a", reason="late"} `
		alive   = open + "20x60\n"
		decided = kept + "0+5x60\n" + dropped + "0+45x60\n"
	)
	for name, c := range map[string]struct {
		series                         string
		kept, dropped, held, unexplain float64
	}{
		"two exports behind": {alive + in + "0+50x60\n" + kept + "0 0 0+5x58\n" + dropped + "0 0 0+45x58\n" + held + "0 50 100x58\n",
			1, 9, 100, 0},
		"dropped for two reasons": {alive + in + "0+50x60\n" + kept + "0+5x60\n" + dropped + "0+40x60\n" + late + "0+5x60\n" + held + "0x60\n",
			1, 9, 0, 0},
		"nothing leaves for two minutes": {alive + in + "0+50x60\n" + kept + "0+5x36 180x24\n" + dropped + "0+45x36 1620x24\n" + held + "0x36 50+50x23\n",
			0, 0, 24 * 50, 0},
		"recovered and rescued": {alive + in + "0+40x60\n" + back + "300x60\n" + rescued + "0+10x60\n" + decided + held + "300x60\n",
			1, 9, 300, 0},
		"a destination refuses": {alive + in + "0+50x60\n" + failed + "0+5x60\n" + dropped + "0+45x60\n" + held + "0x60\n", 0, 9, 0, 0},
		"one is lost a time":    {alive + in + "0+51x60\n" + decided + held + "0x60\n", 1, 9, 0, 60},
		"one is made up a time": {alive + in + "0+49x60\n" + decided + held + "0x60\n", 1, 9, 0, 60},
		"not a span yet":        {alive, 0, 0, 0, 0},
		// Too many in one collector do not make up for too few in the other.
		"two that err": {alive + in + "0+51x60\n" + decided + held + "0x60\n" +
			strings.ReplaceAll(alive+in+"0+49x60\n"+decided+held+"0x60\n", `"a"`, `"b"`), 2, 18, 0, 120},
		// The old instance stopped with 300 spans in hand two minutes ago; the new one, with its storage, has just begun.
		"after a restart": {strings.ReplaceAll(alive+in+"0+50x60\n"+kept+"0+5x60\n"+dropped+"0+40x60\n"+held+"0+5x60\n", "x60", "x36 _x24") +
			strings.ReplaceAll(open+"_x54 20x6\n"+in+"_x54 0+50x6\n"+back+"_x54 300x6\n"+kept+"_x54 0+5x6\n"+dropped+"_x54 0+45x6\n"+held+"_x54 300x6\n", `"a"`, `"b"`),
			1, 9, 300, 0},
	} {
		storage := promqltest.LoadedStorage(t, "load 5s\n"+strings.ReplaceAll("\n"+strings.TrimSpace(c.series), "\n", "\n  ")[1:]+"\n")
		engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, LookbackDelta: 15 * time.Second,
			Parser: parser.NewParser(parser.Options{})})
		for panel, want := range map[string]float64{"Kept": c.kept, "Dropped": c.dropped, "Held": c.held, "Unexplained": c.unexplain} {
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
