package query

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tailgate-otel/tailgate/telemetry"
)

// Window is the range of every rate: four export intervals, widened by Grafana when the step is larger.
const Window = "$__rate_interval"

// Labels that Prometheus' OTLP translation gives every series, from service.name (with service.namespace) and
// service.instance.id of the resource.
const (
	LabelJob      = "job"
	LabelInstance = "instance"
)

// Scope is what all selectors of a dashboard share: how names are spelt and which variables narrow them.
type Scope struct {
	naming  telemetry.Naming
	matches []scopeMatch
}

// scopeMatch narrows a label by a dashboard variable. The label is an implicit one, or comes from an attribute.
type scopeMatch struct{ label, attr, variable string }

// NewScope returns a scope that narrows job and instance by the variables of these names.
func NewScope(n telemetry.Naming) Scope {
	return Scope{naming: n, matches: []scopeMatch{
		{label: LabelJob, variable: LabelJob}, {label: LabelInstance, variable: LabelInstance},
	}}
}

// NewAttributeScope returns a scope that narrows by an attribute of the metrics instead of job and instance: span
// metrics bear the job of the services that sent the spans.
func NewAttributeScope(n telemetry.Naming, attr, variable string) Scope {
	return Scope{naming: n, matches: []scopeMatch{{label: n.Label(attr), attr: attr, variable: variable}}}
}

// NewWholeScope returns a scope that narrows by nothing: all that the store holds. It is for span metrics beside panels
// about collectors, as they bear neither the collector's job nor its instance.
func NewWholeScope(n telemetry.Naming) Scope { return Scope{naming: n} }

// Label returns the Prometheus label of an attribute key.
func (s Scope) Label(key string) string { return s.naming.Label(key) }

// Legend returns the legend template that shows the labels of the given attributes.
func (s Scope) Legend(keys ...string) string {
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = "{{" + s.naming.Label(k) + "}}"
	}
	return strings.Join(parts, " ")
}

// LabelValues returns the query of a variable: the values of an attribute, or of job or instance, within the scope. The
// variable of the name itself does not narrow it.
func (s Scope) LabelValues(m telemetry.Metric, key string) (string, error) {
	label := key
	if key != LabelJob && key != LabelInstance {
		if _, ok := m.Attribute(key); !ok {
			return "", unknownAttribute(m, key)
		}
		label = s.naming.Label(key)
	}
	var parts []string
	for _, sm := range s.matches {
		if sm.label == label {
			break // job does not depend on instance, nor a variable on itself
		}
		parts = append(parts, sm.String())
	}
	selector := s.naming.Series(m)[0]
	if len(parts) > 0 {
		selector += "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprintf("label_values(%s, %s)", selector, label), nil
}

func (sm scopeMatch) String() string { return fmt.Sprintf(`%s=~"$%s"`, sm.label, sm.variable) }

// selector writes the selector of the series name of m.
func (s Scope) selector(m telemetry.Metric, series string, where []Where) (string, error) {
	var parts []string
	for _, sm := range s.matches {
		if sm.attr != "" {
			if _, ok := m.Attribute(sm.attr); !ok {
				return "", unknownAttribute(m, sm.attr)
			}
		}
		parts = append(parts, sm.String())
	}
	for _, w := range where {
		text, err := w.matcher(s.naming, m)
		if err != nil {
			return "", err
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return series, nil
	}
	return series + "{" + strings.Join(parts, ", ") + "}", nil
}

// labels returns the labels that the series of m bear, without the name.
func (s Scope) labels(m telemetry.Metric) []string {
	out := []string{LabelJob, LabelInstance}
	for _, a := range m.Attributes {
		out = append(out, s.naming.Label(a.Key))
	}
	return out
}

// Where narrows a selector by an attribute.
type Where struct {
	key, op, value string
	allows         func(telemetry.Attribute) error
}

// Is keeps series whose attribute has the value.
func Is(key, value string) Where {
	return Where{key, "=", value, func(a telemetry.Attribute) error { return a.Allows(value) }}
}

// IsNot keeps series whose attribute has another value, or none.
func IsNot(key, value string) Where {
	return Where{key, "!=", value, func(a telemetry.Attribute) error { return a.Allows(value) }}
}

// OneOf keeps series whose attribute has one of the values.
func OneOf(key string, values ...string) Where {
	return Where{key, "=~", strings.Join(values, "|"), func(a telemetry.Attribute) error {
		for _, v := range values {
			if err := a.Allows(v); err != nil {
				return err
			}
		}
		return nil
	}}
}

// Class keeps series whose status code begins with the digit.
func Class(key string, digit int) Where {
	return Where{key, "=~", strconv.Itoa(digit) + "..", func(a telemetry.Attribute) error {
		return a.Allows(strconv.Itoa(digit*100 + 1))
	}}
}

// Present keeps series that have the attribute at all.
func Present(key string) Where {
	return Where{key, "!=", "", func(telemetry.Attribute) error { return nil }}
}

// In keeps series whose attribute is among the values chosen in a variable of the dashboard.
func In(key, variable string) Where {
	return Where{key, "=~", "$" + variable, func(telemetry.Attribute) error { return nil }}
}

func (w Where) matcher(n telemetry.Naming, m telemetry.Metric) (string, error) {
	a, ok := m.Attribute(w.key)
	if !ok {
		return "", unknownAttribute(m, w.key)
	}
	if err := w.allows(a); err != nil {
		return "", fmt.Errorf("metric %s: %w", m.Name, err)
	}
	return n.Label(w.key) + w.op + strconv.Quote(w.value), nil
}

func unknownAttribute(m telemetry.Metric, key string) error {
	var have []string
	for _, a := range m.Attributes {
		have = append(have, a.Key)
	}
	return fmt.Errorf("metric %s has no attribute %s; it has: %s", m.Name, key, strings.Join(have, ", "))
}
