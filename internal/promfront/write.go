package promfront

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/prometheus/storage"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// maxTransaction is how many samples may be appended before a commit. Readers of a TSDB skip what open transactions have
// written, and each keeps about 100 bytes per sample until its commit: 10 000 are 1 MB, and make the fixed cost of a
// commit (some 10 µs) disappear.
const maxTransaction = 10_000

// writer is one Write. It is owned by one goroutine, holds the locks of the groups it writes, and is reused afterwards:
// what it has allocated is what the next Write needs.
type writer struct {
	front *Front
	ctx   context.Context //nolint:containedctx // lives for one Write
	id    uint64
	now   int64 // in ms
	tally Tally
	err   error // not about a sample: ends the Write

	oldest, newest pcommon.Timestamp // bounds

	resources []*resource // of each ResourceMetrics
	groups    []*group    // locked

	tx       uint64
	app      storage.AppenderV2
	appended int         // in this transaction
	started  []*stream   // whose start changed in this transaction
	totals   []*total    // that changed in this transaction
	replaced []*resource // whose target_info ended in this transaction

	res              pcommon.Resource
	resource         *resource
	scopeMetrics     pmetric.ScopeMetrics
	scope            string
	metric           pmetric.Metric
	earliest, latest pcommon.Timestamp // of what was taken of the resource
	pt               point
	opts             storage.AppendV2Options

	key        []byte
	sorted     []attribute
	bounds     []float64
	counts     []uint64
	exemplars  exemplars
	sparse     sparse
	value      exponentialValue
	trial      trial
	overflowed []*family // that wait for flushOverflow
	examples   []Refusal
	refused    []MetricRefusals
}

// Write stores md, which it only reads. An error means that part of md may not be stored: nothing of it may be
// acknowledged, writing it again is harmless (but delta points in an overflow series, which are not told apart, count
// again if they were committed with an earlier part). What was refused sample by sample is no error and stands in the Tally.
func (f *Front) Write(ctx context.Context, md pmetric.Metrics) (Tally, error) {
	w := f.writer(ctx)
	defer f.writers.Put(w)
	w.lock(md)
	w.write(md)
	w.flushOverflow()
	w.end()
	w.unlock()
	defer w.forget()
	if w.err != nil {
		return Tally{}, w.err
	}
	f.refusals.add(w.examples, w.refused)
	return w.tally, nil
}

func (f *Front) writer(ctx context.Context) *writer {
	w, ok := f.writers.Get().(*writer)
	if !ok {
		w = &writer{front: f}
	}
	w.ctx, w.id, w.err = ctx, f.ids.Add(1), nil
	w.now = f.opts.Now().UnixMilli()
	w.tally = Tally{}
	w.oldest, w.newest = 1, math.MaxUint64 // a point without a time is never taken
	if f.opts.Bounds != nil {
		oldest, newest := f.opts.Bounds()
		w.oldest, w.newest = max(1, stamp(oldest)), stamp(newest)
	}
	return w
}

// stamp is pcommon.NewTimestampFromTime for times that may lie before 1970.
func stamp(t time.Time) pcommon.Timestamp { return pcommon.Timestamp(max(0, t.UnixNano())) }

func millis(t pcommon.Timestamp) int64 { return int64(t / 1e6) }

// forget lets go of what belongs to the caller.
func (w *writer) forget() {
	w.ctx, w.res, w.scopeMetrics, w.metric = nil, pcommon.Resource{}, pmetric.ScopeMetrics{}, pmetric.Metric{}
	w.pt, w.opts, w.resource = point{}, storage.AppendV2Options{}, nil
	clear(w.resources)
	clear(w.groups)
	clear(w.examples)
	w.examples, w.refused = w.examples[:0], w.refused[:0]
	w.trial.forget()
	clear(w.sorted[:cap(w.sorted)])
	w.exemplars.forget()
}

func (w *writer) write(md pmetric.Metrics) {
	for i, rm := range md.ResourceMetrics().All() {
		w.res, w.resource = rm.Resource(), w.resources[i]
		w.earliest, w.latest = math.MaxUint64, 0
		w.enterResource()
		var last *family
		for _, sm := range rm.ScopeMetrics().All() {
			w.enterScope(sm)
			for _, m := range sm.Metrics().All() {
				if last = w.writeMetric(last, m); w.err != nil {
					return
				}
			}
		}
		if w.earliest <= w.latest {
			w.hear()
			w.targetInfo()
		}
		if w.err != nil {
			return
		}
	}
}

func (w *writer) enterResource() {
	if r := w.resource; !r.joined {
		r.joined = true
		r.group.resources = append(r.group.resources, r)
	}
}

func (w *writer) enterScope(sm pmetric.ScopeMetrics) {
	w.scopeMetrics = sm
	if !w.front.opts.PromoteScopeMetadata {
		return // it is part of no label, and a new version of a library is no new series
	}
	if w.key = appendScope(w.key[:0], sm); string(w.key) != w.scope {
		w.scope = string(w.key)
	}
}

func (w *writer) writeMetric(prev *family, m pmetric.Metric) *family {
	if w.err == nil && w.ctx.Err() != nil {
		w.err = fmt.Errorf("append: %w", w.ctx.Err())
	}
	if w.err != nil {
		return prev
	}
	k := kindOf(m)
	f := w.resource.find(w, prev, m, k)
	if help := m.Description(); f.opts.MetricFamilyName != "" && f.opts.Metadata.Help != help {
		f.opts.Metadata.Help = help
	}
	w.metric, w.opts, w.pt = m, f.opts, point{family: f}
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		w.writeNumbers(m.Gauge().DataPoints())
	case pmetric.MetricTypeSum:
		w.writeNumbers(m.Sum().DataPoints())
	case pmetric.MetricTypeHistogram:
		w.writeExplicit(m.Histogram().DataPoints())
	case pmetric.MetricTypeExponentialHistogram:
		w.writeExponential(m.ExponentialHistogram().DataPoints())
	case pmetric.MetricTypeSummary:
		w.writeSummaries(m.Summary().DataPoints())
	}
	return f
}
