package prometheusstoreextension

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/families"
)

// slogFrom gives the database, which logs through slog, the collector's logger.
func slogFrom(logger *zap.Logger) *slog.Logger {
	return slog.New(demoted{zapslog.NewHandler(logger.Core())})
}

// newRegistry holds what /metrics serves: the names of a stock Prometheus, so that its dashboards and alerts fit. It is
// a registry of its own and not the process-wide one, so that two stores can run in one process.
func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return registry
}

// registerFamilies puts size and losses of the metadata table on /metrics.
func registerFamilies(registry *prometheus.Registry, table *families.Table) {
	registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "prometheusstore_metadata_bytes",
			Help: "Bytes that type, help and unit of the stored metric families take; at most 16 MiB.",
		}, func() float64 { return float64(table.SizeMetadata()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "prometheusstore_metadata_refused_total",
			Help: "How often a metric family's metadata was not kept because the table was full.",
		}, func() float64 { return float64(table.Refused()) }),
	)
}
