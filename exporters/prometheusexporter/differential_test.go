package prometheusexporter_test

import (
	"regexp"
	"strings"
	"testing"

	contrib "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusexporter"
	"github.com/stretchr/testify/assert"

	"github.com/tailgate-otel/tailgate/exporters/prometheusexporter"
	"github.com/tailgate-otel/tailgate/internal/exposition/pagetest"
)

// difference is one that is meant to be. Each must be seen, or the table is out of date.
type difference struct {
	pattern *regexp.Regexp // of lines of pagetest.Diff, where contrib's comes first
	why     string
}

var differences = []difference{
	{
		regexp.MustCompile(`^unit .*: none, got `),
		"OpenMetrics and protobuf have a place for the unit, which contrib leaves empty",
	},
	{
		regexp.MustCompile(`^exemplars .*rpc.*: none, got `),
		"contrib shows exemplars of native histograms in a form of which Prometheus reads those of one histogram per family",
	},
	{
		regexp.MustCompile(`^exemplars .*rpc.*duration.*: \{span_id="(\w+)".*, got .*\{span_id="`),
		"contrib shows the exemplars of the last export only, so a scrape misses those of the exports between; ours keeps the newest ten",
	},
	{
		regexp.MustCompile(`^exemplars .*delta.*duration.*bucket.*: none, got `),
		"contrib loses the exemplars of a delta histogram when it adds the point to those before",
	},
}

// Contrib's exporter and ours get the same exports. What Prometheus' parsers understand of their pages must be the same.
func TestSameAsContrib(t *testing.T) {
	seen := make([]bool, len(differences))
	for name, config := range map[string]map[string]any{
		"defaults":         {},
		"open metrics":     {"enable_open_metrics": true},
		"timestamps":       {"send_timestamps": true, "enable_open_metrics": true},
		"namespace":        {"namespace": "test-space", "const_labels": map[string]any{"label1": "value1", "another label": "spaced value"}},
		"plain namespace":  {"namespace": "shop", "without_scope_info": true},
		"digit namespace":  {"namespace": "9lives"},
		"digit, no suffix": {"namespace": "9lives", "translation_strategy": "UnderscoreEscapingWithoutSuffixes"},
		"without suffixes": {"translation_strategy": "UnderscoreEscapingWithoutSuffixes", "namespace": "a.b", "enable_open_metrics": true},
		"utf-8":            {"translation_strategy": "NoUTF8EscapingWithSuffixes", "namespace": "a.b"},
		"no translation":   {"translation_strategy": "NoTranslation"},
		"suffixes anyway":  {"add_metric_suffixes": false},
		"resource labels":  {"resource_to_telemetry_conversion": map[string]any{"enabled": true}},
		"some of them":     {"resource_constant_labels": map[string]any{"included": []any{"host.*", "process.pid"}, "excluded": []any{"process.*"}}},
		"without identity": {"resource_to_telemetry_conversion": map[string]any{"enabled": true, "exclude_service_attributes": true}},
	} {
		t.Run(name, func(t *testing.T) {
			theirs := start(t, contrib.NewFactory(), config)
			ours := start(t, prometheusexporter.NewFactory(), config)
			traffic := newTraffic(1)
			if config["without_scope_info"] == true {
				traffic.scopes = 1 // or they write the same series
			}
			for round := range 3 {
				md := traffic.export()
				theirs.push(t, md)
				ours.push(t, md)
				for _, accept := range accepts(round == 2, config) {
					want, got := theirs.page(t, accept), ours.page(t, accept)
					assert.Greater(t, len(want.Series), 100)
					for _, line := range pagetest.Diff(want, got) {
						if !expected(line, seen) {
							t.Errorf("%s: %s", accept, line)
						}
					}
				}
				if t.Failed() {
					return
				}
			}
		})
	}
	for i, d := range differences {
		assert.True(t, seen[i], "never seen: %s", d.why)
	}
}

// accepts are the formats, at last also with the escapings that make a difference.
func accepts(last bool, config map[string]any) []string {
	all := []string{acceptText, acceptOpenMetrics, acceptProtobuf}
	if !last {
		return all
	}
	escapings := []string{"allow-utf-8"}
	if strategy, _ := config["translation_strategy"].(string); config["const_labels"] != nil || strings.HasPrefix(strategy, "No") {
		escapings = append(escapings, "dots", "values")
	}
	for _, escaping := range escapings {
		for _, format := range all[:3] {
			all = append(all, format+";escaping="+escaping)
		}
	}
	return all
}

func expected(line string, seen []bool) bool {
	for i, d := range differences {
		if d.pattern.MatchString(line) {
			seen[i] = true
			return true
		}
	}
	return false
}
