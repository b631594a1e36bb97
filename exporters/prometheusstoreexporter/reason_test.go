package prometheusstoreexporter

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"go.yaml.in/yaml/v3"

	"github.com/tailgate-otel/tailgate/internal/promstore"
)

func TestErrorsOfTheStoreHaveReasons(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want string
	}{
		{storage.ErrOutOfOrderSample, "out_of_order"},
		{storage.ErrTooOldSample, "too_old"},
		{storage.ErrOutOfBounds, "too_old"},
		{promstore.ErrTooFarAhead, "too_far_ahead"},
		{storage.ErrDuplicateSampleForTimestamp, "duplicate"},
		{fmt.Errorf("3 observations: %w", histogram.ErrHistogramCountMismatch), "bad_histogram"},
		{fmt.Errorf(`label name "a" is not unique: %w`, tsdb.ErrInvalidSample), "bad_labels"},
	} {
		why, ok := sampleReason(tc.err)
		assert.True(t, ok, tc.err)
		assert.Equal(t, tc.want, reasonNames[why], tc.err)
	}
	for _, err := range []error{promstore.ErrNotOpen, os.ErrClosed, errors.New("no space left on device")} {
		_, ok := sampleReason(err)
		assert.False(t, ok, "%v is not about the sample", err)
	}
	for err, want := range map[error]string{
		storage.ErrOutOfOrderExemplar:  "out_of_order",
		storage.ErrExemplarLabelLength: "too_long",
		storage.ErrExemplarsDisabled:   "disabled",
		errors.New("else"):             "other",
	} {
		assert.Equal(t, want, exemplarWhyNames[exemplarReason(err)], err)
	}
}

// The reasons in code and in metadata.yaml, from which documentation and dashboards come, are the same sets.
func TestReasonsAreThoseOfTheMetadata(t *testing.T) {
	text, err := os.ReadFile("metadata.yaml")
	require.NoError(t, err)
	var metadata struct {
		Attributes map[string]struct{ Enum []string }
	}
	require.NoError(t, yaml.Unmarshal(text, &metadata))
	assert.Equal(t, metadata.Attributes["reason"].Enum, reasonNames[:])
	assert.Equal(t, metadata.Attributes["exemplar_reason"].Enum, exemplarWhyNames[:])
	for why, hint := range hints {
		assert.NotEmpty(t, hint, reasonNames[why])
	}
}

// A sender that is refused at every export fills the counters, not the log.
func TestReportIsRateLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		r := newReport(zap.New(core))
		refused := func(n int64) *tally {
			counted := &tally{}
			counted.refused[reasonDuplicate] = n
			counted.examples[reasonDuplicate] = "an example"
			return counted
		}
		r.say(&tally{samples: 5})
		require.Empty(t, logs.All(), "nothing refused, nothing said")

		for range 11 { // at 0s, 10s … 100s
			r.say(refused(2))
			time.Sleep(10 * time.Second) // of the bubble's clock
		}
		lines := logs.TakeAll()
		require.Len(t, lines, 2)
		assert.Equal(t, map[string]any{
			"reason": "duplicate", "count": int64(2), "example": "an example", "hint": hints[reasonDuplicate],
		}, lines[0].ContextMap())
		assert.Equal(t, int64(12), lines[1].ContextMap()["count"], "six more calls, the one at 60s included")
	})
}
