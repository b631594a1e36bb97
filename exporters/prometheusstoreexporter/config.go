package prometheusstoreexporter

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/tailgate-otel/tailgate/internal/confkeys"
	"github.com/tailgate-otel/tailgate/internal/promfront"
	"github.com/tailgate-otel/tailgate/internal/yamlkeys"
)

// Config is what a user writes under exporters::prometheusstore.
type Config struct {
	// Store is the id of the extension to write to. Default prometheusstore.
	Store component.ID `mapstructure:"store"`

	// TranslationStrategy says how OTLP names become Prometheus names; the four values are Prometheus' own. The generated
	// dashboards expect the default. Default UnderscoreEscapingWithSuffixes.
	TranslationStrategy otlptranslator.TranslationStrategyOption `mapstructure:"translation_strategy"`

	// PromoteResourceAttributes become a label of every series of the resource. Each value is one more set of series, so
	// name few. The others are labels of target_info, to be joined. Default none.
	PromoteResourceAttributes []string `mapstructure:"promote_resource_attributes"`

	// KeepIdentifyingResourceAttributes keeps service.name, service.namespace and service.instance.id as labels of
	// target_info, beside job and instance. Default false.
	KeepIdentifyingResourceAttributes bool `mapstructure:"keep_identifying_resource_attributes"`

	// PromoteScopeMetadata adds name, version, schema URL and attributes of the instrumentation scope as otel_scope_*
	// labels. Default false, because an upgrade of a library then starts new series.
	PromoteScopeMetadata bool `mapstructure:"promote_scope_metadata"`

	// Histograms is how histograms with explicit bounds are stored: classic (a series per bucket), nhcb (one native histogram
	// with custom buckets, 1 series instead of 17 for the 14 bounds of HTTP durations) or both. The generated dashboards
	// expect classic. Default classic.
	Histograms promfront.HistogramLayout `mapstructure:"histograms"`

	// ZeroSamples writes a 0 at the start time of a counter or histogram that is new or has restarted, so that rate() and
	// increase() see its first increase. It is the true start time, so that no spike comes of it. Default true.
	ZeroSamples bool `mapstructure:"zero_samples"`

	// StaleAfter is how many exports a resource must miss until its series end, as those of a target that cannot be scraped.
	// With more, a sender may be late more often, and a stopped one is shown for longer; 0 shows it for the look-back, 5
	// minutes. Default 1: gone from instant queries within two export intervals.
	StaleAfter int `mapstructure:"stale_after"`

	// Limits bound the number of series.
	Limits LimitsConfig `mapstructure:"limits"`

	// Timeout bounds one write. Default 5s.
	Timeout exporterhelper.TimeoutConfig `mapstructure:",squash"`

	// Queue decouples the pipeline from the database. Default off: a local write takes milliseconds, a queue would
	// only hide that the disk is too slow, and what it holds is lost with the process.
	Queue configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`

	// Retry repeats a batch that failed with an I/O error. Refused samples are never retried. Default on, for at most
	// 30s: without a queue the sender waits meanwhile, and it will retry by itself.
	Retry configretry.BackOffConfig `mapstructure:"retry_on_failure"`
}

// LimitsConfig bounds the number of series. What exceeds a limit is summed into one series per metric and resource with the
// attribute otel.metric.overflow. 0 is no limit.
type LimitsConfig struct {
	// PerMetric is for one metric over all resources. Default 0: a limit that suits a fleet of 10 and of 1000 there is not.
	PerMetric int `mapstructure:"per_metric"`
	// PerResource is for one resource over all metrics. Default 0.
	PerResource int `mapstructure:"per_resource"`
	// Total is for everything. Default 1000000, which is 2 GiB in the head of the database at about 2 KiB each.
	Total int `mapstructure:"total"`
}

var strategies = []string{
	string(otlptranslator.UnderscoreEscapingWithSuffixes),
	string(otlptranslator.UnderscoreEscapingWithoutSuffixes),
	string(otlptranslator.NoUTF8EscapingWithSuffixes),
	string(otlptranslator.NoTranslation),
}

// Unmarshal implements confmap.Unmarshaler. It names the nearest key for each that does not exist.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	if err := confkeys.Check(conf, c); err != nil {
		return err
	}
	return conf.Unmarshal(c)
}

// Validate reports every problem at once; each message starts with the key.
func (c *Config) Validate() error {
	var errs []error
	if c.Store == (component.ID{}) {
		errs = append(errs, errors.New("store: must be the id of a prometheusstore extension"))
	}
	if s := string(c.TranslationStrategy); !slices.Contains(strategies, s) {
		errs = append(errs, fmt.Errorf("translation_strategy: unknown value %q%s", s, yamlkeys.DidYouMean(s, strategies)))
	}
	if s := string(c.Histograms); !slices.Contains(promfront.HistogramLayouts(), s) {
		errs = append(errs, fmt.Errorf("histograms: unknown value %q%s", s, yamlkeys.DidYouMean(s, promfront.HistogramLayouts())))
	}
	for _, n := range []struct {
		key   string
		value int
	}{
		{"stale_after", c.StaleAfter},
		{"limits::per_metric", c.Limits.PerMetric},
		{"limits::per_resource", c.Limits.PerResource},
		{"limits::total", c.Limits.Total},
	} {
		if n.value < 0 {
			errs = append(errs, fmt.Errorf("%s: must be 0 (off) or more, got %d", n.key, n.value))
		}
	}
	return errors.Join(append(errs, c.validatePromoted()...)...)
}

func (c *Config) validatePromoted() []error {
	var errs []error
	seen := map[string]bool{}
	for i, name := range c.PromoteResourceAttributes {
		key := fmt.Sprintf("promote_resource_attributes[%d]", i)
		switch {
		case strings.TrimSpace(name) == "":
			errs = append(errs, fmt.Errorf("%s: must be the name of a resource attribute, got %q", key, name))
		case seen[name]:
			errs = append(errs, fmt.Errorf("%s: %q is listed twice", key, name))
		}
		seen[name] = true
	}
	return errs
}
