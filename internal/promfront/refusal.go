package promfront

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Refusal is an example of a refused sample.
type Refusal struct {
	Series string // as PromQL writes it; of a point that has none, its metric and attributes
	Metric string // as OTLP names it
	Time   time.Time
	Value  float64 // of a native histogram its count; 0 if the point was refused before it was read
	Reason Reason
	Error  string
	Seen   time.Time // when it was refused
}

// MetricRefusals counts refused samples of one metric for one reason.
type MetricRefusals struct {
	Metric string // as OTLP names it; otherMetrics for those beyond the bound of the table
	Reason Reason
	Count  int64
}

const (
	// examplesPerWrite is how many refused samples of one Write are put into words for each reason. It takes 10 µs each,
	// and a sender that is refused is refused with every point.
	examplesPerWrite = 2
	// examplesPerReason is how many are kept: a page of them, and a frequent reason does not displace a rare one.
	examplesPerReason = 32
	// maxRefusedMetrics bounds the table by metric: about 100 bytes each. What exceeds it is counted as otherMetrics.
	maxRefusedMetrics = 1000
	otherMetrics      = "(other)"
)

// refuse counts n samples of the point.
func (w *writer) refuse(why Reason, n int64, err error) { w.note(why, n, -1, 0, err) }

// refuseSample counts sample i of the point.
func (w *writer) refuseSample(why Reason, i int, v float64, err error) { w.note(why, 1, i, v, err) }

func (w *writer) note(why Reason, n int64, i int, v float64, err error) {
	w.tally.Refused[why] += n
	name := w.pt.family.name
	if last := len(w.refused) - 1; last >= 0 && w.refused[last].Metric == name && w.refused[last].Reason == why {
		w.refused[last].Count += n
	} else {
		w.refused = append(w.refused, MetricRefusals{name, why, n})
	}
	had := 0
	for _, x := range w.examples {
		if x.Reason == why {
			had++
		}
	}
	if had >= examplesPerWrite {
		return
	}
	x := Refusal{
		Series: w.seriesName(i), Metric: name, Time: w.pt.time.AsTime(), Value: v,
		Reason: why, Error: err.Error(), Seen: time.UnixMilli(w.now),
	}
	w.examples = append(w.examples, x)
	if had == 0 {
		w.tally.Examples[why] = fmt.Sprintf("%s at %s: %s", x.Series, x.Time.Format(time.RFC3339Nano), x.Error)
	}
}

// seriesName is how PromQL writes series i of the point, or its first. A point without a stream may be one that cannot
// be translated.
func (w *writer) seriesName(i int) string {
	if w.translate() == nil && len(w.pt.labels) > 0 {
		return w.pt.labels[max(0, min(i, len(w.pt.labels)-1))].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "metric %q", w.pt.family.name)
	w.attributes().Range(func(name string, value pcommon.Value) bool {
		fmt.Fprintf(&b, " %q=%q", name, value.AsString())
		return true
	})
	return b.String()
}

// refusals is what was refused lately.
type refusals struct {
	mu       sync.Mutex // guards the fields below; taken last
	examples [ReasonCount][]Refusal
	counts   map[metricReason]int64
}

type metricReason struct {
	metric string
	reason Reason
}

func (r *refusals) add(examples []Refusal, counts []MetricRefusals) {
	if len(counts) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range examples {
		kept := r.examples[x.Reason]
		if len(kept) == examplesPerReason {
			kept = append(kept[:0], kept[1:]...)
		}
		r.examples[x.Reason] = append(kept, x)
	}
	if r.counts == nil {
		r.counts = map[metricReason]int64{}
	}
	for _, c := range counts {
		key := metricReason{c.Metric, c.Reason}
		if _, ok := r.counts[key]; !ok && len(r.counts) >= maxRefusedMetrics {
			key.metric = otherMetrics
		}
		r.counts[key] += c.Count
	}
}

// Refused returns the latest examples of refused samples, newest first.
func (f *Front) Refused() []Refusal {
	f.refusals.mu.Lock()
	defer f.refusals.mu.Unlock()
	var all []Refusal
	for _, kept := range f.refusals.examples {
		all = append(all, kept...)
	}
	slices.SortStableFunc(all, func(a, b Refusal) int { return b.Seen.Compare(a.Seen) })
	return all
}

// RefusedByMetric counts all refused samples since the start, most first.
func (f *Front) RefusedByMetric() []MetricRefusals {
	f.refusals.mu.Lock()
	defer f.refusals.mu.Unlock()
	all := make([]MetricRefusals, 0, len(f.refusals.counts))
	for key, n := range f.refusals.counts {
		all = append(all, MetricRefusals{key.metric, key.reason, n})
	}
	slices.SortFunc(all, func(a, b MetricRefusals) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.Reason, b.Reason))
	})
	return all
}
