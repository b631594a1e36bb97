package ways

import (
	"fmt"

	contrib "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusexporter"
	"go.opentelemetry.io/collector/exporter"

	"github.com/tailgate-otel/tailgate/exporters/prometheusexporter"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/payload"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/stock"
)

// contribPage is contrib's exporter, scraped by a stock server that asks for compression or does not.
func contribPage(compressed bool) func(Options) (*Running, error) {
	return func(o Options) (*Running, error) { return page(o, contrib.NewFactory(), nil, compressed) }
}

// ownPage is ours, which compresses for servers on the same machine only when told to.
func ownPage(compressed bool) func(Options) (*Running, error) {
	return func(o Options) (*Running, error) {
		compression := "never"
		if compressed {
			compression = "always"
		}
		return page(o, prometheusexporter.NewFactory(), keys{"compression": compression}, compressed)
	}
}

// page starts the exporter, then the server that scrapes it: in OpenMetrics text, which has exemplars, or in protobuf,
// which alone has native histograms.
func page(o Options, f exporter.Factory, more keys, compressed bool) (*Running, error) {
	addr, err := stock.FreeAddr()
	if err != nil {
		return nil, err
	}
	config := keys{"endpoint": addr, "enable_open_metrics": true, "without_scope_info": true}
	for k, v := range more {
		config[k] = v
	}
	exporting := &Running{}
	if err := exporting.startExporter(f, config, nil); err != nil {
		return exporting.failed(err)
	}
	r, err := beside(o, fmt.Sprintf(`scrape_configs:
- job_name: page
  honor_labels: true
  scrape_interval: %[1]s
  scrape_timeout: %[1]s
  enable_compression: %[2]t
  scrape_native_histograms: %[3]t
  static_configs: [{targets: [%[4]q]}]
`, o.ScrapeEvery, compressed, o.Kind == payload.Exponential, addr))
	if err != nil {
		return exporting.failed(err)
	}
	r.export = exporting.export
	// The server ends first, or its last scrape would fail.
	r.closer = append(exporting.closer, r.closer...)
	return r, nil
}
