package prometheusstoreextension_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension"
	"github.com/tailgate-otel/tailgate/internal/testkit/readme"
)

func newDefaults() any { return prometheusstoreextension.NewFactory().CreateDefaultConfig() }

// The configuration in the README is one that works, and its table has every key with its default.
func TestReadmeIsTrue(t *testing.T) {
	for _, block := range readme.YAML(t, "README.md") {
		assert.NotEmpty(t, block.Load(t, "extensions", "prometheusstore", newDefaults), block.Place)
	}
	readme.CheckKeys(t, readme.Table(t, "README.md", "## Keys"), newDefaults)
}
