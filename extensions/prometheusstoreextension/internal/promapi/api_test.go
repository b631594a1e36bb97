package promapi_test

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/promapi"
)

// TestVersion fails when the pin moves: then check each argument of NewAPI against the new signature's meaning, not only
// that it compiles, and change Version.
func TestVersion(t *testing.T) {
	mod, err := os.ReadFile("../../../../go.mod")
	require.NoError(t, err)
	pin := regexp.MustCompile(`(?m)^\s*github\.com/prometheus/prometheus v0\.(\d)(\d+)\.(\d+)$`).FindSubmatch(mod)
	require.NotNil(t, pin, "go.mod pins github.com/prometheus/prometheus")
	assert.Equal(t, fmt.Sprintf("%s.%s.%s", pin[1], pin[2], pin[3]), promapi.Version)
}
