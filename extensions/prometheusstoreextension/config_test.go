package prometheusstoreextension_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension"

	"github.com/tailgate-otel/tailgate/internal/quantity"
)

func load(t *testing.T, file string) (*prometheusstoreextension.Config, error) {
	t.Helper()
	conf, err := confmaptest.LoadConf(file)
	require.NoError(t, err)
	cfg := prometheusstoreextension.NewFactory().CreateDefaultConfig().(*prometheusstoreextension.Config)
	if err := conf.Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestGoodConfigs(t *testing.T) {
	files, err := filepath.Glob("testdata/config/good_*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		_, err := load(t, file)
		assert.NoError(t, err, file)
	}
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

func TestFullConfigIsRead(t *testing.T) {
	cfg, err := load(t, "testdata/config/good_full.yaml")
	require.NoError(t, err)
	assert.Equal(t, "/var/lib/tailgate/prometheus", cfg.Directory)
	assert.Equal(t, prometheusstoreextension.RetentionConfig{
		Time: quantity.Duration(30 * 24 * time.Hour),
		Size: 20 << 30,
	}, cfg.Retention)
	assert.Equal(t, quantity.Duration(time.Hour), cfg.OutOfOrderTimeWindow)
	assert.Equal(t, int64(50_000), cfg.MaxExemplars)
	assert.False(t, cfg.WALCompression)
	assert.Equal(t, prometheusstoreextension.QueryConfig{
		Timeout:        quantity.Duration(90 * time.Second),
		MaxSamples:     10_000_000,
		MaxConcurrency: 8,
		LookbackDelta:  quantity.Duration(90 * time.Second),
	}, cfg.Query)
	assert.Equal(t, "localhost:9095", cfg.HTTP.NetAddr.Endpoint)
	assert.Equal(t, time.Minute, cfg.HTTP.IdleTimeout) //nolint:staticcheck // as in the factory
	assert.Equal(t, "http://localhost:16686/trace/{trace_id}", cfg.Viewer.TraceURL)
}

func TestDurationForms(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "1.5h": 90 * time.Minute, "15d": 360 * time.Hour, "1w2d": 216 * time.Hour, "0s": 0, "-1m": -time.Minute,
	} {
		var d quantity.Duration
		require.NoError(t, d.UnmarshalText([]byte(text)), text)
		assert.Equal(t, want, time.Duration(d), text)
		var again quantity.Duration
		written, err := d.MarshalText()
		require.NoError(t, err)
		require.NoError(t, again.UnmarshalText(written), string(written))
		assert.Equal(t, d, again, "what is written can be read")
	}
	assert.Equal(t, "15d", quantity.Duration(360*time.Hour).String())
}

func TestByteForms(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1024": 1024, "10B": 10, "512MB": 512 << 20, "512 MiB": 512 << 20, "1.5gb": 3 << 29, "2TB": 2 << 40,
	} {
		var b quantity.Bytes
		require.NoError(t, b.UnmarshalText([]byte(text)), text)
		assert.Equal(t, want, int64(b), text)
	}
	for _, text := range []string{"", "MB", "10XB", "1e300", "NaN", "10000000TB"} {
		var b quantity.Bytes
		assert.Error(t, b.UnmarshalText([]byte(text)), text)
	}
}
