package prometheusstoreexporter_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tailgate-otel/tailgate/exporters/prometheusstoreexporter"
	"github.com/tailgate-otel/tailgate/internal/testkit/readme"
)

func newDefaults() any { return prometheusstoreexporter.NewFactory().CreateDefaultConfig() }

// The configuration in the README is one that works, and its tables have every key with its default and every reason.
func TestReadmeIsTrue(t *testing.T) {
	for _, block := range readme.YAML(t, "README.md") {
		assert.NotEmpty(t, block.Load(t, "exporters", "prometheusstore", newDefaults), block.Place)
	}
	readme.CheckKeys(t, readme.Table(t, "README.md", "## Keys"), newDefaults)

	metadata, err := os.ReadFile("metadata.yaml")
	require.NoError(t, err)
	var declared struct {
		Attributes map[string]struct{ Enum []string }
	}
	require.NoError(t, yaml.Unmarshal(metadata, &declared))
	var reasons []string
	for _, row := range readme.Table(t, "README.md", "## When something is full or wrong") {
		reason, _ := readme.Code(row["`reason`"])
		reasons = append(reasons, reason)
	}
	assert.ElementsMatch(t, declared.Attributes["reason"].Enum, reasons)
}
