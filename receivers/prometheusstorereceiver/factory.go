package prometheusstorereceiver

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/tailgate-otel/tailgate/receivers/prometheusstorereceiver/internal/metadata"
)

// NewFactory returns the factory of the prometheusstore receiver.
func NewFactory() receiver.Factory {
	return receiver.NewFactory(metadata.Type, createDefaultConfig, receiver.WithLogs(createLogs, metadata.LogsStability))
}

func createDefaultConfig() component.Config {
	retry := configretry.NewDefaultBackOffConfig()
	retry.InitialInterval /= 5 // 1s: an alert is urgent
	return &Config{
		Store:     component.NewID(metadata.Type),
		States:    states(),
		QueueSize: 1000,
		Retry:     retry,
	}
}

func createLogs(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
	config, ok := cfg.(*Config)
	if !ok {
		return nil, fmt.Errorf("prometheusstore receiver: unexpected config %T", cfg)
	}
	return newAlertReceiver(config, set, next)
}
