package promfront_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// book is a storage that writes down what it is given. It checks what a TSDB checks only in part, so that a test sees
// every sample; faults are staged by its fields.
type book struct {
	commitErr, appendErr error
	failAfter            int // appends before appendErr

	mu       sync.Mutex
	refs     map[string]storage.SeriesRef
	series   map[storage.SeriesRef]string
	last     storage.SeriesRef
	lines    map[string][]line // by series
	metadata map[string]string // by series
	commits  int
	rolled   int
}

// line is one sample.
type line struct {
	st, t     int64
	value     string
	exemplars string
	zero      bool // RejectOutOfOrder was set
	h         *histogram.Histogram
	given     []exemplar.Exemplar // in the order given
}

func newBook() *book {
	return &book{
		refs: map[string]storage.SeriesRef{}, series: map[storage.SeriesRef]string{},
		lines: map[string][]line{}, metadata: map[string]string{},
	}
}

func (b *book) AppenderV2(context.Context) storage.AppenderV2 { return &page{book: b} }

// forgetRefs makes every reference unknown, as after the truncation of a TSDB's head.
func (b *book) forgetRefs() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.refs)
	clear(b.series)
}

// fail makes the next transaction fail, at its commit or after some appends.
func (b *book) fail(commit bool, after int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if commit {
		b.commitErr = errDisk
		return
	}
	b.appendErr, b.failAfter = errDisk, after
}

func (b *book) heal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.appendErr, b.commitErr = nil, nil
}

// zeros is how many zero samples there are.
func (b *book) zeros() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, lines := range b.lines {
		for _, l := range lines {
			if l.zero {
				n++
			}
		}
	}
	return n
}

// bucketsOf are the positive buckets that have counted something, by index.
func bucketsOf(h *histogram.Histogram) map[int32]uint64 {
	out := map[int32]uint64{}
	for it := h.PositiveBucketIterator(); it.Next(); {
		if b := it.At(); b.Count > 0 {
			out[b.Index] += b.Count
		}
	}
	return out
}

type page struct {
	book  *book
	lines []func()
}

func (p *page) Append(
	ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64,
	h *histogram.Histogram, _ *histogram.FloatHistogram, opts storage.AppendV2Options,
) (storage.SeriesRef, error) {
	b := p.book
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.appendErr != nil {
		if b.failAfter--; b.failAfter < 0 {
			return 0, b.appendErr
		}
	}
	if _, ok := b.series[ref]; !ok {
		if ls.IsEmpty() {
			return 0, fmt.Errorf("empty labelset: %w", tsdb.ErrInvalidSample)
		}
		name := ls.String()
		if ref, ok = b.refs[name]; !ok {
			b.last++
			ref = b.last
			b.refs[name], b.series[ref] = ref, name
		}
	}
	if h != nil {
		if err := h.Validate(); err != nil {
			return 0, err
		}
		h = h.Copy()
	}
	name := b.series[ref]
	l := line{st: st, t: t, value: valueString(v, h), exemplars: exemplarString(opts.Exemplars), zero: opts.RejectOutOfOrder, h: h, given: slices.Clone(opts.Exemplars)}
	meta := fmt.Sprintf("%s %s %q %q", opts.MetricFamilyName, opts.Metadata.Type, opts.Metadata.Unit, opts.Metadata.Help)
	p.lines = append(p.lines, func() {
		b.lines[name] = append(b.lines[name], l)
		if opts.MetricFamilyName != "" {
			b.metadata[name] = meta
		}
	})
	return ref, nil
}

func (p *page) Commit() error {
	b := p.book
	b.mu.Lock()
	defer b.mu.Unlock()
	b.commits++
	if b.commitErr != nil {
		return b.commitErr
	}
	for _, write := range p.lines {
		write()
	}
	return nil
}

func (p *page) Rollback() error {
	p.book.mu.Lock()
	defer p.book.mu.Unlock()
	p.book.rolled++
	return nil
}

func valueString(v float64, h *histogram.Histogram) string {
	switch {
	case h != nil && value.IsStaleNaN(h.Sum):
		return "stale histogram"
	case h != nil:
		return h.Compact(0).String() + fmt.Sprint(" schema=", h.Schema, " custom=", h.CustomValues)
	case value.IsStaleNaN(v):
		return "stale"
	}
	return fmt.Sprint(v)
}

func exemplarString(all []exemplar.Exemplar) string {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(x, y exemplar.Exemplar) int { return cmp.Compare(x.Ts, y.Ts) })
	var parts []string
	for _, e := range all {
		parts = append(parts, fmt.Sprint(e.Labels, " ", e.Value, " @", e.Ts, " ", e.HasTs))
	}
	return strings.Join(parts, ", ")
}

// String is everything that was stored, by series.
func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(b.lines)) {
		fmt.Fprintf(&out, "%s  (%s)\n", name, b.metadata[name])
		for _, l := range b.lines[name] {
			fmt.Fprintf(&out, "  st=%d t=%d %s %s\n", l.st, l.t, l.value, l.exemplars)
		}
	}
	return out.String()
}

// values are those of one series, with their times in seconds after the epoch of the test.
func (b *book) values(series string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var parts []string
	for _, l := range b.lines[series] {
		zero := ""
		if l.zero && l.value != "stale" && l.value != "stale histogram" {
			zero = "zero:"
		}
		parts = append(parts, fmt.Sprintf("%s%s@%g", zero, l.value, float64(l.t-epoch.UnixMilli())/1e3))
	}
	return strings.Join(parts, " ")
}

// exemplars are those of one series in the order in which they came.
func (b *book) exemplars(series string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, l := range b.lines[series] {
		for _, e := range l.given {
			out = append(out, fmt.Sprintf("%s %g at %g", e.Labels, e.Value, float64(e.Ts-epoch.UnixMilli())/1e3))
		}
	}
	return out
}

func (b *book) names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.lines))
}
