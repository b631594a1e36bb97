package prometheusstoreextension

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"

	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/scraping"
)

// The jobs under which the store keeps its own metrics and those of the collector that it runs in.
const (
	storeJob     = "store"
	collectorJob = "tailgate"
)

var _ extensioncapabilities.ConfigSnapshotWatcher = (*store)(nil)

// NotifyConfigSnapshot implements extensioncapabilities.ConfigSnapshotWatcher. The collector calls it after Start; it is
// the only way for an extension to learn where the collector shows its own metrics.
func (s *store) NotifyConfigSnapshot(_ context.Context, snapshot extensioncapabilities.ConfigSnapshot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	address := telemetryAddress(snapshot.Effective())
	if s.running == nil || s.cfg.SelfMetrics.Interval == 0 {
		return nil
	}
	if address == "" {
		s.settings.Logger.Info("The collector's own metrics are not stored: service::telemetry::metrics has no Prometheus reader")
		return nil
	}
	return s.scrape(s.running, address)
}

// scrape applies the user's jobs and those of self_metrics; collector is the address of the collector's own metrics, empty
// as long as it is not known.
func (s *store) scrape(run *running, collector string) error {
	fragment := s.cfg.Fragment
	if s.cfg.SelfMetrics.Interval > 0 {
		fragment.ScrapeConfigs = append(slices.Clone(fragment.ScrapeConfigs), s.selfJob(storeJob, scraping.InsideAddress, s.address()))
		if collector != "" {
			fragment.ScrapeConfigs = append(fragment.ScrapeConfigs, s.selfJob(collectorJob, collector, collector))
		}
	}
	cfg, err := fragment.Load(run.logger)
	if err != nil {
		return fmt.Errorf("%w (jobs %q and %q are the store's own as long as self_metrics::interval is not 0)", err, storeJob, collectorJob)
	}
	return run.scraper.Apply(cfg)
}

func (s *store) selfJob(name, address, instance string) any {
	return map[string]any{
		"job_name":        name,
		"scrape_interval": s.cfg.SelfMetrics.Interval.String(),
		"scrape_timeout":  s.cfg.SelfMetrics.Interval.String(),
		// The collector would answer with dots in its names, as http.server.request.duration_seconds.
		"metric_name_escaping_scheme": "underscores",
		"static_configs": []any{map[string]any{
			"targets": []any{address}, "labels": map[string]any{"instance": instance},
		}},
	}
}

// defaultTelemetryAddress is where a collector shows its metrics when its configuration does not say.
const defaultTelemetryAddress = "localhost:8888"

// telemetryAddress finds the collector's Prometheus reader in its configuration. It is empty if there is none.
func telemetryAddress(conf *confmap.Conf) string {
	if level, _ := conf.Get("service::telemetry::metrics::level").(string); level == "none" {
		return ""
	}
	readers, ok := conf.Get("service::telemetry::metrics::readers").([]any)
	if !ok {
		return defaultTelemetryAddress
	}
	for _, reader := range readers {
		fields, ok := reader.(map[string]any)
		if !ok {
			continue
		}
		pull, ok := dig(fields, "pull", "exporter", "prometheus")
		if !ok {
			continue
		}
		host, _ := pull["host"].(string)
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			host = "localhost"
		}
		if port, ok := portOf(pull["port"]); ok {
			return net.JoinHostPort(host, port)
		}
	}
	return ""
}

func dig(section map[string]any, path ...string) (map[string]any, bool) {
	for _, key := range path {
		next, ok := section[key].(map[string]any)
		if !ok {
			return nil, false
		}
		section = next
	}
	return section, true
}

func portOf(value any) (string, bool) {
	switch port := value.(type) {
	case int:
		return strconv.Itoa(port), port > 0
	case string:
		return port, port != ""
	}
	return "", false
}
