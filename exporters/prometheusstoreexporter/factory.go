package prometheusstoreexporter

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/tailgate-otel/tailgate/exporters/prometheusstoreexporter/internal/metadata"
	"github.com/tailgate-otel/tailgate/internal/promfront"
)

// NewFactory returns the factory of the prometheusstore exporter.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(metadata.Type, createDefaultConfig,
		exporter.WithMetrics(createMetrics, metadata.MetricsStability))
}

func createDefaultConfig() component.Config {
	retry := configretry.NewDefaultBackOffConfig()
	retry.InitialInterval = 200 * time.Millisecond
	retry.MaxInterval = 5 * time.Second
	retry.MaxElapsedTime = 30 * time.Second
	return &Config{
		Store:               component.NewID(metadata.Type),
		TranslationStrategy: otlptranslator.UnderscoreEscapingWithSuffixes,
		Histograms:          promfront.Classic,
		ZeroSamples:         true,
		StaleAfter:          1,
		Limits:              LimitsConfig{Total: 1_000_000},
		Timeout:             exporterhelper.NewDefaultTimeoutConfig(),
		Queue:               configoptional.Default(exporterhelper.NewDefaultQueueConfig()),
		Retry:               retry,
	}
}

func createMetrics(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
	config, ok := cfg.(*Config)
	if !ok {
		return nil, fmt.Errorf("prometheusstore exporter: unexpected config %T", cfg)
	}
	e, err := newStoreExporter(config, set)
	if err != nil {
		return nil, err
	}
	return exporterhelper.NewMetrics(ctx, set, cfg, e.push,
		exporterhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
		exporterhelper.WithTimeout(config.Timeout),
		exporterhelper.WithQueue(config.Queue),
		exporterhelper.WithRetry(config.Retry),
		exporterhelper.WithStart(e.start),
		exporterhelper.WithShutdown(e.shutdown),
	)
}
