package promfront

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/stretchr/testify/assert"

	"github.com/tailgate-otel/tailgate/internal/promstore"
)

func TestErrorsOfTheStorageHaveReasons(t *testing.T) {
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
		why, ok := ReasonOf(tc.err)
		assert.True(t, ok, tc.err)
		assert.Equal(t, tc.want, why.String(), tc.err)
	}
	for _, err := range []error{promstore.ErrNotOpen, os.ErrClosed, errors.New("no space left on device")} {
		_, ok := ReasonOf(err)
		assert.False(t, ok, "%v is not about the sample", err)
	}
	for err, want := range map[error]string{
		storage.ErrOutOfOrderExemplar:  "out_of_order",
		storage.ErrExemplarLabelLength: "too_long",
		storage.ErrExemplarsDisabled:   "disabled",
		errors.New("else"):             "other",
	} {
		assert.Equal(t, want, exemplarReasonOf(err).String(), err)
	}
}
