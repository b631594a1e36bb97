package telemetry

import (
	"errors"
	"fmt"
	"strings"
)

// Kind is the instrument kind of a metric.
type Kind string

// The kinds of the OpenTelemetry metrics data model that the contract uses.
const (
	Counter       Kind = "counter"       // monotonic, cumulative sum
	UpDownCounter Kind = "updowncounter" // non-monotonic sum
	Gauge         Kind = "gauge"
	Histogram     Kind = "histogram" // explicit buckets: series _bucket, _sum, _count
	// NativeHistogram is an exponential histogram: one series that PromQL's histogram_* functions read.
	NativeHistogram Kind = "native_histogram"
)

// IsHistogram says whether the kind is one of the two histogram kinds.
func (k Kind) IsHistogram() bool { return k == Histogram || k == NativeHistogram }

// Stability says how far a name can be relied upon. The values are those of OpenTelemetry's semantic conventions.
type Stability string

// Stability levels. Alerts use Stable metrics only.
const (
	Stable      Stability = "stable"
	Development Stability = "development"
)

// Metric is one metric of the contract.
type Metric struct {
	Name        string // as OpenTelemetry spells it: http.server.request.duration
	Kind        Kind
	Unit        string // UCUM: s, By, {request}
	Description string
	Attributes  []Attribute // every attribute a data point may have; others are outside the contract
	Stability   Stability
	// Source is who records it: a program of ours, or the path of the Go module that does.
	Source string
}

// Attribute is one attribute of a metric (or of a resource). Its values are bounded: by a closed list, by a range, or
// by something an operator configured, which Bound names. Never a trace id, a raw path or text of a user.
type Attribute struct {
	Key   string // as OpenTelemetry spells it: http.request.method
	Brief string
	// Values is the closed set of values, when there is one.
	Values []string
	// Min and Max bound an integer value (both inclusive), when Max is not 0.
	Min, Max int
	// Bound says in words what limits an attribute that has neither Values nor a range.
	Bound string
}

// Attribute returns the attribute of m with the given OpenTelemetry key.
func (m Metric) Attribute(key string) (Attribute, bool) {
	for _, a := range m.Attributes {
		if a.Key == key {
			return a, true
		}
	}
	return Attribute{}, false
}

// Allows reports why value is outside the attribute's bound, or nil.
func (a Attribute) Allows(value string) error {
	switch {
	case len(a.Values) > 0:
		for _, v := range a.Values {
			if v == value {
				return nil
			}
		}
		return fmt.Errorf("%s=%q: not one of %s", a.Key, value, strings.Join(a.Values, ", "))
	case a.Max != 0:
		var n int
		if _, err := fmt.Sscanf(value, "%d", &n); err != nil || n < a.Min || n > a.Max {
			return fmt.Errorf("%s=%q: not an integer from %d to %d", a.Key, value, a.Min, a.Max)
		}
	}
	return nil
}

// Validate reports everything that makes the metric unfit for the contract.
func (m Metric) Validate() error {
	var errs []error
	add := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: "+format, append([]any{m.Name}, args...)...))
	}
	if m.Name == "" || m.Description == "" || m.Source == "" {
		add("needs a name, a description and a source")
	}
	if strings.HasSuffix(m.Name, "_total") || strings.HasSuffix(m.Name, ".total") {
		add("ends in total; the translator adds the suffix")
	}
	switch m.Kind {
	case Counter, UpDownCounter, Gauge, Histogram, NativeHistogram:
	default:
		add("unknown kind %q", m.Kind)
	}
	if m.Unit == "" && m.Source == ServiceGateway {
		add("needs a unit (UCUM)")
	}
	if m.Stability != Stable && m.Stability != Development {
		add("unknown stability %q", m.Stability)
	}
	seen := map[string]bool{}
	for _, a := range m.Attributes {
		if seen[a.Key] {
			add("attribute %s stands twice", a.Key)
		}
		seen[a.Key] = true
		if len(a.Values) == 0 && a.Max == 0 && a.Bound == "" {
			add("attribute %s has no bound: give Values, Min and Max, or Bound", a.Key)
		}
		if a.Brief == "" {
			add("attribute %s has no description", a.Key)
		}
	}
	return errors.Join(errs...)
}
