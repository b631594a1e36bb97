package promfront

import (
	"errors"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// overflowAttribute is the one attribute of an overflow series, as the OpenTelemetry SDKs have it.
const overflowAttribute = "otel.metric.overflow"

// maxSources bounds how many cumulative streams are remembered that go into overflow series, with the points that cannot be
// translated: 100 000 at about 300 bytes are 30 MB. A storage needs ten times that for a series.
const maxSources = 100_000

// overflow is the series of a metric and resource into which points are summed that would exceed a limit.
type overflow struct {
	stream *stream
	labels []labels.Labels // of its series

	pending pcommon.Timestamp // of the latest point that is in the sum and not in a sample; 0 for none
}

// source is a cumulative stream that goes into an overflow series. Its last values are needed because only what they have
// grown by may be added.
type source struct {
	total total
	seen  int64
}

var errLimit = errors.New("a limit on series is reached")

// room reports whether one more stream may have series of its own.
func (f *Front) room(r *resource, fam *family) bool {
	l := f.opts.Limits
	return (l.Total == 0 || int(f.series.Load()) < l.Total) &&
		(l.PerMetric == 0 || int(fam.count.series.Load()) < l.PerMetric) &&
		(l.PerResource == 0 || r.series < l.PerResource)
}

// count counts n more series of the stream. Those of target_info are not limited, there is one per resource.
func (f *Front) count(s *stream, n int) {
	if s.owner == nil {
		return
	}
	f.series.Add(int64(n))
	s.owner.series += n
	s.metric.series.Add(int64(n))
}

// overflow adds the point to the overflow series of its metric, or refuses it. A point that cannot be added leaves
// nothing in the cache.
func (w *writer) overflow(slots int, bounds []float64) {
	pt := &w.pt
	if !pt.family.kind.summable() || pt.noValue || !w.openOverflow(slots, bounds) {
		w.refuse(Limit, 1, errLimit)
		w.dropEntry()
		return
	}
	over := pt.family.over
	sum := w.change(over.stream.total)
	if pt.family.kind.delta() {
		w.dropEntry()
		if !w.addOverflow(sum) {
			w.refuse(BadHistogram, 1, errTooWide)
			return
		}
	} else if !w.addIncrease(sum) {
		return
	}
	w.tally.Overflowed++
	w.tally.ExemplarsRefused[ExemplarOther] += w.exemplarCount() // whose series they would name is not stored
	w.earliest, w.latest = min(w.earliest, pt.time), max(w.latest, pt.time)
	if over.pending == 0 {
		w.overflowed = append(w.overflowed, pt.family)
	}
	over.pending = max(over.pending, pt.time)
}

func (w *writer) dropEntry() {
	if e := w.pt.entry; e.source == nil && e.stream == nil {
		w.pt.family.drop(e)
	}
}

// openOverflow sees to it that there is an overflow series of the shape of the point.
func (w *writer) openOverflow(slots int, bounds []float64) bool {
	over := w.pt.family.over
	if over == nil {
		w.pt.overflow, w.pt.labelled = true, false
		err := w.translate()
		w.pt.overflow, w.pt.labelled = false, false
		if err != nil || len(w.pt.labels) != slots {
			return false
		}
		over = &overflow{stream: w.join(slots, bounds), labels: slices.Clone(w.pt.labels)}
		over.stream.users++
		w.pt.family.over = over
	}
	if over.stream.total == nil {
		over.stream.total = &total{}
	}
	return len(over.stream.refs) == slots && sameFloats(over.stream.bounds, bounds)
}

// addOverflow adds the value of the point.
func (w *writer) addOverflow(sum *sums) bool {
	pt := &w.pt
	switch pt.family.kind.metricType() {
	case pmetric.MetricTypeSum:
		sum.sum += numberOf(pt.number)
	case pmetric.MetricTypeHistogram:
		sum.addExplicit(w.explicitOf(pt.explicit))
	case pmetric.MetricTypeExponentialHistogram:
		w.value.read(pt.exponential)
		return sum.exponential.add(&w.value)
	}
	return true
}

// addIncrease adds what the cumulative stream of the point has grown by. One that is new, or has restarted, is added
// whole: a counter that shows its full value at first is what queries for rates expect.
func (w *writer) addIncrease(sum *sums) bool {
	e, f := w.pt.entry, w.front
	if e.source == nil {
		if f.sources.Load() >= maxSources {
			w.refuse(Limit, 1, errLimit)
			w.dropEntry()
			return false
		}
		f.sources.Add(1)
		e.source = &source{}
	}
	e.source.seen = w.now
	last := w.change(&e.source.total)
	if w.pt.time < last.last {
		w.refuse(OutOfOrder, 1, errLate)
		return false
	}
	if !w.addOverflow(sum) {
		w.refuse(BadHistogram, 1, errTooWide)
		return false
	}
	w.subtractLast(sum, last)
	last.last, last.start = w.pt.time, w.pt.begin
	return true
}

// subtractLast takes away what was already added of the stream, unless it has started again since, and remembers what is
// added now.
func (w *writer) subtractLast(sum, last *sums) {
	pt := &w.pt
	restarted := last.last == 0 || pt.begin > last.start && last.start != 0
	switch pt.family.kind.metricType() {
	case pmetric.MetricTypeSum:
		v := numberOf(pt.number)
		if !restarted && (v >= last.sum || pt.family.kind&kindMonotonic == 0) {
			sum.sum -= last.sum
		}
		last.sum = v
	case pmetric.MetricTypeHistogram:
		v := w.explicitOf(pt.explicit)
		if !restarted && v.count >= last.count {
			sum.subtractExplicit(last.explicit())
		}
		last.sum, last.count, last.counts = v.sum, v.count, append(last.counts[:0], v.counts...)
	case pmetric.MetricTypeExponentialHistogram:
		if !restarted && pt.exponential.Count() >= last.count {
			sum.exponential.subtract(&last.exponential)
		}
		last.count = pt.exponential.Count()
		last.exponential.read(pt.exponential)
	}
}

func (w *writer) explicitOf(p pmetric.HistogramDataPoint) explicitValue {
	return explicitValue{sum: p.Sum(), hasSum: p.HasSum(), count: p.Count(), counts: w.counts}
}

// flushOverflow writes the overflow series that the Write has added to. That is done at its end, because a metric may come
// in several pieces, and a series takes one sample for a time.
func (w *writer) flushOverflow() {
	for _, f := range w.overflowed {
		over := f.over
		s, t := over.stream, over.pending
		over.pending = 0
		if w.err != nil || s.total == nil || millis(t) <= s.t {
			continue // late: it is in the sum, and the next sample will show it
		}
		w.pt = point{family: f, stream: s, time: t, t: millis(t), labels: over.labels, labelled: true}
		w.opts = f.opts
		w.putSum(&s.total.now)
		w.close()
	}
	clear(w.overflowed)
	w.overflowed = w.overflowed[:0]
}

// putSum appends a sum as the point.
func (w *writer) putSum(sum *sums) {
	w.exemplars.all = w.exemplars.all[:0]
	switch w.pt.family.kind.metricType() {
	case pmetric.MetricTypeSum:
		w.put(0, sum.sum, nil)
	case pmetric.MetricTypeHistogram:
		w.putExplicit(sum.explicit())
	case pmetric.MetricTypeExponentialHistogram:
		w.put(0, float64(sum.exponential.count), w.native(&sum.exponential))
	}
}

func (w *writer) exemplarCount() int64 {
	switch w.pt.family.kind.metricType() {
	case pmetric.MetricTypeSum:
		return int64(w.pt.number.Exemplars().Len())
	case pmetric.MetricTypeHistogram:
		return int64(w.pt.explicit.Exemplars().Len())
	case pmetric.MetricTypeExponentialHistogram:
		return int64(w.pt.exponential.Exemplars().Len())
	}
	return 0
}

// attributes are those of the point.
func (w *writer) attributes() pcommon.Map {
	switch w.pt.family.kind.metricType() {
	case pmetric.MetricTypeGauge, pmetric.MetricTypeSum:
		return w.pt.number.Attributes()
	case pmetric.MetricTypeHistogram:
		return w.pt.explicit.Attributes()
	case pmetric.MetricTypeExponentialHistogram:
		return w.pt.exponential.Attributes()
	}
	return w.pt.summary.Attributes()
}
