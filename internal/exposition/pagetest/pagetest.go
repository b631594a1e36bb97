// Package pagetest reads scrape pages with Prometheus' own parsers, so that tests can compare what a scraper would
// understand of two pages and not how they are spelt.
package pagetest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

// Page is what a scraper understands.
type Page struct {
	Types map[string]model.MetricType
	Help  map[string]string
	Units map[string]string
	// Series maps labels to the sample: value or histogram, then time and start time where there are any.
	Series map[string]string
	// Exemplars maps labels to exemplars, in the order of their times.
	Exemplars map[string][]string
	// Repeated are series that the page has more than once, which a scraper drops all but one of.
	Repeated []string
}

// Parse reads a page of the given content type. Labels with an empty value are left out, as they are the same as none;
// so are help texts that say nothing.
func Parse(t testing.TB, page, contentType string) Page {
	t.Helper()
	parser, err := textparse.New([]byte(page), contentType, labels.NewSymbolTable(), textparse.ParserOptions{
		KeepClassicOnClassicAndNativeHistograms: true,
		OpenMetricsSkipSTSeries:                 true,
		FallbackContentType:                     "text/plain",
	})
	if err != nil {
		t.Fatalf("content type %q: %v", contentType, err)
	}
	p := Page{
		Types: map[string]model.MetricType{}, Help: map[string]string{}, Units: map[string]string{},
		Series: map[string]string{}, Exemplars: map[string][]string{},
	}
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			return p
		}
		if err != nil {
			t.Fatalf("parse: %v\n%s", err, page[:min(len(page), 10_000)])
		}
		switch entry {
		case textparse.EntryType:
			name, typ := parser.Type()
			if typ != model.MetricTypeUnknown {
				p.Types[string(name)] = typ
			}
		case textparse.EntryHelp:
			if name, help := parser.Help(); len(help) > 0 {
				p.Help[string(name)] = string(help)
			}
		case textparse.EntryUnit:
			name, unit := parser.Unit()
			p.Units[string(name)] = string(unit)
		case textparse.EntrySeries, textparse.EntryHistogram:
			p.add(parser, entry)
		}
	}
}

func (p *Page) add(parser textparse.Parser, entry textparse.Entry) {
	var ls labels.Labels
	parser.Labels(&ls)
	key := ls.WithoutEmpty().String()
	var sample string
	var at *int64
	if entry == textparse.EntrySeries {
		var v float64
		_, at, v = parser.Series()
		sample = fmt.Sprint(v)
	} else {
		var h *histogram.Histogram
		var fh *histogram.FloatHistogram
		_, at, h, fh = parser.Histogram()
		sample = histogramText(h, fh)
	}
	if at != nil {
		sample += fmt.Sprintf(" at %d", *at)
	}
	if st := parser.StartTimestamp(); st != 0 {
		sample += fmt.Sprintf(" since %d", st)
	}
	if _, repeated := p.Series[key]; repeated {
		p.Repeated = append(p.Repeated, key)
	}
	p.Series[key] = sample
	var e exemplar.Exemplar
	var exemplars []exemplar.Exemplar
	for parser.Exemplar(&e) {
		exemplars = append(exemplars, e)
		e = exemplar.Exemplar{}
	}
	slices.SortStableFunc(exemplars, func(a, b exemplar.Exemplar) int { return int(a.Ts - b.Ts) })
	for _, e := range exemplars {
		p.Exemplars[key] = append(p.Exemplars[key], fmt.Sprintf("%s %v at %d", e.Labels, e.Value, e.Ts))
	}
}

// histogramText shows a native histogram independent of how its buckets are laid out.
func histogramText(h *histogram.Histogram, fh *histogram.FloatHistogram) string {
	if h != nil {
		fh = h.ToFloat(nil)
	}
	fh = fh.Copy().Compact(0)
	var b strings.Builder
	fmt.Fprintf(&b, "schema %d count %v sum %v zero %v ±%g", fh.Schema, fh.Count, fh.Sum, fh.ZeroCount, fh.ZeroThreshold)
	for it := fh.AllBucketIterator(); it.Next(); {
		bucket := it.At()
		if bucket.Count != 0 {
			fmt.Fprintf(&b, " (%g,%g]=%v", bucket.Lower, bucket.Upper, bucket.Count)
		}
	}
	return b.String()
}

// Diff says in which series, exemplars and metadata b differs from a; one a line, sorted.
func Diff(a, b Page) []string {
	var out []string
	out = append(out, diff("series", a.Series, b.Series)...)
	out = append(out, diff("type", a.Types, b.Types)...)
	out = append(out, diff("help", a.Help, b.Help)...)
	out = append(out, diff("unit", a.Units, b.Units)...)
	join := func(m map[string][]string) map[string]string {
		joined := map[string]string{}
		for k, v := range m {
			joined[k] = strings.Join(v, "; ")
		}
		return joined
	}
	out = append(out, diff("exemplars", join(a.Exemplars), join(b.Exemplars))...)
	for _, key := range b.Repeated {
		if !slices.Contains(a.Repeated, key) {
			out = append(out, "repeated "+key)
		}
	}
	slices.Sort(out)
	return out
}

func diff[V ~string](what string, a, b map[string]V) []string {
	var out []string
	for k, v := range a {
		if w, ok := b[k]; !ok {
			out = append(out, fmt.Sprintf("%s %s: %s, missing", what, k, v))
		} else if v != w {
			out = append(out, fmt.Sprintf("%s %s: %s, got %s", what, k, v, w))
		}
	}
	for k, v := range b {
		if _, ok := a[k]; !ok {
			out = append(out, fmt.Sprintf("%s %s: none, got %s", what, k, v))
		}
	}
	return out
}
