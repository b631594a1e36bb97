package refinery

import (
	"fmt"
	"strings"
	"testing"
)

// exposition is what a Refinery that has taken a thousand spans shows, with some metrics that are not looked at.
func exposition(changed map[string]float64) string {
	values := map[string]float64{received: 1000, opened: 72, keptTraces: 4, dropped: 68, sentSpans: 55}
	for name, v := range changed {
		values[name] = v
	}
	var sb strings.Builder
	sb.WriteString("# TYPE trace_span_count histogram\ntrace_span_count_bucket{le=\"+Inf\"} 72\ntrace_span_count_sum 1000\ntrace_span_count_count 72\n")
	for _, name := range names() {
		kind := "counter"
		if name == waiting || name == unsentSpans {
			kind = "gauge"
		}
		if v := values[name]; v >= 0 {
			fmt.Fprintf(&sb, "# HELP %s said so\n# TYPE %s %s\n%s %g\n", name, name, kind, name, v)
		}
	}
	return sb.String()
}

func TestMetricsSayWhenEverythingIsDecidedAndSent(t *testing.T) {
	for name, tc := range map[string]struct {
		changed map[string]float64
		settled bool
	}{
		"all done":                  {nil, true},
		"a span has not come":       {map[string]float64{received: 999}, false},
		"a span waits for a worker": {map[string]float64{waiting: 1}, false},
		"a trace is open":           {map[string]float64{opened: 73}, false},
		"a span waits to be sent":   {map[string]float64{unsentSpans: 1}, false},
	} {
		m, err := readMetrics(strings.NewReader(exposition(tc.changed)))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.settled(1000); got != tc.settled {
			t.Errorf("%s: settled is %v", name, got)
		}
	}
}

func TestMetricsTellOfLosses(t *testing.T) {
	m, err := readMetrics(strings.NewReader(exposition(nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.lost(1000); err != nil {
		t.Errorf("nothing was lost: %v", err)
	}
	if err := m.lost(1001); err == nil || !strings.Contains(err.Error(), "1000 spans of 1001") {
		t.Errorf("a span did not arrive: %v", err)
	}
	for _, name := range losses() {
		m, err := readMetrics(strings.NewReader(exposition(map[string]float64{name: 3})))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.lost(1000); err == nil || !strings.Contains(err.Error(), name+" is 3") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A counter that is renamed would be zero for ever, and losses would go unnoticed.
func TestMissingMetricsAreAnError(t *testing.T) {
	_, err := readMetrics(strings.NewReader(exposition(map[string]float64{"incoming_router_dropped": -1})))
	if err == nil || !strings.Contains(err.Error(), "incoming_router_dropped") {
		t.Errorf("error %v", err)
	}
	if _, err := readMetrics(strings.NewReader("<html>")); err == nil {
		t.Error("HTML was read as metrics")
	}
}
