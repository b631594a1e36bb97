package prometheusexporter_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	contrib "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusexporter"
	"github.com/prometheus/otlptranslator"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/featuregate"

	"github.com/tailgate-otel/tailgate/exporters/prometheusexporter"
	"github.com/tailgate-otel/tailgate/internal/confkeys"
	"github.com/tailgate-otel/tailgate/internal/exposition"
	"github.com/tailgate-otel/tailgate/internal/quantity"
	"github.com/tailgate-otel/tailgate/internal/testkit/readme"
)

func newDefaults() any { return prometheusexporter.NewFactory().CreateDefaultConfig() }

func load(t *testing.T, conf *confmap.Conf) (*prometheusexporter.Config, error) {
	t.Helper()
	cfg := newDefaults().(*prometheusexporter.Config)
	if err := conf.Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

func loadFile(t *testing.T, file string) (*prometheusexporter.Config, error) {
	t.Helper()
	conf, err := confmaptest.LoadConf(file)
	require.NoError(t, err)
	return load(t, conf)
}

func TestFullConfigIsRead(t *testing.T) {
	cfg, err := loadFile(t, "testdata/config/good_full.yaml")
	require.NoError(t, err)
	assert.Equal(t, "localhost:8889", cfg.Server.NetAddr.Endpoint)
	assert.Equal(t, 2*time.Minute, cfg.Server.IdleTimeout) //nolint:staticcheck // where the collector puts keepalive
	assert.Equal(t, 10*time.Second, cfg.Server.ReadHeaderTimeout)
	assert.Equal(t, "shop", cfg.Namespace)
	assert.Equal(t, map[string]string{"cluster": "west", "another label": "spaced value"}, cfg.ConstLabels)
	assert.True(t, cfg.SendTimestamps)
	assert.Equal(t, quantity.Duration(3*time.Hour), cfg.MetricExpiration)
	assert.Equal(t, []string{"k8s.*"}, cfg.ResourceConstantLabels.Included)
	assert.Equal(t, []string{"k8s.pod.uid"}, cfg.ResourceConstantLabels.Excluded)
	assert.True(t, cfg.EnableOpenMetrics)
	assert.True(t, cfg.WithoutScopeInfo)
	assert.False(t, cfg.AddMetricSuffixes)
	assert.Equal(t, otlptranslator.NoUTF8EscapingWithSuffixes, cfg.TranslationStrategy)
	require.True(t, cfg.Queue.HasValue())
	assert.Equal(t, int64(500), cfg.Queue.Get().QueueSize)
	assert.True(t, cfg.CreatedSamples)
	assert.Equal(t, exposition.CompressAlways, cfg.Compression)
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
			_, err = loadFile(t, file)
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

// Every key of contrib's is one of ours, and means the same if it is not written.
func TestHasContribsKeysAndDefaults(t *testing.T) {
	theirs := contrib.NewFactory().CreateDefaultConfig()
	ours := confkeys.Fields(reflect.TypeOf(newDefaults()))
	for key := range confkeys.Fields(reflect.TypeOf(theirs)) {
		assert.Contains(t, ours, key)
	}
	written := confmap.New()
	require.NoError(t, written.Marshal(theirs))
	defaults := confmap.New()
	require.NoError(t, defaults.Marshal(newDefaults()))
	got := defaults.ToStringMap()
	for key, value := range written.ToStringMap() {
		if key == "metric_expiration" {
			continue // written in another notation
		}
		assert.EqualValues(t, value, got[key], key)
	}
	assert.EqualValues(t, theirs.(*contrib.Config).MetricExpiration, newDefaults().(*prometheusexporter.Config).MetricExpiration)
}

// The configurations that contrib tests its exporter with, and the one of its README, are good ones of ours.
func TestLoadsContribsExamples(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}",
		"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusexporter").Output()
	require.NoError(t, err)
	dir := strings.TrimSpace(string(out))

	conf, err := confmaptest.LoadConf(filepath.Join(dir, "testdata", "config.yaml"))
	require.NoError(t, err)
	loaded := map[string]*prometheusexporter.Config{}
	for id := range conf.ToStringMap() {
		section, err := conf.Sub(id)
		require.NoError(t, err)
		if !section.IsSet("endpoint") { // contrib notices only when the exporter is created
			require.NoError(t, section.Merge(confmap.NewFromStringMap(map[string]any{"endpoint": "localhost:0"})))
		}
		loaded[id], err = load(t, section)
		require.NoError(t, err, id)
	}
	assert.Len(t, loaded, 3)
	full := loaded["prometheus/2"]
	assert.Equal(t, "test-space", full.Namespace)
	assert.Equal(t, quantity.Duration(time.Hour), full.MetricExpiration)
	assert.Equal(t, "certs/ca.crt", full.Server.TLS.Get().CAFile)
	assert.Equal(t, []string{"service.name", "k8s.pod.name"}, loaded["prometheus/3"].ResourceConstantLabels.Included)

	blocks := readme.YAML(t, filepath.Join(dir, "README.md"))
	assert.NotEmpty(t, blocks[0].Load(t, "exporters", "prometheus", newDefaults), blocks[0].Place)
}

// Contrib's gates are there, and mean the same.
func TestContribsFeatureGates(t *testing.T) {
	const suffixes, conversion = "exporter.prometheusexporter.DisableAddMetricSuffixes", "exporter.prometheus.DisableResourceToTelemetryConversion"
	gates := map[string]bool{}
	featuregate.GlobalRegistry().VisitAll(func(g *featuregate.Gate) { gates[g.ID()] = g.IsEnabled() })
	assert.Subset(t, gates, map[string]bool{suffixes: true, conversion: false})

	set := func(id string, on bool) {
		before := gates[id]
		require.NoError(t, featuregate.GlobalRegistry().Set(id, on))
		t.Cleanup(func() { require.NoError(t, featuregate.GlobalRegistry().Set(id, before)) })
	}
	set(conversion, true)
	_, err := load(t, confmap.NewFromStringMap(map[string]any{
		"endpoint": "localhost:0", "resource_to_telemetry_conversion": map[string]any{"enabled": true},
	}))
	assert.ErrorContains(t, err, conversion)

	set(suffixes, false)
	config := map[string]any{"add_metric_suffixes": false}
	theirs, ours := start(t, contrib.NewFactory(), config), start(t, prometheusexporter.NewFactory(), config)
	md := newTraffic(1).export()
	theirs.push(t, md)
	ours.push(t, md)
	page := ours.page(t, acceptText)
	assert.Contains(t, page.Types, "http_requests")
	assert.Equal(t, theirs.page(t, acceptText), page)
}

// The configuration in the README is one that works, and its tables have every key with its default and every reason.
func TestReadmeIsTrue(t *testing.T) {
	for _, block := range readme.YAML(t, "README.md") {
		assert.NotEmpty(t, block.Load(t, "exporters", "prometheus", newDefaults), block.Place)
	}
	readme.CheckKeys(t, readme.Table(t, "README.md", "## Keys"), newDefaults)
}
