package prometheusstorereceiver_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.yaml.in/yaml/v3"

	"github.com/tailgate-otel/tailgate/internal/testkit/readme"
	"github.com/tailgate-otel/tailgate/receivers/prometheusstorereceiver"
)

func load(t *testing.T, file string) (*prometheusstorereceiver.Config, error) {
	t.Helper()
	conf, err := confmaptest.LoadConf(file)
	require.NoError(t, err)
	cfg := prometheusstorereceiver.NewFactory().CreateDefaultConfig().(*prometheusstorereceiver.Config)
	if err := conf.Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestDefaultConfig(t *testing.T) {
	cfg, err := load(t, "testdata/config/good_default.yaml")
	require.NoError(t, err)
	assert.Equal(t, storeID, cfg.Store)
	assert.Equal(t, []string{"firing", "resolved"}, cfg.States)
}

func TestFullConfigIsRead(t *testing.T) {
	cfg, err := load(t, "testdata/config/good_full.yaml")
	require.NoError(t, err)
	assert.Equal(t, component.MustNewIDWithName("prometheusstore", "long"), cfg.Store)
	assert.Equal(t, []string{"resolved"}, cfg.States)
	assert.Equal(t, 7, cfg.QueueSize)
	assert.Equal(t, 2*time.Second, cfg.Retry.InitialInterval)
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

// The configuration in the README is one that works, and its tables have every key with its default and every reason.
func TestReadmeIsTrue(t *testing.T) {
	defaults := func() any { return prometheusstorereceiver.NewFactory().CreateDefaultConfig() }
	for _, block := range readme.YAML(t, "README.md") {
		assert.NotEmpty(t, block.Load(t, "receivers", "prometheusstore", defaults), block.Place)
	}
	readme.CheckKeys(t, readme.Table(t, "README.md", "## Keys"), defaults)

	metadata, err := os.ReadFile("metadata.yaml")
	require.NoError(t, err)
	var declared struct {
		Attributes map[string]struct{ Enum []string }
	}
	require.NoError(t, yaml.Unmarshal(metadata, &declared))
	var reasons []string
	for _, row := range readme.Table(t, "README.md", "## When it is full") {
		reason, _ := readme.Code(row["`reason`"])
		reasons = append(reasons, reason)
	}
	assert.ElementsMatch(t, declared.Attributes["reason"].Enum, reasons)
}
