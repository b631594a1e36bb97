package telemetry

import (
	"fmt"

	"github.com/prometheus/otlptranslator"
)

// Naming turns OpenTelemetry names into Prometheus ones. It only calls the translator that Prometheus' own OTLP
// receiver uses, so a name is never spelt by hand; the zero value is not useful, take DefaultNaming.
type Naming struct {
	strategy otlptranslator.TranslationStrategyOption
}

// DefaultNaming is Prometheus' default: dots become underscores, units and _total are appended.
var DefaultNaming = Naming{strategy: otlptranslator.UnderscoreEscapingWithSuffixes}

// NewNaming returns the naming of one of Prometheus' four translation strategies.
func NewNaming(strategy string) (Naming, error) {
	switch s := otlptranslator.TranslationStrategyOption(strategy); s {
	case otlptranslator.UnderscoreEscapingWithSuffixes, otlptranslator.UnderscoreEscapingWithoutSuffixes,
		otlptranslator.NoUTF8EscapingWithSuffixes, otlptranslator.NoTranslation:
		return Naming{strategy: s}, nil
	}
	return Naming{}, fmt.Errorf("translation strategy %q: want one of %s, %s, %s, %s", strategy,
		otlptranslator.UnderscoreEscapingWithSuffixes, otlptranslator.UnderscoreEscapingWithoutSuffixes,
		otlptranslator.NoUTF8EscapingWithSuffixes, otlptranslator.NoTranslation)
}

// Metric returns the Prometheus name of m: http_server_request_duration_seconds. For a classic histogram it is the
// family's name, to which _bucket, _sum and _count are added.
func (n Naming) Metric(m Metric) string {
	namer := otlptranslator.NewMetricNamer("", n.strategy)
	name, err := namer.Build(otlptranslator.Metric{Name: m.Name, Unit: m.Unit, Type: translatorType(m.Kind)})
	if err != nil {
		// Only an empty name is refused, and Metric.Validate refuses that one first.
		panic(fmt.Sprintf("telemetry: metric %q has no Prometheus name: %v", m.Name, err))
	}
	return name
}

// Label returns the Prometheus label name of an attribute key: http_request_method.
func (n Naming) Label(key string) string {
	if !n.strategy.ShouldEscape() {
		return key
	}
	namer := otlptranslator.LabelNamer{}
	label, err := namer.Build(key)
	if err != nil {
		panic(fmt.Sprintf("telemetry: attribute %q has no Prometheus label: %v", key, err))
	}
	return label
}

// Series lists the names of the series that m is stored as: one, or three for a classic histogram.
func (n Naming) Series(m Metric) []string {
	name := n.Metric(m)
	if m.Kind == Histogram {
		return []string{name + "_bucket", name + "_sum", name + "_count"}
	}
	return []string{name}
}

func translatorType(k Kind) otlptranslator.MetricType {
	switch k {
	case Counter:
		return otlptranslator.MetricTypeMonotonicCounter
	case UpDownCounter:
		return otlptranslator.MetricTypeNonMonotonicCounter
	case Gauge:
		return otlptranslator.MetricTypeGauge
	case Histogram:
		return otlptranslator.MetricTypeHistogram
	case NativeHistogram:
		return otlptranslator.MetricTypeExponentialHistogram
	}
	return otlptranslator.MetricTypeUnknown
}
