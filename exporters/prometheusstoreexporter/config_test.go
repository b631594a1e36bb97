package prometheusstoreexporter_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/otlptranslator"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/tailgate-otel/tailgate/exporters/prometheusstoreexporter"
	"github.com/tailgate-otel/tailgate/internal/promfront"
)

func load(t *testing.T, file string) (*prometheusstoreexporter.Config, error) {
	t.Helper()
	conf, err := confmaptest.LoadConf(file)
	require.NoError(t, err)
	cfg := prometheusstoreexporter.NewFactory().CreateDefaultConfig().(*prometheusstoreexporter.Config)
	if err := conf.Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestDefaultConfig(t *testing.T) {
	cfg, err := load(t, "testdata/config/good_default.yaml")
	require.NoError(t, err)
	assert.Equal(t, storeID, cfg.Store)
	assert.Equal(t, otlptranslator.UnderscoreEscapingWithSuffixes, cfg.TranslationStrategy)
	assert.Equal(t, promfront.Classic, cfg.Histograms)
	assert.True(t, cfg.ZeroSamples)
	assert.Equal(t, 1, cfg.StaleAfter)
	assert.Equal(t, prometheusstoreexporter.LimitsConfig{Total: 1_000_000}, cfg.Limits)
	assert.False(t, cfg.Queue.HasValue(), "no queue unless asked for")
	assert.True(t, cfg.Retry.Enabled)
	assert.Equal(t, 30*time.Second, cfg.Retry.MaxElapsedTime)
}

func TestFullConfigIsRead(t *testing.T) {
	cfg, err := load(t, "testdata/config/good_full.yaml")
	require.NoError(t, err)
	assert.Equal(t, component.MustNewIDWithName("prometheusstore", "long"), cfg.Store)
	assert.Equal(t, otlptranslator.NoUTF8EscapingWithSuffixes, cfg.TranslationStrategy)
	assert.Equal(t, []string{"deployment.environment.name", "k8s.namespace.name"}, cfg.PromoteResourceAttributes)
	assert.True(t, cfg.KeepIdentifyingResourceAttributes)
	assert.True(t, cfg.PromoteScopeMetadata)
	assert.Equal(t, promfront.Both, cfg.Histograms)
	assert.False(t, cfg.ZeroSamples)
	assert.Equal(t, 3, cfg.StaleAfter)
	assert.Equal(t, prometheusstoreexporter.LimitsConfig{PerMetric: 10000, PerResource: 20000, Total: 500000}, cfg.Limits)
	assert.Equal(t, 10*time.Second, cfg.Timeout.Timeout)
	require.True(t, cfg.Queue.HasValue())
	assert.Equal(t, int64(500), cfg.Queue.Get().QueueSize)
	assert.Equal(t, time.Minute, cfg.Retry.MaxElapsedTime)
}

// Each bad file says in comments what its error must contain.
func TestBadConfigs(t *testing.T) {
	files, err := filepath.Glob("testdata/config/bad_*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			_, err = load(t, file)
			require.Error(t, err)
			wants := 0
			for line := range strings.Lines(string(text)) {
				if want, ok := strings.CutPrefix(line, "# want: "); ok {
					assert.Contains(t, err.Error(), strings.TrimSpace(want))
					wants++
				}
			}
			assert.Positive(t, wants, "the file says what is wrong with it")
		})
	}
}
