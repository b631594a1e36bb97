package prometheusstoreextension_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension"
)

// The configuration in the README is one that works, and its table has every key with its default.
func TestReadmeIsTrue(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "```yaml\n")
	require.True(t, found)
	block, _, _ := strings.Cut(rest, "```")

	retrieved, err := confmap.NewRetrievedFromYAML([]byte(block))
	require.NoError(t, err)
	conf, err := retrieved.AsConf()
	require.NoError(t, err)
	section, err := conf.Sub("extensions::prometheusstore")
	require.NoError(t, err)
	cfg := prometheusstoreextension.NewFactory().CreateDefaultConfig()
	require.NoError(t, section.Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))

	defaults := prometheusstoreextension.NewFactory().CreateDefaultConfig().(*prometheusstoreextension.Config)
	for key, value := range map[string]string{
		"directory":                defaults.Directory,
		"retention::time":          defaults.Retention.Time.String(),
		"out_of_order_time_window": defaults.OutOfOrderTimeWindow.String(),
		"query::timeout":           defaults.Query.Timeout.String(),
		"query::lookback_delta":    defaults.Query.LookbackDelta.String(),
		"http::endpoint":           defaults.HTTP.NetAddr.Endpoint,
	} {
		assert.Regexp(t, "(?m)^\\| `"+key+"` \\| [a-z]+ \\| `"+value+"` \\|", string(text))
	}
	for _, key := range []string{
		"retention::size", "max_exemplars", "wal_compression", "query::max_samples", "query::max_concurrency",
		"viewer::trace_url", "http::write_timeout", "http::read_timeout", "http::read_header_timeout",
	} {
		assert.Contains(t, string(text), "\n| `"+key+"` |")
	}
}
