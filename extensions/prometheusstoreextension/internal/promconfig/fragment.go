// Package promconfig takes a fragment of a prometheus.yml as it stands in the collector's configuration and has
// Prometheus' own code read it, so that what can be pasted from a server's file means the same here.
//
// The collector has expanded ${env:…} before; a literal $ in a relabelling rule is written $$. Nothing is opened here but
// the files that scrape_config_files name.
package promconfig

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"go.yaml.in/yaml/v3"
)

// Fragment holds the keys of a prometheus.yml that the store understands, unread.
type Fragment struct {
	// Global has the defaults of scraping and rules: scrape_interval (default 15s), scrape_timeout, evaluation_interval
	// (default 15s), external_labels, query_log_file.
	Global map[string]any `mapstructure:"global"`

	// RuleFiles are globs of files with recording and alerting rules.
	RuleFiles []string `mapstructure:"rule_files"`

	// ScrapeConfigs are what to scrape. Discovery: static, file, HTTP, DNS and Kubernetes.
	ScrapeConfigs []any `mapstructure:"scrape_configs"`

	// ScrapeConfigFiles are globs of files with more scrape_configs.
	ScrapeConfigFiles []string `mapstructure:"scrape_config_files"`

	// Alerting says where alerts go: alertmanagers, alert_relabel_configs.
	Alerting map[string]any `mapstructure:"alerting"`

	// RemoteWrite are the servers that every stored sample is sent to.
	RemoteWrite []any `mapstructure:"remote_write"`

	// OTLP configures the translation of the OTLP endpoint: translation_strategy, promote_resource_attributes, …
	OTLP map[string]any `mapstructure:"otlp"`
}

// defaultInterval replaces Prometheus' 1m, which is older than the dashboards that everybody draws today.
const defaultInterval = model.Duration(15 * time.Second)

// section is one key with what stands under it.
type section struct {
	key   string
	value any
	empty bool
}

func (f *Fragment) sections() []section {
	return []section{
		{"global", f.Global, len(f.Global) == 0},
		{"rule_files", f.RuleFiles, len(f.RuleFiles) == 0},
		{"scrape_config_files", f.ScrapeConfigFiles, len(f.ScrapeConfigFiles) == 0},
		{"scrape_configs", f.ScrapeConfigs, len(f.ScrapeConfigs) == 0},
		{"alerting", f.Alerting, len(f.Alerting) == 0},
		{"remote_write", f.RemoteWrite, len(f.RemoteWrite) == 0},
		{"otlp", f.OTLP, len(f.OTLP) == 0},
	}
}

// Load has Prometheus read the fragment. Its error names the key, and of a list the entry, that is wrong.
func (f *Fragment) Load(logger *slog.Logger) (*config.Config, error) {
	whole := map[string]any{}
	for _, s := range f.sections() {
		if !s.empty {
			whole[s.key] = s.value
		}
	}
	cfg, err := load(f.withDefaults(whole), logger)
	if err != nil {
		return nil, f.blame(err, logger)
	}
	return cfg, nil
}

// withDefaults writes the defaults that differ from Prometheus' where the user has not said otherwise.
func (f *Fragment) withDefaults(whole map[string]any) map[string]any {
	global := map[string]any{"scrape_interval": defaultInterval.String(), "evaluation_interval": defaultInterval.String()}
	for key, value := range f.Global {
		global[key] = value
	}
	filled := map[string]any{"global": global}
	for key, value := range whole {
		if key != "global" {
			filled[key] = value
		}
	}
	if servers, ok := filled["remote_write"].([]any); ok {
		filled["remote_write"] = sendingAll(servers)
	}
	return filled
}

// sendingAll has exemplars and native histograms sent where the user has not said otherwise. Prometheus leaves them out for
// the sake of servers that have died.
func sendingAll(servers []any) []any {
	out := make([]any, len(servers))
	for i, server := range servers {
		out[i] = server
		if entry, ok := server.(map[string]any); ok {
			entry = maps.Clone(entry)
			for _, key := range []string{"send_exemplars", "send_native_histograms"} {
				if _, given := entry[key]; !given {
					entry[key] = true
				}
			}
			out[i] = entry
		}
	}
	return out
}

// MessageGiven reports whether the user has chosen the protocol version of server i under remote_write. Prometheus' default
// is version 1.0.
func (f *Fragment) MessageGiven(i int) bool {
	entry, ok := f.RemoteWrite[i].(map[string]any)
	if !ok {
		return false
	}
	_, given := entry["protobuf_message"]
	return given
}

func load(fragment map[string]any, logger *slog.Logger) (*config.Config, error) {
	text, err := yaml.Marshal(fragment)
	if err != nil {
		return nil, fmt.Errorf("write as YAML: %w", err)
	}
	cfg, err := config.Load(string(text), logger)
	if err != nil {
		return nil, plain(err)
	}
	// Reads scrape_config_files and finds jobs of the same name.
	if _, err := cfg.GetScrapeConfigs(); err != nil {
		return nil, plain(err)
	}
	return cfg, nil
}

// blame finds the entry that an error is about by reading each alone, because Prometheus counts lines of a file that the
// user never saw.
func (f *Fragment) blame(whole error, logger *slog.Logger) error {
	var errs []error
	try := func(key string, fragment map[string]any) bool {
		_, err := load(f.withDefaults(fragment), logger)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
		}
		return err == nil
	}
	if !try("global", nil) {
		return errors.Join(errs...) // the others would only repeat it
	}
	for _, s := range f.sections() {
		entries, isList := s.value.([]any)
		switch {
		case s.empty || s.key == "global":
		case !isList:
			try(s.key, map[string]any{s.key: s.value})
		default:
			for i, entry := range entries {
				try(fmt.Sprintf("%s[%d]", s.key, i), map[string]any{s.key: []any{entry}})
			}
		}
	}
	if len(errs) == 0 {
		return whole // entries that are only wrong together, such as two jobs of one name
	}
	return errors.Join(errs...)
}

var (
	lineNumber = regexp.MustCompile(`line \d+: `)
	goType     = regexp.MustCompile(` in type \S+`)
)

// plain takes out of a YAML error what refers to a text and to types that the user does not know.
func plain(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: unmarshal errors:\n")
	text = strings.ReplaceAll(text, "field", "key")
	text = goType.ReplaceAllString(lineNumber.ReplaceAllString(text, ""), "")
	return errors.New(strings.Join(strings.Fields(text), " "))
}
