package prometheusstoreexporter_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.yaml.in/yaml/v3"

	"github.com/tailgate-otel/tailgate/exporters/prometheusstoreexporter"
)

// The configuration in the README is one that works, and its tables have every key and every reason.
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
	section, err := conf.Sub("exporters::prometheusstore")
	require.NoError(t, err)
	cfg := prometheusstoreexporter.NewFactory().CreateDefaultConfig()
	require.NoError(t, section.Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))

	for _, key := range []string{
		"store", "translation_strategy", "promote_resource_attributes", "keep_identifying_resource_attributes",
		"promote_scope_metadata", "timeout", "retry_on_failure::…", "sending_queue::…",
	} {
		assert.Contains(t, string(text), "\n| `"+key+"` |")
	}
	metadata, err := os.ReadFile("metadata.yaml")
	require.NoError(t, err)
	var declared struct {
		Attributes map[string]struct{ Enum []string }
	}
	require.NoError(t, yaml.Unmarshal(metadata, &declared))
	require.NotEmpty(t, declared.Attributes["reason"].Enum)
	for _, reason := range declared.Attributes["reason"].Enum {
		assert.Contains(t, string(text), "\n| `"+reason+"` |")
	}
}
