package prometheusstoreexporter

import (
	"cmp"
	"errors"
	"slices"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// tolerant is an appender to which no sample is an error: what the store refuses is counted and skipped, so that the
// converter goes on with the rest of the metric. An error that is not about the sample is kept in failure and ends the
// batch. It is owned by one goroutine, for one batch.
type tolerant struct {
	storage.AppenderV2
	tally *tally

	failure error

	// newest is the time in ms of the last sample of each series in this batch. The database finds a second sample for
	// the same instant only in Commit, drops it there and does not say so. It is borrowed from the exporter, because
	// growing a new map for each batch would cost more than the look-ups.
	newest map[storage.SeriesRef]int64
}

func (e *storeExporter) newTolerant(app storage.AppenderV2, tally *tally) *tolerant {
	newest, ok := e.newestMaps.Get().(map[storage.SeriesRef]int64)
	if !ok {
		newest = map[storage.SeriesRef]int64{}
	}
	return &tolerant{AppenderV2: app, tally: tally, newest: newest}
}

// release gives back what was borrowed; the appender must not be used afterwards.
func (e *storeExporter) release(a *tolerant) {
	clear(a.newest)
	e.newestMaps.Put(a.newest)
	a.newest = nil
}

func (a *tolerant) Append(
	ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64,
	h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AppendV2Options,
) (storage.SeriesRef, error) {
	if a.failure != nil {
		return 0, a.failure
	}
	// The store takes exemplars only in the order of time, histograms bring them in the order of value. Unsorted, a
	// quarter of those of native histograms was lost.
	slices.SortStableFunc(opts.Exemplars, func(x, y exemplar.Exemplar) int { return cmp.Compare(x.Ts, y.Ts) })

	ref, err := a.AppenderV2.Append(ref, ls, st, t, v, h, fh, opts)
	var partial *storage.AppendPartialError
	if err != nil && !errors.As(err, &partial) {
		return 0, a.refuse(ls, t, err, opts.MetricFamilyName)
	}
	a.take(ref, ls, t, len(opts.Exemplars), partial)
	return ref, nil
}

// targetInfo is the family that the converter derives from the resource. It repeats the series over the time range of
// the batch; a repetition that is refused was sent by nobody and is not counted.
const targetInfo = "target_info"

// refuse counts a sample, or keeps an error that is not about the sample.
func (a *tolerant) refuse(ls labels.Labels, t int64, err error, family string) error {
	reason, ok := sampleReason(err)
	if !ok {
		a.failure = err
		return err
	}
	if family != targetInfo {
		a.tally.refuseSample(reason, ls, t, err)
	}
	return nil
}

func (a *tolerant) take(ref storage.SeriesRef, ls labels.Labels, t int64, exemplars int, partial *storage.AppendPartialError) {
	last, seen := a.newest[ref]
	a.newest[ref] = t
	if seen && last == t {
		a.tally.refuseSample(reasonDuplicate, ls, t, errTwiceInBatch)
	} else {
		a.tally.samples++
	}
	if partial != nil {
		exemplars -= len(partial.ExemplarErrors)
		for _, err := range partial.ExemplarErrors {
			a.tally.exemplarsRefused[exemplarReason(err)]++
		}
	}
	a.tally.exemplars += int64(exemplars)
}

var errTwiceInBatch = errors.New("the series has two samples for this time in one batch")
