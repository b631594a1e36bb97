package receiving

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/prometheus/prometheus/storage"
)

const (
	reasonBadLabels = "bad_labels"
	reasonMalformed = "malformed"
	reasonExemplar  = "exemplar"
)

// maxExamples bounds the text of an answer: senders write it to their logs.
const maxExamples = 10

// batch writes one request and remembers what became of it. It belongs to one goroutine.
type batch struct {
	storage.AppenderV2
	classify func(error) (string, bool)
	builder  labels.ScratchBuilder

	written  remote.WriteResponseStats
	refused  map[string]int
	examples []string
	failure  error // of the storage; ends the batch

	series labels.Labels // at hand
	ref    storage.SeriesRef
}

func newBatch(app storage.AppenderV2, classify func(error) (string, bool)) *batch {
	return &batch{AppenderV2: app, classify: classify, builder: labels.NewScratchBuilder(16), refused: map[string]int{}}
}

// begin reports whether the labels make a series; if not, its n samples are refused.
func (b *batch) begin(ls labels.Labels, n int) bool {
	b.series, b.ref = ls, 0
	if name, twice := ls.HasDuplicateLabelNames(); twice {
		b.refuse(reasonBadLabels, n, "label "+name+" is there twice")
		return false
	}
	if !ls.Has(model.MetricNameLabel) || !ls.IsValid(model.UTF8Validation) {
		b.refuse(reasonBadLabels, n, "no metric name, or a label that is not valid UTF-8")
		return false
	}
	return true
}

func (b *batch) refuse(reason string, n int, why string) {
	b.refused[reason] += n
	if len(b.examples) < maxExamples {
		b.examples = append(b.examples, fmt.Sprintf("%s: %s", b.series, why))
	}
}

func (b *batch) refusals() (n int) {
	for _, of := range b.refused {
		n += of
	}
	return n
}

// report says what was refused, for the sender's log.
func (b *batch) report() error {
	var counts []string
	for _, reason := range slices.Sorted(maps.Keys(b.refused)) {
		counts = append(counts, fmt.Sprintf("%d %s", b.refused[reason], reason))
	}
	text := fmt.Sprintf("refused: %s; the other %d samples are stored. Do not send this again. For example: %s",
		strings.Join(counts, ", "), b.written.AllSamples(), strings.Join(b.examples, "; "))
	return errors.New(text)
}

// point is one sample: a number, or one of the histograms.
type point struct {
	start, t  int64
	number    float64
	integer   *histogram.Histogram
	float     *histogram.FloatHistogram
	exemplars []exemplar.Exemplar
}

func (b *batch) append(p point, m metadata.Metadata) {
	if b.failure != nil {
		return
	}
	options := storage.AppendV2Options{Exemplars: p.exemplars}
	if !m.IsEmpty() {
		options.Metadata, options.MetricFamilyName = m, family(b.series.Get(model.MetricNameLabel), m.Type)
	}
	ref, err := b.Append(b.ref, b.series, p.start, p.t, p.number, p.integer, p.float, options)
	var partial *storage.AppendPartialError
	if err != nil && !errors.As(err, &partial) {
		reason, aboutSample := b.classify(err)
		if !aboutSample {
			b.failure = fmt.Errorf("append to the store: %w", err)
			return
		}
		b.refuse(reason, 1, err.Error())
		return
	}
	b.ref = ref
	b.written.Exemplars += len(p.exemplars)
	if partial != nil {
		b.written.Exemplars -= len(partial.ExemplarErrors)
		b.refuse(reasonExemplar, len(partial.ExemplarErrors), partial.Error())
	}
	if p.integer != nil || p.float != nil {
		b.written.Histograms++
	} else {
		b.written.Samples++
	}
}

// withExemplars puts the exemplars of a series, in order of time, on its last point: both versions send them apart.
func (b *batch) withExemplars(points []point, found []exemplar.Exemplar, m metadata.Metadata) {
	slices.SortStableFunc(found, func(x, y exemplar.Exemplar) int {
		return cmp.Or(cmp.Compare(x.Ts, y.Ts), cmp.Compare(x.Value, y.Value), cmp.Compare(x.Labels.Hash(), y.Labels.Hash()))
	})
	points[len(points)-1].exemplars = found
	for _, p := range points {
		b.append(p, m)
	}
}

func (b *batch) version1(series *prompb.TimeSeries) {
	n := len(series.Samples) + len(series.Histograms)
	if !b.begin(series.ToLabels(&b.builder, nil), n) || n == 0 {
		return
	}
	points := make([]point, 0, n)
	for _, s := range series.Samples {
		points = append(points, point{t: s.Timestamp, number: s.Value})
	}
	for i := range series.Histograms {
		h := &series.Histograms[i]
		if h.IsFloatHistogram() {
			points = append(points, point{t: h.Timestamp, float: h.ToFloatHistogram()})
		} else {
			points = append(points, point{t: h.Timestamp, integer: h.ToIntHistogram()})
		}
	}
	found := make([]exemplar.Exemplar, 0, len(series.Exemplars))
	for i := range series.Exemplars {
		found = append(found, series.Exemplars[i].ToExemplar(&b.builder, nil))
	}
	b.withExemplars(points, found, metadata.Metadata{})
}

func (b *batch) version2(series *writev2.TimeSeries, symbols []string) {
	n := len(series.Samples) + len(series.Histograms)
	ls, err := series.ToLabels(&b.builder, symbols)
	if err != nil {
		b.series = labels.EmptyLabels()
		b.refuse(reasonMalformed, n, err.Error())
		return
	}
	if !b.begin(ls, n) {
		return
	}
	if n == 0 {
		b.refuse(reasonMalformed, 1, "a series without a sample")
		return
	}
	m, err := series.ToMetadata(symbols)
	if err != nil {
		b.refuse(reasonMalformed, n, err.Error())
		return
	}
	b.withExemplars(points2(series), b.exemplars2(series, symbols), m)
}

func points2(series *writev2.TimeSeries) []point {
	points := make([]point, 0, len(series.Samples)+len(series.Histograms))
	for _, s := range series.Samples {
		points = append(points, point{start: s.StartTimestamp, t: s.Timestamp, number: s.Value})
	}
	for i := range series.Histograms {
		h := &series.Histograms[i]
		if h.IsFloatHistogram() {
			points = append(points, point{start: h.StartTimestamp, t: h.Timestamp, float: h.ToFloatHistogram()})
		} else {
			points = append(points, point{start: h.StartTimestamp, t: h.Timestamp, integer: h.ToIntHistogram()})
		}
	}
	return points
}

func (b *batch) exemplars2(series *writev2.TimeSeries, symbols []string) []exemplar.Exemplar {
	found := make([]exemplar.Exemplar, 0, len(series.Exemplars))
	for i := range series.Exemplars {
		e, err := series.Exemplars[i].ToExemplar(&b.builder, symbols)
		if err != nil {
			b.refuse(reasonExemplar, 1, err.Error())
			continue
		}
		found = append(found, e)
	}
	return found
}

// family is the name that metadata goes by: that of the series without what a classic histogram or summary appends.
func family(series string, kind model.MetricType) string {
	if kind != model.MetricTypeHistogram && kind != model.MetricTypeGaugeHistogram && kind != model.MetricTypeSummary {
		return series
	}
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		if short, ok := strings.CutSuffix(series, suffix); ok {
			return short
		}
	}
	return series
}

func metadataOf(m *prompb.MetricMetadata) metadata.Metadata {
	return metadata.Metadata{Type: model.MetricType(strings.ToLower(m.Type.String())), Help: m.Help, Unit: m.Unit}
}
