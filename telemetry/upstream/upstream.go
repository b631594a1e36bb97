// Package upstream lists the metrics of other people's components that our dashboards and alerts read, in the form of
// the contract. A test compares those that have a metadata.yaml with the modules pinned in go.mod, so that a version
// bump that renames one fails here, by name, and not as an empty panel.
package upstream

import "github.com/tailgate-otel/tailgate/telemetry"

// All lists every metric of the package.
func All() []telemetry.Metric {
	all := []telemetry.Metric{TargetInfo}
	for _, group := range [][]telemetry.Metric{Collector(), SpanMetrics(), GoRuntime()} {
		all = append(all, group...)
	}
	return all
}

// TargetInfo carries the attributes of a resource as labels; Prometheus' OTLP translation writes it.
var TargetInfo = telemetry.Metric{
	Name: "target_info", Kind: telemetry.Gauge, Stability: telemetry.Stable,
	Source: modPrometheus, Description: "1 for each resource that sent metrics, with its attributes as labels.",
	Attributes: []telemetry.Attribute{
		{Key: "service.version", Brief: "Version of the service.", Bound: "the versions deployed"},
	},
}

// Packages that the metrics come from.
const (
	modPrometheus = "github.com/prometheus/prometheus/storage/remote/otlptranslator/prometheusremotewrite"
	modReceiver   = "go.opentelemetry.io/collector/receiver/receiverhelper"
	modProcessor  = "go.opentelemetry.io/collector/processor/processorhelper"
	modExporter   = "go.opentelemetry.io/collector/exporter/exporterhelper"
	modService    = "go.opentelemetry.io/collector/service"
	modSpans      = "github.com/open-telemetry/opentelemetry-collector-contrib/connector/spanmetricsconnector"
	modRuntime    = "go.opentelemetry.io/contrib/instrumentation/runtime"
)

// metric fills in what all of them share. No metric of the collector is stable yet.
func metric(source, name string, kind telemetry.Kind, unit, description string, attrs ...telemetry.Attribute) telemetry.Metric {
	return telemetry.Metric{
		Name: name, Kind: kind, Unit: unit, Description: description, Attributes: attrs,
		Stability: telemetry.Development, Source: source,
	}
}
