package promfront

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// maxTransaction is how many samples may be appended before a commit. Readers of a TSDB skip what open transactions have
// written, and each keeps about 100 bytes per sample until its commit: 10 000 are 1 MB, and make the fixed cost of a
// commit (some 10 µs) disappear.
const maxTransaction = 10_000

var staleNaN = math.Float64frombits(value.StaleNaN)

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

// point is the data point being written. Of the four points only the one of the metric's type is set.
type point struct {
	family *family
	entry  *entry
	stream *stream

	number      pmetric.NumberDataPoint
	explicit    pmetric.HistogramDataPoint
	exponential pmetric.ExponentialHistogramDataPoint
	summary     pmetric.SummaryDataPoint

	time, begin pcommon.Timestamp
	t, st       int64 // the same in ms
	noValue     bool
	overflow    bool // it stands for the overflow series
	taken       int  // samples

	labels   []labels.Labels // of its series, if labelled
	labelled bool
}

// Write stores md, which it only reads. An error means that part of md may not be stored: nothing of it may be
// acknowledged, writing it again is harmless. What was refused sample by sample is no error and stands in the Tally.
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

// open finds what is known of the point. It reports false if the point is refused.
func (w *writer) open(attrs pcommon.Map, t, begin pcommon.Timestamp, flags pmetric.DataPointFlags) bool {
	if w.appended >= maxTransaction {
		if w.commit(); w.err != nil {
			return false
		}
	}
	pt := &w.pt
	prev := pt.entry
	pt.time, pt.begin, pt.t, pt.st = t, begin, millis(t), millis(begin)
	pt.noValue = flags.NoRecordedValue()
	pt.taken, pt.labelled, pt.overflow, pt.stream = 0, false, false, nil
	if w.opts.Exemplars != nil {
		w.opts.Exemplars = nil
	}
	switch {
	case t > w.newest:
		w.refuse(TooFarAhead, 1, errOutside)
		return false
	case t < w.oldest:
		w.refuse(TooOld, 1, errOutside)
		return false
	}
	pt.entry = pt.family.find(w, prev, attrs)
	if bad := pt.entry.bad; bad != nil {
		bad.seen = w.now
		w.refuse(Untranslatable, 1, bad.err)
		return false
	}
	pt.stream = pt.entry.stream
	return true
}

var errOutside = errors.New("the time is outside what the storage takes")

// settle sees to it that the point has a stream of the right shape. It reports false if the point is refused, or summed
// into the overflow series.
func (w *writer) settle(slots int, bounds []float64) bool {
	pt := &w.pt
	if s := pt.stream; s != nil && len(s.refs) == slots && sameFloats(s.bounds, bounds) {
		if s.write == w.id && s.t == pt.t {
			w.refuse(Duplicate, int64(slots), errTwice)
			return false
		}
		return true
	}
	if pt.stream == nil && (pt.entry.source != nil || !w.front.room(w.resource, pt.family)) {
		w.overflow(slots, bounds)
		return false
	}
	err := w.translate()
	if err == nil && len(pt.labels) != slots {
		err = fmt.Errorf("it has %d series instead of %d", len(pt.labels), slots)
	}
	if err != nil {
		w.reject(err)
		return false
	}
	s := w.join(slots, bounds)
	if pt.entry.stream != s {
		pt.entry.stream = s
		s.users++
	}
	pt.stream = s
	if s.write == w.id && s.t == pt.t {
		w.refuse(Duplicate, int64(slots), errTwice)
		return false
	}
	return true
}

// reject refuses a point that cannot be translated, and remembers that.
func (w *writer) reject(err error) {
	w.refuse(Untranslatable, 1, err)
	if w.front.sources.Load() >= maxSources {
		w.dropEntry()
		return
	}
	w.front.sources.Add(1)
	w.pt.entry.bad = &badPoint{err: err, seen: w.now}
}

var errTwice = errors.New("the series has two samples for this time in one batch")

// join returns the stream of the point's labels, new or shared, in the shape of the point.
func (w *writer) join(slots int, bounds []float64) *stream {
	pt, g := &w.pt, w.resource.group
	var id seriesID
	id, w.key = w.front.identify(w.key, pt.labels[0], pt.family.kind)
	s := g.streams[id]
	switch {
	case s == nil:
		s = newStream(id, slots, pt.family.share(bounds))
		s.owner, s.metric = w.resource, pt.family.count
		g.streams[id] = s
		w.front.count(s, slots)
	case len(s.refs) != slots || !sameFloats(s.bounds, bounds):
		w.front.count(s, slots-len(s.refs))
		s.shape(slots, pt.family.share(bounds))
	}
	return s
}

// sameFloats is slices.Equal, in which a NaN, of a broken sender, equals itself.
func sameFloats(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && math.Float64bits(a[i]) != math.Float64bits(b[i]) {
			return false
		}
	}
	return true
}

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

// close notes what was taken of the point.
func (w *writer) close() {
	pt := &w.pt
	if pt.taken == 0 {
		return
	}
	w.earliest, w.latest = min(w.earliest, pt.time), max(w.latest, pt.time)
	s := pt.stream
	s.t, s.write, s.seen = max(s.t, pt.t), w.id, w.now
	s.stale = false
}
