package promfront

import (
	"errors"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// zeroReach is how long before the first sample a start time may lie to get a zero sample: half of a TSDB's block, as far
// as a new series may reach back. Older ones would bring nothing, queries for rates look back for less, and the first
// sample of an empty database would open its head that far back.
const zeroReach = time.Hour

// startAt notes when the point's series were 0. If that is news, because they are new or have restarted, it says so with a
// zero sample, without which the first increase is lost: increase() of a counter whose first sample is 5 is 0. The time
// of the zero is the true start, not the last flush, because a short interval would make a spike of it.
func (w *writer) startAt(begin pcommon.Timestamp) {
	s := w.pt.stream
	if w.pt.family.kind.delta() {
		w.pt.st = millis(begin)
	}
	if s.start == begin || begin == 0 {
		return
	}
	fresh, later := s.start == 0, begin > s.start
	w.touch(s)
	s.start = begin
	if !w.front.opts.ZeroSamples || !fresh && !later || w.pt.noValue {
		return
	}
	t := millis(begin)
	if t >= w.pt.t || t <= s.t || w.pt.t-t > zeroReach.Milliseconds() || begin < w.oldest {
		return
	}
	for i := range s.refs {
		w.zero(i, t)
	}
}

// zero appends a zero sample, if nothing of the series lies after it. That something does is normal after a restart of
// the collector, and no error.
func (w *writer) zero(i int, t int64) {
	s := w.pt.stream
	if w.err != nil || !w.startsAtZero(i) {
		return
	}
	ls := labels.EmptyLabels()
	if s.refs[i] == 0 {
		if w.translate() != nil {
			return
		}
		ls = w.pt.labels[i]
	}
	opts := w.opts
	opts.Exemplars, opts.RejectOutOfOrder = nil, true
	ref, err := w.appender().Append(s.refs[i], ls, 0, t, 0, w.zeroHistogram(i), nil, opts)
	if errors.Is(err, storage.ErrDuplicateSampleForTimestamp) && t+1 < w.pt.t {
		// The first interval of a delta stream begins where the last one, before a restart, has ended.
		ref, err = w.app.Append(s.refs[i], ls, 0, t+1, 0, w.zeroHistogram(i), nil, opts)
	}
	if err == nil {
		s.refs[i] = ref
		w.appended++
		w.tally.Zeros++
		return
	}
	if _, ok := ReasonOf(err); !ok {
		w.fail(err)
	}
}

// startsAtZero is false for the quantiles of a summary.
func (w *writer) startsAtZero(i int) bool {
	return i < summaryQuantiles || w.pt.family.kind.metricType() != pmetric.MetricTypeSummary
}

// zeroHistogram is the empty histogram for a native series, nil for others. It has the layout of what follows, so that
// no new chunk is cut.
func (w *writer) zeroHistogram(i int) *histogram.Histogram {
	k := w.pt.family.kind
	switch {
	case !w.front.isNative(k, w.pt.stream, i):
		return nil
	case k.metricType() == pmetric.MetricTypeHistogram:
		return &histogram.Histogram{
			CounterResetHint: histogram.CounterReset,
			Schema:           histogram.CustomBucketsSchema,
			CustomValues:     w.pt.stream.bounds,
		}
	}
	return &histogram.Histogram{
		CounterResetHint: histogram.CounterReset,
		Schema:           min(w.pt.exponential.Scale(), histogram.ExponentialSchemaMax),
		ZeroThreshold:    zeroThreshold,
	}
}
