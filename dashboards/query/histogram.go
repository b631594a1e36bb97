package query

import (
	"fmt"

	"github.com/tailgate-otel/tailgate/telemetry"
)

// labelLE is the label of classic buckets. Grouping keeps it until a histogram function has read it.
const labelLE = "le"

// Histogram is the growth of a histogram within the window. Its methods write the functions that its kind demands.
type Histogram struct {
	scope Scope
	m     telemetry.Metric
	where []Where
	err   error
}

// Histogram reads a histogram of either kind.
func (s Scope) Histogram(m telemetry.Metric, where ...Where) Histogram {
	h := Histogram{scope: s, m: m, where: where}
	if !m.Kind.IsHistogram() {
		h.err = fmt.Errorf("metric %s is a %s: not a histogram", m.Name, m.Kind)
	}
	return h
}

func (h Histogram) native() bool { return h.m.Kind == telemetry.NativeHistogram }

// buckets is the distribution: rate of the native histogram, or of the _bucket series, summed by the attributes.
func (h Histogram) buckets(keys []string) Expr {
	if h.native() {
		return h.rate("", nil).SumBy(keys...)
	}
	return h.rate("_bucket", []string{labelLE}).SumBy(append([]string{labelLE}, keys...)...)
}

func (h Histogram) rate(suffix string, extra []string) Expr {
	if h.err != nil {
		return failed(h.err)
	}
	selector, err := h.scope.selector(h.m, h.scope.naming.Metric(h.m)+suffix, h.where)
	if err != nil {
		return failed(err)
	}
	return Expr{text: "rate(" + selector + "[" + Window + "])", bind: bindAtom,
		labels: append(h.scope.labels(h.m), extra...), naming: h.scope.naming.Label}
}

// Quantile is the value below which the share q of the observations lies, per group of attributes.
func (h Histogram) Quantile(q float64, by ...string) Expr {
	return h.function(fmt.Sprintf("histogram_quantile(%s, ", number(q)), by)
}

// Fraction is the share of observations between two values, per group of attributes.
func (h Histogram) Fraction(lower, upper float64, by ...string) Expr {
	return h.function(fmt.Sprintf("histogram_fraction(%s, %s, ", number(lower), number(upper)), by)
}

func (h Histogram) function(head string, by []string) Expr {
	e := h.buckets(by)
	if e.err != nil {
		return e
	}
	e.text = head + e.text + ")"
	if !h.native() {
		e.labels = e.labels[1:] // le stands first
	}
	return e
}

// Count is how many observations there are per second. Sum or group it.
func (h Histogram) Count() Expr { return h.component("histogram_count", "_count") }

// Total is the sum of the observed values per second: bytes per second of a histogram of sizes. Sum or group it.
func (h Histogram) Total() Expr { return h.component("histogram_sum", "_sum") }

// component reads count or sum. For native histograms the function stands directly at the rate, where the engine sees
// that it need not decode the buckets.
func (h Histogram) component(function, suffix string) Expr {
	if !h.native() {
		return h.rate(suffix, nil)
	}
	e := h.rate("", nil)
	if e.err == nil {
		e.text = function + "(" + e.text + ")"
	}
	return e
}

// Mean is the average of the observations, per group of attributes.
func (h Histogram) Mean(by ...string) Expr {
	return h.Total().SumBy(by...).Over(h.Count().SumBy(by...))
}

// Heatmap is the distribution itself, for a heatmap panel.
func (h Histogram) Heatmap() Expr { return h.buckets(nil) }
