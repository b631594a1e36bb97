package promfront_test

import (
	"context"
	"testing"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/internal/promfront"
)

// hole is a storage that keeps nothing, and is one appender for ever.
type hole struct{ last storage.SeriesRef }

func (h *hole) AppenderV2(context.Context) storage.AppenderV2 { return h }

func (h *hole) Append(
	ref storage.SeriesRef, _ labels.Labels, _, _ int64, _ float64,
	_ *histogram.Histogram, _ *histogram.FloatHistogram, _ storage.AppendV2Options,
) (storage.SeriesRef, error) {
	if ref == 0 {
		h.last++
		return h.last, nil
	}
	return ref, nil
}

func (*hole) Commit() error   { return nil }
func (*hole) Rollback() error { return nil }

// A known series costs no allocation; what is left does not depend on their number.
func TestKnownSeriesAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool forget")
	}
	front, err := promfront.New(&hole{}, promfront.Options{Strategy: strategies[0], ZeroSamples: true, StaleAfter: 1})
	require.NoError(t, err)
	md := fleet(5)
	stampAll(md, at(10))
	write := func() {
		_, err := front.Write(t.Context(), md)
		require.NoError(t, err)
	}
	write()
	write()
	require.Zero(t, testing.AllocsPerRun(100, write))
}
