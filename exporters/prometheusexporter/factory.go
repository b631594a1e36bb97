package prometheusexporter

import (
	"context"
	"fmt"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/resourcetotelemetry"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/tailgate-otel/tailgate/exporters/prometheusexporter/internal/metadata"
	"github.com/tailgate-otel/tailgate/internal/exposition"
	"github.com/tailgate-otel/tailgate/internal/quantity"
)

// NewFactory returns the factory of the prometheus exporter.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(metadata.Type, createDefaultConfig,
		exporter.WithMetrics(createMetrics, metadata.MetricsStability))
}

func createDefaultConfig() component.Config {
	return &Config{
		Queue:             configoptional.Default(exporterhelper.NewDefaultQueueConfig()),
		Server:            confighttp.NewDefaultServerConfig(),
		ConstLabels:       map[string]string{},
		MetricExpiration:  quantity.Duration(5 * time.Minute),
		AddMetricSuffixes: true,
		Compression:       exposition.CompressRemote,
	}
}

func createMetrics(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
	config, ok := cfg.(*Config)
	if !ok {
		return nil, fmt.Errorf("prometheus exporter: unexpected config %T", cfg)
	}
	e, err := newExporter(config, set)
	if err != nil {
		return nil, err
	}
	metrics, err := exporterhelper.NewMetrics(ctx, set, cfg, e.push,
		exporterhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
		exporterhelper.WithQueue(config.Queue),
		exporterhelper.WithStart(e.start),
		exporterhelper.WithShutdown(e.shutdown),
	)
	if err != nil {
		return nil, err
	}
	// Copies resource attributes to the points. It says itself that it changes the data.
	return resourcetotelemetry.WrapMetricsExporter(config.resourceLabels(), metrics), nil
}
