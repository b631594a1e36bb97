package refinery

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Names of Refinery's counters and gauges.
const (
	received    = "span_received"      // spans that the workers took
	waiting     = "spans_waiting"      // of them those not yet in a trace
	opened      = "trace_accepted"     // traces
	keptTraces  = "trace_send_kept"    //
	dropped     = "trace_send_dropped" //
	sentSpans   = "libhoney_upstream_messages_sent"
	unsentSpans = "libhoney_upstream_queued_items"
)

// losses are the counters that tell of a span lost, or of a trace decided in another way than by its rules after its root:
// in a run that counts they stay at zero.
func losses() []string {
	return []string{
		"incoming_router_dropped",    // queue of a worker full
		"incoming_router_nonspan",    // no trace id found
		"incoming_router_peer",       // sent to another Refinery
		"dropped_from_stress",        // stress relief
		"kept_from_stress",           //
		"trace_send_ejected_full",    // decided early
		"trace_send_ejected_memsize", //
		"trace_send_expired",         // decided without a root
		"trace_send_span_limit",      // decided early
		"trace_sent_cache_hit",       // came after the decision
		"libhoney_upstream_enqueue_errors",
		"libhoney_upstream_send_errors",
		"libhoney_upstream_send_retries",
		"libhoney_upstream_response_errors",
		"libhoney_upstream_response_decode_errors",
	}
}

// metrics are those counters and gauges that are relied upon, by name; none has labels.
type metrics map[string]float64

// readMetrics reads the Prometheus text format.
func readMetrics(r io.Reader) (metrics, error) {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return nil, fmt.Errorf("parse the metrics of Refinery: %w", err)
	}
	m, wanted := metrics{}, names()
	for name, family := range families {
		if !slices.Contains(wanted, name) {
			continue
		}
		for _, sample := range family.GetMetric() {
			switch {
			case sample.Counter != nil:
				m[name] = sample.GetCounter().GetValue()
			case sample.Gauge != nil:
				m[name] = sample.GetGauge().GetValue()
			}
		}
	}
	return m, m.complete()
}

// complete says which of the metrics that are relied upon are missing: their names are no promise of Refinery's.
func (m metrics) complete() error {
	var errs []error
	for _, name := range names() {
		if _, ok := m[name]; !ok {
			errs = append(errs, fmt.Errorf("this Refinery has no metric %s; the benchmark knows those of 3.2", name))
		}
	}
	return errors.Join(errs...)
}

// names lists the metrics that are relied upon.
func names() []string {
	return append(losses(), received, waiting, opened, keptTraces, dropped, sentSpans, unsentSpans)
}

// settled says whether everything that was sent is decided and what was kept has left.
func (m metrics) settled(spans int) bool {
	return m[received] >= float64(spans) && m[waiting] == 0 && m[opened] == m[keptTraces]+m[dropped] && m[unsentSpans] == 0
}

// lost lists what went another way than it should.
func (m metrics) lost(spans int) error {
	var errs []error
	if got := m[received]; got != float64(spans) {
		errs = append(errs, fmt.Errorf("refinery received %.0f spans of %d", got, spans))
	}
	for _, name := range losses() {
		if v := m[name]; v != 0 {
			errs = append(errs, fmt.Errorf("%s is %.0f, want 0", name, v))
		}
	}
	return errors.Join(errs...)
}
