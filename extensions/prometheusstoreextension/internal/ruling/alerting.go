package ruling

import (
	"fmt"
	"log/slog"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"go.yaml.in/yaml/v3"
)

// LoadAlerting reads Prometheus' own alerting section, alertmanagers and alert_relabel_configs, from a section of the
// collector's configuration, with upstream's defaults and checks. File names in it are relative to the working directory.
func LoadAlerting(section map[string]any, logger *slog.Logger) (config.AlertingConfig, error) {
	text, err := yaml.Marshal(map[string]any{"alerting": section})
	if err != nil {
		return config.AlertingConfig{}, fmt.Errorf("alerting: %w", err)
	}
	loaded, err := config.Load(string(text), logger)
	if err != nil {
		return config.AlertingConfig{}, fmt.Errorf("alerting: the section is Prometheus' own, see "+
			"https://prometheus.io/docs/prometheus/latest/configuration/configuration/#alertmanager_config: %w", err)
	}
	_, err = staticTargets(loaded.AlertingConfig)
	return loaded.AlertingConfig, err
}

// staticTargets returns the Alertmanagers by the keys that the notifier gives to their configurations. There is no
// discovery: Alertmanagers are few and known, and each plug-in would be linked in for them.
func staticTargets(alerting config.AlertingConfig) (map[string][]*targetgroup.Group, error) {
	if err := alerting.Validate(model.UTF8Validation); err != nil {
		return nil, fmt.Errorf("alerting: %w", err)
	}
	targets := map[string][]*targetgroup.Group{}
	for key, cfg := range alerting.AlertmanagerConfigs.ToMap() {
		for _, sd := range cfg.ServiceDiscoveryConfigs {
			static, ok := sd.(discovery.StaticConfig)
			if !ok {
				return nil, fmt.Errorf("alerting::alertmanagers[%d]: %s service discovery is not available here: "+
					"list the addresses under static_configs", slices.Index(alerting.AlertmanagerConfigs, cfg), sd.Name())
			}
			targets[key] = append(targets[key], static...)
		}
	}
	return targets, nil
}
