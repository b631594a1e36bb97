package prometheusexporter

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/featuregate"
)

// Contrib's feature gates, so that a command line that names them still works.
var (
	disableResourceConversion = gate("exporter.prometheus.DisableResourceToTelemetryConversion", featuregate.StageAlpha, "v0.160.0",
		"When enabled, resource_to_telemetry_conversion is refused and resource_constant_labels must be used instead.",
		"https://github.com/open-telemetry/opentelemetry-collector-contrib/issues/48861")
	disableAddMetricSuffixes = gate("exporter.prometheusexporter.DisableAddMetricSuffixes", featuregate.StageBeta, "v0.132.0",
		"When enabled, add_metric_suffixes is ignored and only translation_strategy counts.",
		"https://github.com/open-telemetry/opentelemetry-specification/pull/4533")
)

// gate registers a gate, or finds the one that contrib's exporter has registered where both are in one program.
func gate(id string, stage featuregate.Stage, from, description, url string) *featuregate.Gate {
	registry := featuregate.GlobalRegistry()
	g, err := registry.Register(id, stage, featuregate.WithRegisterDescription(description),
		featuregate.WithRegisterFromVersion(from), featuregate.WithRegisterReferenceURL(url))
	if errors.Is(err, featuregate.ErrAlreadyRegistered) {
		registry.VisitAll(func(other *featuregate.Gate) {
			if other.ID() == id {
				g = other
			}
		})
		return g
	}
	if err != nil {
		panic(fmt.Sprintf("feature gate %s: %s", id, err)) // the arguments are constants
	}
	return g
}
