package prometheusstoreextension

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/extension"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/metadata"

	"github.com/tailgate-otel/tailgate/internal/quantity"
)

// NewFactory returns the factory of the prometheusstore extension.
func NewFactory() extension.Factory {
	return extension.NewFactory(metadata.Type, createDefaultConfig, create, metadata.ExtensionStability)
}

func create(_ context.Context, set extension.Settings, cfg component.Config) (extension.Extension, error) {
	config, ok := cfg.(*Config)
	if !ok {
		return nil, fmt.Errorf("prometheusstore extension: unexpected config %T", cfg)
	}
	return newStore(config, set), nil
}

func createDefaultConfig() component.Config {
	http := confighttp.NewDefaultServerConfig()
	http.NetAddr.Endpoint = "localhost:9090"
	http.ReadHeaderTimeout = 10 * time.Second
	http.ReadTimeout = 30 * time.Second
	// Longer than the longest query, or a slow answer is cut while it is written.
	http.WriteTimeout = 150 * time.Second
	http.IdleTimeout = 2 * time.Minute //nolint:staticcheck // confighttp keeps the effective value in this field as long as it exists
	return &Config{
		Mode:                 ModeServer,
		Directory:            "data/prometheus",
		Retention:            RetentionConfig{Time: quantity.Duration(15 * 24 * time.Hour)},
		OutOfOrderTimeWindow: quantity.Duration(10 * time.Minute),
		MaxExemplars:         100_000,
		WALCompression:       true,
		Query:                defaultQueryConfig(),
		HTTP:                 http,
		Receive:              ReceiveConfig{RemoteWrite: true, OTLP: true},
		SelfMetrics:          SelfMetricsConfig{Interval: quantity.Duration(15 * time.Second)},
		Rules:                RulesConfig{Builtin: true},
		RemoteWriteQueue:     RemoteWriteQueueConfig{MaxSize: 1 << 30},
	}
}

func defaultQueryConfig() QueryConfig {
	return QueryConfig{
		Timeout:        quantity.Duration(2 * time.Minute),
		MaxSamples:     50_000_000,
		MaxConcurrency: 4,
		LookbackDelta:  quantity.Duration(5 * time.Minute),
	}
}
