package docs_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusremotewriteexporter"
	"github.com/prometheus/prometheus/config"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.yaml.in/yaml/v3"

	"github.com/tailgate-otel/tailgate/exporters/prometheusexporter"
	"github.com/tailgate-otel/tailgate/exporters/prometheusstoreexporter"
	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension"
	"github.com/tailgate-otel/tailgate/internal/testkit/readme"
)

const migrationDocument = "migrating-to-the-store.md"

// kinds are the components that the document configures, by the section that they stand in.
var kinds = map[string][]component.Factory{
	"extensions": {prometheusstoreextension.NewFactory()},
	"exporters": {
		prometheusexporter.NewFactory(), prometheusstoreexporter.NewFactory(), prometheusremotewriteexporter.NewFactory(),
	},
}

// Each configuration in the document is one that its program takes.
func TestMigrationDocument(t *testing.T) {
	seen := map[string]int{}
	for _, block := range readme.Blocks(t, migrationDocument) {
		seen[block.Info]++
		switch block.Info {
		case "yaml", "yaml before":
			assert.NotZero(t, load(t, block), "%s configures nothing", block.Place)
		case "yaml prometheus.yml":
			_, err := config.Load(block.Text, slog.New(slog.DiscardHandler))
			assert.NoError(t, err, block.Place)
		case "yaml grafana":
			var provisioned struct{ Datasources []struct{ Type, URL string } }
			require.NoError(t, yaml.Unmarshal([]byte(block.Text), &provisioned), block.Place)
			assert.Len(t, provisioned.Datasources, 1, block.Place)
		}
	}
	for _, info := range []string{"yaml", "yaml before", "yaml prometheus.yml", "yaml grafana"} {
		assert.NotZero(t, seen[info], "blocks of %s", info)
	}
}

// load loads all components of the block, and returns how many.
func load(t *testing.T, block readme.Block) (loaded int) {
	t.Helper()
	for kind, factories := range kinds {
		for _, factory := range factories {
			newConfig := func() any { return factory.CreateDefaultConfig() }
			loaded += len(block.Load(t, kind, factory.Type().String(), newConfig))
		}
	}
	return loaded
}

// The prometheus.yml and what it becomes are the same, but for the job that scraped the collector.
func TestSectionsOfPrometheusAreTakenOver(t *testing.T) {
	var before, after map[string]any
	for _, block := range readme.Blocks(t, migrationDocument) {
		switch {
		case block.Info == "yaml prometheus.yml":
			require.NoError(t, yaml.Unmarshal([]byte(block.Text), &before), block.Place)
		case block.Info == "yaml" && before != nil && after == nil:
			var collector struct{ Extensions map[string]map[string]any }
			require.NoError(t, yaml.Unmarshal([]byte(strings.ReplaceAll(block.Text, "$$", "$")), &collector), block.Place)
			after = collector.Extensions["prometheusstore"]
		}
	}
	require.NotEmpty(t, before)
	for section, want := range before {
		if jobs, ok := want.([]any); ok && section == "scrape_configs" {
			want = jobs[:len(jobs)-1]
		}
		assert.Equal(t, want, after[section], section)
	}
}

// The store refuses what the document says it does not take over, by name.
func TestKeysThatAreNotTakenOver(t *testing.T) {
	for _, row := range readme.Table(t, migrationDocument, "### What is not taken over") {
		key, _ := readme.Code(row["key"])
		block := readme.Block{Text: key + ": {}"}
		err := block.Conf(t).Unmarshal(prometheusstoreextension.NewFactory().CreateDefaultConfig())
		assert.ErrorContains(t, err, key)
	}
	block := readme.Block{Text: "scrape_configs: [{job_name: a, consul_sd_configs: [{server: localhost}]}]"}
	cfg := prometheusstoreextension.NewFactory().CreateDefaultConfig().(*prometheusstoreextension.Config)
	require.NoError(t, block.Conf(t).Unmarshal(cfg))
	assert.ErrorContains(t, cfg.Validate(), "consul_sd_configs")
}
