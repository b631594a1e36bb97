package ruling

import (
	"context"
	"errors"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/storage"
)

// appendableV1 gives a writer of the old interface, which the rule manager of v0.314 still is, the new one: so that rule
// results take the same way in as all other samples. From v0.316 on the manager takes an AppendableV2, and this goes.
type appendableV1 struct{ storage.AppendableV2 }

func (a appendableV1) Appender(ctx context.Context) storage.Appender {
	return &appenderV1{a.AppenderV2(ctx)}
}

// appenderV1 is one batch. It lets nothing in out of order: evaluation only moves forward, and what comes late is of a
// clock that was set back. The manager asks for that itself, but forgets it for histograms and for the stale marker of a
// rule that has no more results.
type appenderV1 struct{ storage.AppenderV2 }

func (a *appenderV1) Append(ref storage.SeriesRef, ls labels.Labels, t int64, v float64) (storage.SeriesRef, error) {
	return a.AppenderV2.Append(ref, ls, 0, t, v, nil, nil, storage.AppendV2Options{RejectOutOfOrder: true})
}

func (a *appenderV1) AppendHistogram(
	ref storage.SeriesRef, ls labels.Labels, t int64, h *histogram.Histogram, fh *histogram.FloatHistogram,
) (storage.SeriesRef, error) {
	return a.AppenderV2.Append(ref, ls, 0, t, 0, h, fh, storage.AppendV2Options{RejectOutOfOrder: true})
}

// SetOptions has only one option, which is always on.
func (*appenderV1) SetOptions(*storage.AppendOptions) {}

// errNotForRules is the answer to what a rule has no use for.
var errNotForRules = errors.New("rules write samples only")

func (*appenderV1) AppendExemplar(storage.SeriesRef, labels.Labels, exemplar.Exemplar) (storage.SeriesRef, error) {
	return 0, errNotForRules
}

func (*appenderV1) UpdateMetadata(storage.SeriesRef, labels.Labels, metadata.Metadata) (storage.SeriesRef, error) {
	return 0, errNotForRules
}

func (*appenderV1) AppendSTZeroSample(storage.SeriesRef, labels.Labels, int64, int64) (storage.SeriesRef, error) {
	return 0, errNotForRules
}

func (*appenderV1) AppendHistogramSTZeroSample(
	storage.SeriesRef, labels.Labels, int64, int64, *histogram.Histogram, *histogram.FloatHistogram,
) (storage.SeriesRef, error) {
	return 0, errNotForRules
}
