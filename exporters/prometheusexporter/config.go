package prometheusexporter

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/resourcetotelemetry"
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/tailgate-otel/tailgate/internal/confkeys"
	"github.com/tailgate-otel/tailgate/internal/exposition"
	"github.com/tailgate-otel/tailgate/internal/quantity"
	"github.com/tailgate-otel/tailgate/internal/yamlkeys"
)

// Config is what a user writes under exporters::prometheus. All keys but the last two are contrib's, with its defaults.
type Config struct {
	// Server has the endpoint, where the path is /metrics, and all other settings of the collector's HTTP servers. The
	// endpoint is required.
	Server confighttp.ServerConfig `mapstructure:",squash"`

	// Queue decouples the pipeline from the exporter. Default off: a write takes microseconds.
	Queue configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`

	// Namespace is put before every metric name. Default none.
	Namespace string `mapstructure:"namespace"`

	// ConstLabels are added to every series but those of target_info. A label that the series has already wins. Default
	// none.
	ConstLabels map[string]string `mapstructure:"const_labels"`

	// SendTimestamps shows the times of the samples; without, a server takes the time of its scrape. Default false, because
	// a server then refuses samples that are older than its own.
	SendTimestamps bool `mapstructure:"send_timestamps"`

	// MetricExpiration is how long a series is shown after its last sample. Longer bridges rarer exports, shorter ends the
	// series of a stopped instance earlier. Default 5m, as long as Prometheus looks back.
	MetricExpiration quantity.Duration `mapstructure:"metric_expiration"`

	// ResourceToTelemetry makes every resource attribute a label of every series. Deprecated: use ResourceConstantLabels.
	ResourceToTelemetry resourcetotelemetry.Settings `mapstructure:"resource_to_telemetry_conversion"`

	// ResourceConstantLabels chooses the resource attributes that become labels of every series. Default none: they are
	// labels of target_info.
	ResourceConstantLabels resourcetotelemetry.Settings `mapstructure:"resource_constant_labels"`

	// EnableOpenMetrics offers OpenMetrics text, which has exemplars and units. Default false.
	EnableOpenMetrics bool `mapstructure:"enable_open_metrics"`

	// WithoutScopeInfo leaves out the otel_scope_* labels. Default false.
	WithoutScopeInfo bool `mapstructure:"without_scope_info"`

	// AddMetricSuffixes is ignored, as in contrib, unless the feature gate exporter.prometheusexporter.DisableAddMetricSuffixes
	// is switched off. Deprecated: use TranslationStrategy.
	AddMetricSuffixes bool `mapstructure:"add_metric_suffixes"`

	// TranslationStrategy says how OTLP names become Prometheus names; the four values are Prometheus' own. Default none,
	// which is UnderscoreEscapingWithSuffixes.
	TranslationStrategy otlptranslator.TranslationStrategyOption `mapstructure:"translation_strategy"`

	// CreatedSamples shows start times in OpenMetrics text too, as _created samples; protobuf has them anyway. Default
	// false, because a server that does not read start times stores them as series of their own.
	CreatedSamples bool `mapstructure:"created_samples"`

	// Compression says which scrapers that accept gzip or zstd get it: all but those on this machine (remote), always, or
	// never. Default remote, because compressing costs more than all the rest of a scrape.
	Compression exposition.Compression `mapstructure:"compression"`
}

var strategies = []otlptranslator.TranslationStrategyOption{
	otlptranslator.UnderscoreEscapingWithSuffixes,
	otlptranslator.UnderscoreEscapingWithoutSuffixes,
	otlptranslator.NoUTF8EscapingWithSuffixes,
	otlptranslator.NoTranslation,
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
	if strings.TrimSpace(c.Server.NetAddr.Endpoint) == "" {
		errs = append(errs, errors.New("endpoint: must be the address to listen on, such as localhost:8889"))
	}
	if s := c.TranslationStrategy; s != "" && !slices.Contains(strategies, s) {
		errs = append(errs, unknownValue("translation_strategy", s, strategies))
	}
	if !slices.Contains(exposition.Compressions(), c.Compression) {
		errs = append(errs, unknownValue("compression", c.Compression, exposition.Compressions()))
	}
	if c.MetricExpiration < 0 {
		errs = append(errs, fmt.Errorf("metric_expiration: must not be negative, got %s", c.MetricExpiration))
	}
	return errors.Join(append(errs, c.validateResourceLabels()...)...)
}

func unknownValue[T ~string](key string, got T, known []T) error {
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = string(k)
	}
	return fmt.Errorf("%s: unknown value %q%s", key, got, yamlkeys.DidYouMean(string(got), names))
}

func (c *Config) validateResourceLabels() []error {
	var errs []error
	if c.ResourceConstantLabels.Enabled || c.ResourceConstantLabels.ExcludeServiceAttributes { //nolint:staticcheck // deprecated there, and refused here
		errs = append(errs, errors.New("resource_constant_labels: enabled and exclude_service_attributes belong to "+
			"resource_to_telemetry_conversion; use included and excluded"))
	}
	legacy := !c.ResourceToTelemetry.IsEmpty()
	switch {
	case legacy && disableResourceConversion.IsEnabled():
		errs = append(errs, fmt.Errorf("resource_to_telemetry_conversion: switched off by the feature gate %s; use resource_constant_labels",
			disableResourceConversion.ID()))
	case legacy && !c.ResourceConstantLabels.IsEmpty():
		errs = append(errs, errors.New("resource_to_telemetry_conversion: deprecated and cannot be combined with resource_constant_labels"))
	}
	if err := c.ResourceToTelemetry.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("resource_to_telemetry_conversion: %w", err))
	}
	if err := c.ResourceConstantLabels.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("resource_constant_labels: %w", err))
	}
	return errs
}

// resourceLabels are the settings that are in force.
func (c *Config) resourceLabels() resourcetotelemetry.Settings {
	if c.ResourceConstantLabels.IsEmpty() {
		return c.ResourceToTelemetry
	}
	return c.ResourceConstantLabels
}

// strategy is the one in force.
func (c *Config) strategy() otlptranslator.TranslationStrategyOption {
	switch {
	case c.TranslationStrategy != "":
		return c.TranslationStrategy
	case !c.AddMetricSuffixes && !disableAddMetricSuffixes.IsEnabled():
		return otlptranslator.UnderscoreEscapingWithoutSuffixes
	}
	return otlptranslator.UnderscoreEscapingWithSuffixes
}
