package telemetry

// sourceStoreExporter is the folder whose metadata.yaml declares these metrics.
const sourceStoreExporter = "github.com/tailgate-otel/tailgate/exporters/prometheusstoreexporter"

// AttrExporter is the component id of an exporter.
var AttrExporter = Attribute{
	Key:   "exporter",
	Brief: "Component id of the exporter.",
	Bound: "the exporters of the collector's configuration",
}

// The metrics of the exporter into the embedded Prometheus.
var (
	StoreSamplesAppended = Metric{
		Name: "otelcol_exporter_prometheusstore_samples_appended", Kind: Counter, Unit: "{sample}", Stability: Development,
		Source: sourceStoreExporter, Description: "Samples that the store took.",
	}
	StoreSamplesRefused = Metric{
		Name: "otelcol_exporter_prometheusstore_samples_refused", Kind: Counter, Unit: "{sample}", Stability: Development,
		Source: sourceStoreExporter, Description: "Samples that the store refused; the rest of their batch is stored.",
		Attributes: []Attribute{{
			Key: "reason", Brief: "Why the sample was refused.",
			Values: []string{"out_of_order", "too_old", "too_far_ahead", "duplicate", "overlapping_delta", "bad_histogram",
				"bad_labels", "limit", "untranslatable"},
		}},
	}
	StoreSeries = Metric{
		Name: "otelcol_exporter_prometheusstore_series", Kind: Gauge, Unit: "{series}", Stability: Development,
		Source: sourceStoreExporter, Description: "Series that were written lately, to which the limits apply.",
	}
	StorePointsOverflowed = Metric{
		Name: "otelcol_exporter_prometheusstore_points_overflowed", Kind: Counter, Unit: "{datapoint}", Stability: Development,
		Source:      sourceStoreExporter,
		Description: "Data points that were summed into an overflow series because a limit on series is reached.",
	}
)

// Store lists the metrics of the embedded Prometheus that reach the store itself.
func Store() []Metric {
	return []Metric{StoreSamplesAppended, StoreSamplesRefused, StoreSeries, StorePointsOverflowed}
}
