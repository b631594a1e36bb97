package promfront

import (
	"cmp"
	"encoding/hex"
	"slices"
	"sort"
	"unicode/utf8"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// maxExemplarRunes is what OpenMetrics allows for names and values of an exemplar's labels together.
const maxExemplarRunes = 128

// exemplars are those of one point, in scratch space. A storage takes those of a series only in the order of time, while
// histograms bring them in the order of value: unsorted, a quarter of those of native histograms is refused. Those of one
// instant, as all are that the span metrics connector makes, it takes in the order of value and of the hash of their
// labels; what is not in order it drops when it commits, without a word.
type exemplars struct {
	all     []exemplar.Exemplar
	buckets []int // of all, ascending, after sortByBucket
	next    int   // the first that no bucket has taken
	builder labels.ScratchBuilder
}

// read takes the exemplars of a point and returns them by time. One without a value is refused.
func (e *exemplars) read(w *writer, from pmetric.ExemplarSlice) []exemplar.Exemplar {
	e.all = e.all[:0]
	for i := range from.Len() {
		x := from.At(i)
		v := x.DoubleValue()
		switch x.ValueType() {
		case pmetric.ExemplarValueTypeInt:
			v = float64(x.IntValue())
		case pmetric.ExemplarValueTypeEmpty:
			w.tally.ExemplarsRefused[ExemplarOther]++
			continue
		}
		t := millis(x.Timestamp())
		e.all = append(e.all, exemplar.Exemplar{Labels: e.labels(x), Value: v, Ts: t, HasTs: t != 0})
	}
	return e.byTime()
}

// labels are the trace and span, and the filtered attributes if they fit beside them.
func (e *exemplars) labels(x pmetric.Exemplar) labels.Labels {
	e.builder.Reset()
	runes := 0
	add := func(name, value string) {
		e.builder.Add(name, value)
		runes += utf8.RuneCountInString(name) + utf8.RuneCountInString(value)
	}
	if id := x.TraceID(); !id.IsEmpty() {
		add("trace_id", hex.EncodeToString(id[:]))
	}
	if id := x.SpanID(); !id.IsEmpty() {
		add("span_id", hex.EncodeToString(id[:]))
	}
	attrs := x.FilteredAttributes()
	attrs.Range(func(name string, value pcommon.Value) bool {
		runes += utf8.RuneCountInString(name) + utf8.RuneCountInString(value.AsString())
		return true
	})
	if runes <= maxExemplarRunes {
		attrs.Range(func(name string, value pcommon.Value) bool {
			e.builder.Add(name, value.AsString())
			return true
		})
	}
	e.builder.Sort()
	return e.builder.Labels()
}

func (e *exemplars) byTime() []exemplar.Exemplar {
	if len(e.all) == 0 {
		return nil
	}
	slices.SortStableFunc(e.all, byTime)
	return e.all
}

func byTime(a, b exemplar.Exemplar) int {
	if order := cmp.Or(cmp.Compare(a.Ts, b.Ts), cmp.Compare(a.Value, b.Value)); order != 0 {
		return order
	}
	return cmp.Compare(a.Labels.Hash(), b.Labels.Hash())
}

// sortByBucket prepares for upTo: by bucket, then by time.
func (e *exemplars) sortByBucket(bounds []float64) {
	e.buckets, e.next = e.buckets[:0], 0
	if len(e.all) == 0 {
		return
	}
	bucket := func(x exemplar.Exemplar) int { return sort.SearchFloat64s(bounds, x.Value) }
	slices.SortStableFunc(e.all, func(a, b exemplar.Exemplar) int {
		return cmp.Or(cmp.Compare(bucket(a), bucket(b)), byTime(a, b))
	})
	for _, x := range e.all {
		e.buckets = append(e.buckets, bucket(x))
	}
}

// upTo returns those of bucket i that no bucket has taken.
func (e *exemplars) upTo(i int) []exemplar.Exemplar {
	if e.next == len(e.buckets) || e.buckets[e.next] > i {
		return nil
	}
	from := e.next
	for e.next < len(e.buckets) && e.buckets[e.next] <= i {
		e.next++
	}
	return e.all[from:e.next]
}

// rest returns those above every bound.
func (e *exemplars) rest() []exemplar.Exemplar {
	if e.next == len(e.buckets) {
		return nil
	}
	return e.all[e.next:]
}

// forget lets go of the labels.
func (e *exemplars) forget() {
	clear(e.all[:cap(e.all)])
	e.all = e.all[:0]
}
