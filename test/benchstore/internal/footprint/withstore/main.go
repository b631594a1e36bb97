// Program withstore is the collector of package core with the embedded Prometheus and the exporter before it.
package main

import (
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/otelcol"

	"github.com/tailgate-otel/tailgate/exporters/prometheusstoreexporter"
	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/footprint/core"
)

func main() {
	core.Main(func(f *otelcol.Factories) {
		store, exporter := prometheusstoreextension.NewFactory(), prometheusstoreexporter.NewFactory()
		f.Extensions = map[component.Type]extension.Factory{store.Type(): store}
		f.Exporters[exporter.Type()] = exporter
	})
}
