package exposition_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/storage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/tailgate-otel/tailgate/internal/exposition"
	"github.com/tailgate-otel/tailgate/internal/exposition/pagetest"
)

// The twin keeps Prometheus' own metric messages and has Prometheus' library write them. What a scraper understands of its
// pages and of ours must be the same, in every format and escaping, after every round of random updates.
func TestSameAsPrometheusLibrary(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			r := newRig(t, exposition.Options{OpenMetrics: true, Timestamps: seed%2 == 0})
			twin := &twin{rng: rng, timestamps: seed%2 == 0, metrics: map[string]*twinMetric{}}
			for range 3 {
				r.now = r.now.Add(10 * time.Second)
				twin.round(t, r)
				for _, accept := range []string{acceptText, acceptOpenMetrics, acceptProtobuf} {
					for _, escaping := range []string{"", allowUTF8, ";escaping=dots", ";escaping=values"} {
						page, header := r.get(accept + escaping)
						format := expfmt.Format(header.Get("Content-Type"))
						want := pagetest.Parse(t, twin.page(t, format), string(format))
						got := pagetest.Parse(t, page, string(format))
						require.NotEmpty(t, want.Series)
						require.Empty(t, pagetest.Diff(want, got), "%s", format)
					}
				}
			}
		})
	}
}

type twin struct {
	rng        *rand.Rand
	timestamps bool
	metrics    map[string]*twinMetric
}

type twinMetric struct {
	family string
	typ    model.MetricType
	bounds []float64
	labels labels.Labels
	refs   []storage.SeriesRef
	m      *dto.Metric
}

var twinTypes = []model.MetricType{model.MetricTypeCounter, model.MetricTypeGauge, model.MetricTypeUnknown, model.MetricTypeHistogram, model.MetricTypeSummary, "native"}

// round updates some metrics, old and new ones, in one transaction.
func (w *twin) round(t *testing.T, r *rig) {
	app := r.x.AppenderV2(t.Context())
	for range 40 {
		typ := twinTypes[w.rng.IntN(len(twinTypes))]
		family := fmt.Sprintf("dotted.%s.%d", typ, w.rng.IntN(3))
		if w.rng.IntN(3) == 0 {
			family = fmt.Sprintf("dotted.%s.%d", typ, w.rng.IntN(2))
		}
		if typ == model.MetricTypeCounter {
			family += "_total"
		}
		ls := labels.FromStrings("i", fmt.Sprint(w.rng.IntN(4)))
		if w.rng.IntN(4) == 0 {
			ls = labels.FromStrings("a.b", "\"\\\nü", "z", "1")
		}
		if w.rng.IntN(8) == 0 {
			ls = labels.EmptyLabels()
		}
		key := family + ls.String()
		m := w.metrics[key]
		if m == nil {
			m = &twinMetric{family: family, typ: typ, labels: ls, m: &dto.Metric{}}
			ls.Range(func(l labels.Label) {
				m.m.Label = append(m.m.Label, &dto.LabelPair{Name: new(l.Name), Value: new(l.Value)})
			})
			for range 1 + w.rng.IntN(5) {
				m.bounds = append(m.bounds, math.Round(w.rng.Float64()*100)/8)
			}
			slices.Sort(m.bounds)
			m.bounds = slices.Compact(m.bounds)
			w.metrics[key] = m
		}
		w.update(t, m, app, r.now.UnixMilli())
	}
	require.NoError(t, app.Commit())
}

func (w *twin) update(t *testing.T, m *twinMetric, app storage.AppenderV2, now int64) {
	start := int64(5000)
	created := timestamppb.New(time.UnixMilli(start))
	if w.timestamps {
		m.m.TimestampMs = &now
	}
	next := 0
	add := func(name string, v float64, h *histogram.Histogram, es []exemplar.Exemplar, extra ...string) {
		opts := storage.AppendV2Options{
			MetricFamilyName: m.family,
			Metadata:         metadata.Metadata{Type: m.typ, Help: "Help of " + m.family + `, "quoted" \ and` + "\nbroken."},
			Exemplars:        es,
		}
		if m.typ == "native" {
			opts.Metadata.Type = model.MetricTypeHistogram
		}
		ref, ls := storage.SeriesRef(0), labels.EmptyLabels()
		if next < len(m.refs) {
			ref = m.refs[next]
		} else {
			b := labels.NewBuilder(m.labels).Set(model.MetricNameLabel, name)
			for i := 0; i < len(extra); i += 2 {
				b.Set(extra[i], extra[i+1])
			}
			ls = b.Labels()
			m.refs = append(m.refs, 0)
		}
		ref, err := app.Append(ref, ls, start, now, v, h, nil, opts)
		require.NoError(t, err)
		m.refs[next] = ref
		next++
	}
	v := w.value()
	switch m.typ {
	case model.MetricTypeCounter:
		e, de := w.exemplar(v, now)
		add(m.family, v, nil, e)
		m.m.Counter = &dto.Counter{Value: &v, CreatedTimestamp: created, Exemplar: newer(de, m.m.GetCounter().GetExemplar())}
	case model.MetricTypeGauge:
		add(m.family, v, nil, nil)
		m.m.Gauge = &dto.Gauge{Value: &v}
	case model.MetricTypeUnknown:
		add(m.family, v, nil, nil)
		m.m.Untyped = &dto.Untyped{Value: &v}
	case model.MetricTypeSummary:
		count := uint64(w.rng.IntN(1000))
		s := &dto.Summary{SampleSum: &v, SampleCount: &count, CreatedTimestamp: created}
		add(m.family+"_sum", v, nil, nil)
		add(m.family+"_count", float64(count), nil, nil)
		for i := range m.bounds {
			q := m.bounds[i]
			add(m.family, q*3, nil, nil, "quantile", strconv.FormatFloat(q, 'f', -1, 64))
			s.Quantile = append(s.Quantile, &dto.Quantile{Quantile: &q, Value: new(q * 3)})
		}
		m.m.Summary = s
	case model.MetricTypeHistogram:
		w.updateHistogram(m, add, v, created, now)
	case "native":
		h := &histogram.Histogram{
			Schema: int32(w.rng.IntN(9)), Count: 12, Sum: v, ZeroThreshold: 1e-128, ZeroCount: 2,
			PositiveSpans: []histogram.Span{{Offset: -3, Length: 2}, {Offset: 4, Length: 1}}, PositiveBuckets: []int64{1, 2, -1},
			NegativeSpans: []histogram.Span{{Offset: 1, Length: 1}}, NegativeBuckets: []int64{4},
		}
		add(m.family, 0, h, nil)
		m.m.Histogram = nativeMessage(h, created)
	}
}

func (w *twin) updateHistogram(
	m *twinMetric, add func(string, float64, *histogram.Histogram, []exemplar.Exemplar, ...string),
	v float64, created *timestamppb.Timestamp, now int64,
) {
	before := m.m.GetHistogram().GetBucket()
	h := &dto.Histogram{SampleSum: &v, CreatedTimestamp: created}
	add(m.family+"_sum", v, nil, nil)
	count := uint64(0)
	for i, bound := range append(slices.Clone(m.bounds), math.Inf(1)) {
		count += uint64(w.rng.IntN(10))
		e, de := w.exemplar(bound, now)
		le := strconv.FormatFloat(bound, 'f', -1, 64)
		add(m.family+"_bucket", float64(count), nil, e, "le", le)
		b := &dto.Bucket{UpperBound: new(bound), CumulativeCount: new(count), Exemplar: de}
		if i < len(before) {
			b.Exemplar = newer(de, before[i].GetExemplar())
		}
		h.Bucket = append(h.Bucket, b)
	}
	add(m.family+"_count", float64(count), nil, nil)
	h.SampleCount = &count
	m.m.Histogram = h
}

// newer returns the exemplar that stays.
func newer(a, b *dto.Exemplar) *dto.Exemplar {
	if b == nil || a != nil && !a.GetTimestamp().AsTime().Before(b.GetTimestamp().AsTime()) {
		return a
	}
	return b
}

func nativeMessage(h *histogram.Histogram, created *timestamppb.Timestamp) *dto.Histogram {
	spans := func(in []histogram.Span) (out []*dto.BucketSpan) {
		for _, s := range in {
			out = append(out, &dto.BucketSpan{Offset: new(s.Offset), Length: new(s.Length)})
		}
		return out
	}
	return &dto.Histogram{
		SampleCount: &h.Count, SampleSum: &h.Sum, Schema: &h.Schema, ZeroThreshold: &h.ZeroThreshold, ZeroCount: &h.ZeroCount,
		PositiveSpan: spans(h.PositiveSpans), PositiveDelta: h.PositiveBuckets,
		NegativeSpan: spans(h.NegativeSpans), NegativeDelta: h.NegativeBuckets, CreatedTimestamp: created,
	}
}

func (w *twin) value() float64 {
	switch w.rng.IntN(6) {
	case 0:
		return math.Inf(1)
	case 1:
		return w.rng.Float64() * 1e-9
	case 2:
		return 1e300 * w.rng.Float64()
	}
	return float64(w.rng.IntN(1 << 40))
}

func (w *twin) exemplar(v float64, now int64) ([]exemplar.Exemplar, *dto.Exemplar) {
	if w.rng.IntN(3) > 0 {
		return nil, nil
	}
	id := fmt.Sprint(w.rng.Uint64())
	at := now - int64(w.rng.IntN(9000))
	return []exemplar.Exemplar{{Labels: labels.FromStrings("trace_id", id), Value: v, Ts: at, HasTs: true}},
		&dto.Exemplar{Label: []*dto.LabelPair{{Name: new("trace_id"), Value: &id}}, Value: &v, Timestamp: timestamppb.New(time.UnixMilli(at))}
}

// page has Prometheus' library write everything.
func (w *twin) page(t *testing.T, format expfmt.Format) string {
	byName := map[string]*dto.MetricFamily{}
	for _, m := range w.metrics {
		f := byName[m.family]
		if f == nil {
			typ := map[model.MetricType]dto.MetricType{
				model.MetricTypeCounter: dto.MetricType_COUNTER, model.MetricTypeGauge: dto.MetricType_GAUGE,
				model.MetricTypeUnknown: dto.MetricType_UNTYPED, model.MetricTypeSummary: dto.MetricType_SUMMARY,
				model.MetricTypeHistogram: dto.MetricType_HISTOGRAM, "native": dto.MetricType_HISTOGRAM,
			}[m.typ]
			f = &dto.MetricFamily{Name: &m.family, Help: new("Help of " + m.family + `, "quoted" \ and` + "\nbroken."), Type: &typ}
			byName[m.family] = f
		}
		f.Metric = append(f.Metric, m.m)
	}
	var b bytes.Buffer
	enc := expfmt.NewEncoder(&b, format)
	for _, f := range byName {
		require.NoError(t, enc.Encode(f))
	}
	if c, ok := enc.(expfmt.Closer); ok {
		assert.NoError(t, c.Close())
	}
	return b.String()
}
