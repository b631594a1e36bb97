package promfront

import (
	"errors"
	"fmt"
	"math"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

var staleNaN = math.Float64frombits(value.StaleNaN)

// put appends sample i of the point. A known series takes a reference and no labels.
func (w *writer) put(i int, v float64, h *histogram.Histogram) {
	ref := &w.pt.stream.refs[i]
	if *ref == 0 {
		w.putLabelled(i, v, h)
		return
	}
	got, err := w.appender().Append(*ref, labels.EmptyLabels(), w.pt.st, w.pt.t, v, h, nil, w.opts)
	switch {
	case err == nil:
		if got != *ref {
			*ref = got
		}
		w.taken()
	case errors.Is(err, tsdb.ErrInvalidSample): // the storage has forgotten the series
		w.putLabelled(i, v, h)
	default:
		w.failed(i, v, got, err)
	}
}

// putLabelled appends a sample whose series the storage does not know, or no longer.
func (w *writer) putLabelled(i int, v float64, h *histogram.Histogram) {
	if w.err != nil {
		return
	}
	if err := w.translate(); err != nil {
		w.refuse(Untranslatable, 1, err)
		return
	}
	got, err := w.appender().Append(0, w.pt.labels[i], w.pt.st, w.pt.t, v, h, nil, w.opts)
	if err != nil {
		w.failed(i, v, got, err)
		return
	}
	w.pt.stream.refs[i] = got
	w.taken()
}

func (w *writer) taken() {
	w.pt.taken++
	w.appended++
	w.tally.Samples++
	w.tally.Exemplars += int64(len(w.opts.Exemplars))
}

// failed sorts out an error of Append.
func (w *writer) failed(i int, v float64, got storage.SeriesRef, err error) {
	var partial *storage.AppendPartialError
	if errors.As(err, &partial) {
		w.pt.stream.refs[i] = got
		w.taken()
		w.tally.Exemplars -= int64(len(partial.ExemplarErrors))
		for _, err := range partial.ExemplarErrors {
			w.tally.ExemplarsRefused[exemplarReasonOf(err)]++
		}
		return
	}
	why, ok := ReasonOf(err)
	if !ok {
		w.fail(err)
		return
	}
	w.refuseSample(why, i, v, err)
}

// fail ends the Write. Of several errors the first says most.
func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = fmt.Errorf("append: %w", err)
	}
}
