// Package federation answers /federate: the newest sample of every series that a selector matches, as a target would
// expose it, so that another Prometheus can scrape a part of this store. Upstream's handler is a method of its whole web
// server and cannot be had alone; this one gives the same answers.
//
// It owns nothing and keeps no state. One request holds one sample per series that it asks for.
package federation

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"google.golang.org/protobuf/proto"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/dialect"
)

// Handler serves a storage. All fields are required; ExternalLabels may be empty.
type Handler struct {
	Queryable      storage.Queryable
	ExternalLabels labels.Labels
	// Lookback is how old a sample may be to count as the newest.
	Lookback time.Duration
	Now      func() time.Time
	Logger   *slog.Logger
}

// formats are those of a stock server, in its order.
var formats = []expfmt.Format{
	expfmt.NewFormat(expfmt.TypeProtoDelim), expfmt.NewFormat(expfmt.TypeProtoText),
	expfmt.NewFormat(expfmt.TypeProtoCompact), expfmt.NewFormat(expfmt.TypeTextPlain),
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "error parsing form values: "+err.Error(), http.StatusBadRequest)
		return
	}
	selectors, err := dialect.Parser().ParseMetricSelectors(r.Form["match[]"])
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	newest, err := h.newest(r.Context(), selectors)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	format := expfmt.NegotiateAccept(r.Header, formats...)
	w.Header().Set("Content-Type", string(format))
	encoder := expfmt.NewEncoder(w, format)
	for _, family := range h.families(newest, format) {
		if err := encoder.Encode(family); err != nil {
			h.Logger.Warn("Answer of /federate cut short", "err", err)
			return
		}
	}
}

// sample is the newest one of a series: a histogram, or a number where that is nil.
type sample struct {
	labels    labels.Labels
	t         int64
	number    float64
	histogram *histogram.FloatHistogram
}

func (h *Handler) newest(ctx context.Context, selectors [][]*labels.Matcher) ([]sample, error) {
	now := h.Now()
	start, end := now.Add(-h.Lookback).UnixMilli(), now.UnixMilli()
	querier, err := h.Queryable.Querier(start, end)
	if err != nil {
		return nil, fmt.Errorf("open the storage: %w", err)
	}
	defer querier.Close() //nolint:errcheck // only reads
	sets := make([]storage.SeriesSet, len(selectors))
	for i, matchers := range selectors {
		sets[i] = querier.Select(ctx, true, &storage.SelectHints{Start: start, End: end}, matchers...)
	}
	var found []sample
	var iterator chunkenc.Iterator
	set := storage.NewMergeSeriesSet(sets, 0, storage.ChainedSeriesMerge)
	for set.Next() {
		iterator = set.At().Iterator(iterator)
		s, ok := lastOf(iterator)
		if err := iterator.Err(); err != nil {
			return nil, fmt.Errorf("read %s: %w", set.At().Labels(), err)
		}
		if ok {
			s.labels = set.At().Labels()
			found = append(found, s)
		}
	}
	if err := set.Err(); err != nil {
		return nil, fmt.Errorf("select: %w", err)
	}
	return found, nil
}

// lastOf reports false for a series that has ended: no format can say stale, and a target that is gone says nothing.
func lastOf(it chunkenc.Iterator) (s sample, ok bool) {
	for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
		ok = true
		if kind == chunkenc.ValFloat {
			s.t, s.number = it.At()
			s.histogram = nil
			continue
		}
		s.t, s.histogram = it.AtFloatHistogram(nil)
	}
	stale := value.IsStaleNaN(s.number)
	if s.histogram != nil {
		stale = value.IsStaleNaN(s.histogram.Sum)
	}
	return s, ok && !stale
}

// families groups samples by name and kind. A name with two kinds becomes two families, which the formats forbid and
// Prometheus reads.
func (h *Handler) families(samples []sample, format expfmt.Format) []*dto.MetricFamily {
	slices.SortStableFunc(samples, func(a, b sample) int {
		return cmp.Or(
			cmp.Compare(a.labels.Get(model.MetricNameLabel), b.labels.Get(model.MetricNameLabel)),
			cmp.Compare(typeOf(a), typeOf(b)),
		)
	})
	binary := format.FormatType() == expfmt.TypeProtoDelim
	var all []*dto.MetricFamily
	for _, s := range samples {
		name := s.labels.Get(model.MetricNameLabel)
		native := s.histogram != nil && !s.histogram.UsesCustomBuckets()
		if name == "" || native && !binary {
			continue // text has no form for native histograms
		}
		if n := len(all); n == 0 || all[n-1].GetName() != name || all[n-1].GetType() != typeOf(s) {
			all = append(all, &dto.MetricFamily{Name: proto.String(name), Type: typeOf(s).Enum()})
		}
		family := all[len(all)-1]
		family.Metric = append(family.Metric, h.metric(s))
	}
	return all
}

func typeOf(s sample) dto.MetricType {
	switch {
	case s.histogram == nil:
		return dto.MetricType_UNTYPED
	case s.histogram.CounterResetHint == histogram.GaugeType:
		return dto.MetricType_GAUGE_HISTOGRAM
	}
	return dto.MetricType_HISTOGRAM
}

func (h *Handler) metric(s sample) *dto.Metric {
	m := &dto.Metric{TimestampMs: proto.Int64(s.t), Label: h.pairs(s.labels)}
	switch {
	case s.histogram == nil:
		m.Untyped = &dto.Untyped{Value: proto.Float64(s.number)}
	case s.histogram.UsesCustomBuckets():
		m.Histogram = classic(s.histogram)
	default:
		m.Histogram = native(s.histogram)
	}
	return m
}

// pairs are the series' labels and, where it has none of that name, the external ones. An empty instance keeps the
// scraping server from writing its own.
func (h *Handler) pairs(ls labels.Labels) []*dto.LabelPair {
	var pairs []*dto.LabelPair
	add := func(l labels.Label) {
		pairs = append(pairs, &dto.LabelPair{Name: proto.String(l.Name), Value: proto.String(l.Value)})
	}
	ls.Range(func(l labels.Label) {
		if l.Name != model.MetricNameLabel {
			add(l)
		}
	})
	h.ExternalLabels.Range(func(l labels.Label) {
		if !ls.Has(l.Name) {
			add(l)
		}
	})
	if !ls.Has(model.InstanceLabel) && !h.ExternalLabels.Has(model.InstanceLabel) {
		add(labels.Label{Name: model.InstanceLabel})
	}
	return pairs
}

// classic turns custom buckets into cumulative ones, with +Inf left to the encoder.
func classic(h *histogram.FloatHistogram) *dto.Histogram {
	out := &dto.Histogram{SampleCountFloat: proto.Float64(h.Count), SampleSum: proto.Float64(h.Sum)}
	var below float64
	counts := make([]float64, len(h.CustomValues))
	for it := h.PositiveBucketIterator(); it.Next(); {
		if b := it.At(); int(b.Index) < len(counts) {
			counts[b.Index] = b.Count
		}
	}
	for i, bound := range h.CustomValues {
		below += counts[i]
		out.Bucket = append(out.Bucket, &dto.Bucket{UpperBound: proto.Float64(bound), CumulativeCountFloat: proto.Float64(below)})
	}
	return out
}

func native(h *histogram.FloatHistogram) *dto.Histogram {
	return &dto.Histogram{
		SampleCountFloat: proto.Float64(h.Count),
		SampleSum:        proto.Float64(h.Sum),
		Schema:           proto.Int32(h.Schema),
		ZeroThreshold:    proto.Float64(h.ZeroThreshold),
		ZeroCountFloat:   proto.Float64(h.ZeroCount),
		PositiveSpan:     spans(h.PositiveSpans),
		PositiveCount:    h.PositiveBuckets,
		NegativeSpan:     spans(h.NegativeSpans),
		NegativeCount:    h.NegativeBuckets,
	}
}

func spans(from []histogram.Span) []*dto.BucketSpan {
	to := make([]*dto.BucketSpan, len(from))
	for i, s := range from {
		to[i] = &dto.BucketSpan{Offset: proto.Int32(s.Offset), Length: proto.Uint32(s.Length)}
	}
	return to
}
