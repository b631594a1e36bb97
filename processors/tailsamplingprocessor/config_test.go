package tailsamplingprocessor

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	contrib "github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/tailgate-otel/tailgate/internal/quantity"
	"github.com/tailgate-otel/tailgate/internal/testkit/readme"
)

var rewrite = flag.Bool("rewrite", false, "write the errors into testdata/config/bad_*.yaml")

func load(t testing.TB, file string) (*Config, error) {
	t.Helper()
	conf, err := confmaptest.LoadConf(file)
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	if err := conf.Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

func configs(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/config/" + pattern)
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

func TestGoodConfigs(t *testing.T) {
	for _, file := range configs(t, "good_*.yaml") {
		_, err := load(t, file)
		assert.NoError(t, err, file)
	}
}

// Each bad file ends with the whole error that it gives, as comments; -rewrite writes them.
func TestBadConfigs(t *testing.T) {
	for _, file := range configs(t, "bad_*.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			_, err := load(t, file)
			require.Error(t, err)
			got := "# " + strings.ReplaceAll(err.Error(), "\n", "\n# ") + "\n"
			text := readme.Read(t, file)
			config, want, _ := strings.Cut(text, "\n# ")
			if *rewrite {
				require.NoError(t, os.WriteFile(file, []byte(strings.TrimSuffix(config, "\n")+"\n"+got), 0o600))
				return
			}
			assert.Equal(t, got, "# "+want)
		})
	}
}

// The full configuration leaves no key at its default, and each arrives.
func TestFullConfigIsRead(t *testing.T) {
	conf, err := confmaptest.LoadConf("testdata/config/good_full.yaml")
	require.NoError(t, err)
	cfg, err := load(t, "testdata/config/good_full.yaml")
	require.NoError(t, err)
	loaded, defaults := marshal(t, cfg), marshal(t, createDefaultConfig())
	for _, key := range readme.Keys(createDefaultConfig()) {
		if key == "policies_file" { // excludes policies
			continue
		}
		assert.True(t, conf.IsSet(key), "%s is not in the file", key)
		if key != "sampling_strategy" { // the other value excludes rules
			assert.NotEqual(t, defaults.Get(key), loaded.Get(key), key)
		}
	}
	assert.Equal(t, quantity.Bytes(4<<30), cfg.MaxBuffer)
	assert.Equal(t, uint64(200_000), cfg.NumTraces)
	assert.Equal(t, StorageConfig{Directory: "data/sampler", OnFailure: onFailureMemory}, *cfg.Storage.Get())
	assert.Equal(t, AdaptiveWaitConfig{Quantile: 0.999, Minimum: 500 * time.Millisecond, IdleTimeout: 4 * time.Second}, cfg.AdaptiveWait)
	assert.Equal(t, 30*time.Second, cfg.Rules[3].Then.Dynamic.AdjustmentInterval)
}

func marshal(t *testing.T, cfg any) *confmap.Conf {
	t.Helper()
	conf := confmap.New()
	require.NoError(t, conf.Marshal(cfg))
	return conf
}

// A limit in bytes is meant to be the limit; a limit in traces that is written down stays.
func TestLimitsFollowMaxBuffer(t *testing.T) {
	for name, c := range map[string]struct {
		yaml   string
		traces uint64
		rescue quantity.Bytes
		mode   string
	}{
		"neither":         {"{}", 50_000, 64 << 20, overloadRefuse},
		"bytes":           {"{max_buffer: 2GiB}", 0, 64 << 20, overloadSample},
		"few bytes":       {"{max_buffer: 64MiB}", 0, 8 << 20, overloadSample},
		"traces":          {"{num_traces: 7}", 7, 64 << 20, overloadRefuse},
		"both":            {"{max_buffer: 2GiB, num_traces: 7}", 7, 64 << 20, overloadSample},
		"both, unlimited": {"{max_buffer: 2GiB, num_traces: 0, rescue_buffer: 1GiB}", 0, 1 << 30, overloadSample},
		"mode alone":      {"{overload: {mode: sample}}", 50_000, 64 << 20, overloadSample},
		"bytes and mode":  {"{max_buffer: 2GiB, overload: {mode: refuse}}", 0, 64 << 20, overloadRefuse},
	} {
		cfg := configFrom(t, c.yaml)
		assert.Equal(t, c.traces, cfg.NumTraces, name)
		assert.Equal(t, c.rescue, cfg.RescueBuffer, name)
		assert.Equal(t, c.mode, cfg.Overload.Mode, name)
	}
}

// What contrib's configuration has, ours has, with the same default.
func TestDefaultsAreContribs(t *testing.T) {
	theirs := contrib.NewFactory().CreateDefaultConfig()
	ours, want := marshal(t, createDefaultConfig()), marshal(t, theirs)
	keys := readme.Keys(theirs)
	assert.GreaterOrEqual(t, len(keys), 13)
	for _, key := range keys {
		assert.Contains(t, readme.Keys(createDefaultConfig()), key)
		assert.EqualValues(t, want.Get(key), ours.Get(key), key)
	}
}

// contrib's own examples are configurations of ours that start and stop. One that contrib refuses, we refuse.
func TestContribsExamplesWork(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}",
		"github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor").Output()
	require.NoError(t, err)
	dir := strings.TrimSpace(string(out))
	blocks := readme.YAML(t, filepath.Join(dir, "README.md"))
	blocks = append(blocks, readme.Block{
		Place: "tail_sampling_config.yaml", Text: readme.Read(t, filepath.Join(dir, "testdata", "tail_sampling_config.yaml")),
	})
	tried := 0
	for _, block := range blocks {
		section := contribSection(t, block)
		if section == nil {
			continue
		}
		theirs, ours := contrib.NewFactory().CreateDefaultConfig(), createDefaultConfig().(*Config)
		if err := section.Unmarshal(theirs); err != nil {
			require.Error(t, section.Unmarshal(ours), block.Place)
			continue
		}
		require.NoError(t, section.Unmarshal(ours), block.Place)
		require.NoError(t, confmap.Validate(ours), block.Place)
		startAndStop(t, block.Place, ours)
		tried++
	}
	assert.GreaterOrEqual(t, tried, 3)
}

// contribSection returns what is below tail_sampling, which contrib's documents have below processors or at the top; nil if
// the block is about something else.
func contribSection(t *testing.T, block readme.Block) *confmap.Conf {
	t.Helper()
	conf := block.Conf(t)
	for _, key := range []string{"processors::tail_sampling", "tail_sampling"} {
		if conf.IsSet(key) {
			section, err := conf.Sub(key)
			require.NoError(t, err, block.Place)
			return section
		}
	}
	return nil
}

// Every good configuration starts and stops.
func TestGoodConfigsStart(t *testing.T) {
	for _, file := range configs(t, "good_*.yaml") {
		cfg, err := load(t, file)
		require.NoError(t, err)
		if s := cfg.Storage.Get(); s != nil {
			s.Directory = t.TempDir()
		}
		startAndStop(t, file, cfg)
	}
}

// What only the start can find out names the key as well.
func TestErrorsOfStartNameTheKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, c := range map[string]struct{ yaml, want string }{
		"a file for a directory": {"{storage: {directory: " + file + "}}", "storage::directory: "},
		"no such address":        {"{debug: {endpoint: '256.0.0.1:99999'}}", "debug::endpoint: "},
		"no such extension":      {"{policies: [{name: a, type: nobody, nobody: {}}]}", "policies[0].type: no extension \"nobody\""},
	} {
		p := newTestSampler(t, configFrom(t, c.yaml))
		assert.ErrorContains(t, p.Start(context.Background(), documentedHost{}), c.want, name)
		assert.NoError(t, p.Shutdown(context.Background()), name)
	}
}
