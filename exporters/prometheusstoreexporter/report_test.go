package prometheusstoreexporter

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"go.yaml.in/yaml/v3"

	"github.com/tailgate-otel/tailgate/internal/promfront"
)

// The reasons in code and in metadata.yaml, from which documentation and dashboards come, are the same sets.
func TestReasonsAreThoseOfTheMetadata(t *testing.T) {
	text, err := os.ReadFile("metadata.yaml")
	require.NoError(t, err)
	var metadata struct {
		Attributes map[string]struct{ Enum []string }
	}
	require.NoError(t, yaml.Unmarshal(text, &metadata))
	var reasons, exemplarReasons []string
	for why := range promfront.ReasonCount {
		reasons = append(reasons, why.String())
		assert.NotEmpty(t, why.Hint(), why)
	}
	for why := range promfront.ExemplarReasonCount {
		exemplarReasons = append(exemplarReasons, why.String())
	}
	assert.Equal(t, metadata.Attributes["reason"].Enum, reasons)
	assert.Equal(t, metadata.Attributes["exemplar_reason"].Enum, exemplarReasons)
}

// A sender that is refused at every export fills the counters, not the log.
func TestReportIsRateLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		r := newReport(zap.New(core))
		refused := func(n int64) promfront.Tally {
			counted := promfront.Tally{}
			counted.Refused[promfront.Duplicate] = n
			counted.Examples[promfront.Duplicate] = "an example"
			return counted
		}
		r.say(promfront.Tally{Samples: 5})
		require.Empty(t, logs.All(), "nothing refused, nothing said")

		for range 11 { // at 0s, 10s … 100s
			r.say(refused(2))
			time.Sleep(10 * time.Second) // of the bubble's clock
		}
		lines := logs.TakeAll()
		require.Len(t, lines, 2)
		assert.Equal(t, map[string]any{
			"reason": "duplicate", "count": int64(2), "example": "an example", "hint": promfront.Duplicate.Hint(),
		}, lines[0].ContextMap())
		assert.Equal(t, int64(12), lines[1].ContextMap()["count"], "six more calls, the one at 60s included")
	})
}
