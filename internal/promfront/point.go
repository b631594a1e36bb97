package promfront

import (
	"errors"
	"fmt"
	"math"

	"github.com/prometheus/prometheus/model/labels"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

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
