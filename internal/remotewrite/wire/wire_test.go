package wire_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gogo/protobuf/proto"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/prometheus/prometheus/tsdb/tsdbutil"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/internal/remotewrite/frame"
	"github.com/tailgate-otel/tailgate/internal/remotewrite/wire"
)

// randomBatch has few series and many samples, so that chains form and break, and says per series what was put in.
func randomBatch(random *rand.Rand, custom bool) (*wire.Batch, map[string][]string) {
	d := frame.NewDictionary()
	symbol := func(s string) uint32 {
		if i := slices.Index(d.Symbols, s); i >= 0 {
			return uint32(i)
		}
		d.Symbols = append(d.Symbols, s)
		return uint32(len(d.Symbols) - 1)
	}
	for i := range 12 {
		k := &frame.Known{Number: uint32(i)}
		for _, s := range []string{"__name__", fmt.Sprint("metric", i%3), "i", fmt.Sprint("a value that is long enough ", i), "z", ""} {
			k.Labels = append(k.Labels, symbol(s))
		}
		d.Series = append(d.Series, k)
	}
	d.Metas = append(d.Metas, frame.Meta{Family: symbol("metric0"), Help: symbol("What it is."), Unit: symbol(""), Type: model.MetricTypeGauge})
	b := &wire.Batch{}
	b.Reset()
	said := map[string][]string{}
	t := int64(1_700_000_000_000)
	for range 1 + random.IntN(80) {
		x := frame.Entry{Series: d.Series[random.IntN(len(d.Series))], T: t, Meta: uint32(random.IntN(2))}
		t += random.Int64N(2000) - 200
		if random.IntN(2) == 0 {
			x.Start = x.T - 60_000
		}
		var words string
		switch random.IntN(4) {
		case 0:
			h := tsdbutil.GenerateTestHistogram(random.Int64N(50))
			if custom && random.IntN(2) == 0 {
				h = &histogram.Histogram{Schema: histogram.CustomBucketsSchema, Count: 3, PositiveSpans: []histogram.Span{{Length: 1}}, PositiveBuckets: []int64{3}, CustomValues: []float64{1.5}}
			}
			x.Histogram, x.Custom = wire.AppendHistogram(nil, h), h.UsesCustomBuckets()
			words = fmt.Sprint(x.T, h, h.CustomValues, h.CounterResetHint)
		case 1:
			h := tsdbutil.GenerateTestGaugeFloatHistogram(random.Int64N(50))
			x.Histogram = wire.AppendFloatHistogram(nil, h)
			words = fmt.Sprint(x.T, h, h.CounterResetHint)
		default:
			x.V = random.NormFloat64()
			words = fmt.Sprintf("%d %x", x.T, math.Float64bits(x.V))
		}
		for range random.IntN(4) / 2 {
			e := frame.Exemplar{Labels: []frame.Pair{{Name: symbol("trace_id"), Value: fmt.Sprint(random.Uint64())}}, V: 0.5, T: x.T - 1}
			x.Exemplars = append(x.Exemplars, e)
			words += fmt.Sprint(" exemplar ", e.Labels[0].Value, e.V, e.T)
		}
		b.Add(&x)
		name := labels.FromStrings("__name__", d.Symbols[x.Series.Labels[1]], "i", d.Symbols[x.Series.Labels[3]], "z", "").String()
		said[name] = append(said[name], words, fmt.Sprint(x.T, " start ", x.Start))
	}
	b.Dictionary = d
	return b, said
}

// TestVersion2AsUpstreamReadsIt: Prometheus' own types read what was put in, one TimeSeries having samples of one kind in
// ascending order.
func TestVersion2AsUpstreamReadsIt(t *testing.T) {
	var e wire.Encoder
	for seed := range uint64(200) {
		b, want := randomBatch(rand.New(rand.NewPCG(seed, 1)), true)
		var req writev2.Request
		require.NoError(t, proto.Unmarshal(e.V2(b, b.Items), &req))
		require.Empty(t, req.Symbols[0])
		got := map[string][]string{}
		builder := labels.NewScratchBuilder(4)
		for _, ts := range req.Timeseries {
			ls, err := ts.ToLabels(&builder, req.Symbols)
			require.NoError(t, err)
			m, err := ts.ToMetadata(req.Symbols)
			require.NoError(t, err)
			require.Contains(t, []metadata.Metadata{{Type: model.MetricTypeUnknown}, {Type: model.MetricTypeGauge, Help: "What it is."}}, m)
			require.False(t, len(ts.Samples) > 0 && len(ts.Histograms) > 0)
			exemplars := ts.Exemplars
			take := func(at int64) (words string) {
				for len(exemplars) > 0 && exemplars[0].Timestamp == at-1 {
					x, err := exemplars[0].ToExemplar(&builder, req.Symbols)
					require.NoError(t, err)
					words += fmt.Sprint(" exemplar ", x.Labels.Get("trace_id"), x.Value, x.Ts)
					exemplars = exemplars[1:]
				}
				return words
			}
			last := int64(0)
			for _, s := range ts.Samples {
				require.Greater(t, s.Timestamp, last)
				last = s.Timestamp
				got[ls.String()] = append(got[ls.String()], fmt.Sprintf("%d %x", s.Timestamp, math.Float64bits(s.Value))+take(s.Timestamp),
					fmt.Sprint(s.Timestamp, " start ", s.StartTimestamp))
			}
			for _, h := range ts.Histograms {
				require.Greater(t, h.Timestamp, last)
				last = h.Timestamp
				var words string
				if h.IsFloatHistogram() {
					fh := h.ToFloatHistogram()
					words = fmt.Sprint(h.Timestamp, fh, fh.CounterResetHint)
				} else {
					ih := h.ToIntHistogram()
					words = fmt.Sprint(h.Timestamp, ih, ih.CustomValues, ih.CounterResetHint)
				}
				got[ls.String()] = append(got[ls.String()], words+take(h.Timestamp), fmt.Sprint(h.Timestamp, " start ", h.StartTimestamp))
			}
		}
		require.Equal(t, want, got, "seed %d", seed)
	}
}

func TestVersion1AsUpstreamReadsIt(t *testing.T) {
	var e wire.Encoder
	for seed := range uint64(100) {
		b, want := randomBatch(rand.New(rand.NewPCG(seed, 2)), false)
		var req prompb.WriteRequest
		require.NoError(t, proto.Unmarshal(e.V1(b, b.Items), &req))
		builder := labels.NewScratchBuilder(4)
		samples, exemplars := 0, 0
		for _, ts := range req.Timeseries {
			words := want[ts.ToLabels(&builder, nil).String()]
			for _, s := range ts.Samples {
				require.True(t, slices.ContainsFunc(words, starts(fmt.Sprintf("%d %x", s.Timestamp, math.Float64bits(s.Value)))))
			}
			for _, h := range ts.Histograms {
				text := fmt.Sprint(h.Timestamp, h.ToFloatHistogram(), h.ToFloatHistogram().CounterResetHint)
				if !h.IsFloatHistogram() {
					ih := h.ToIntHistogram()
					text = fmt.Sprint(h.Timestamp, ih, ih.CustomValues, ih.CounterResetHint)
				}
				require.True(t, slices.ContainsFunc(words, starts(text)), text)
			}
			samples += len(ts.Samples) + len(ts.Histograms)
			exemplars += len(ts.Exemplars)
		}
		count := b.Count(b.Items)
		require.Equal(t, count.Samples+count.Histograms, samples)
		require.Equal(t, count.Exemplars, exemplars)
	}
}

func starts(prefix string) func(string) bool {
	return func(s string) bool { return len(s) >= len(prefix) && s[:len(prefix)] == prefix }
}

func TestMetadataVersion1(t *testing.T) {
	var e wire.Encoder
	var req prompb.WriteRequest
	require.NoError(t, proto.Unmarshal(e.MetadataV1([]frame.Metadata{
		{Family: "a", Metadata: metadata.Metadata{Type: model.MetricTypeStateset, Help: "h", Unit: "u"}}, {Family: "b"},
	}), &req))
	require.Equal(t, []prompb.MetricMetadata{
		{MetricFamilyName: "a", Type: prompb.MetricMetadata_STATESET, Help: "h", Unit: "u"}, {MetricFamilyName: "b"},
	}, req.Metadata)
}

// BenchmarkEncode writes a request of 2,000 samples of as many series.
func BenchmarkEncode(b *testing.B) {
	d := frame.NewDictionary()
	for i := range 64 {
		d.Symbols = append(d.Symbols, fmt.Sprint("symbol number ", i))
	}
	batch := &wire.Batch{}
	for i := range 2000 {
		k := &frame.Known{Number: uint32(i)}
		for j := range 20 {
			k.Labels = append(k.Labels, uint32((i*j)%64))
		}
		d.Series = append(d.Series, k)
		batch.Add(&frame.Entry{Series: k, T: 1_700_000_000_000, V: float64(i) + 0.5})
	}
	batch.Dictionary = d
	var e wire.Encoder
	for name, write := range map[string]func(*wire.Batch, []wire.Item) []byte{"v1": e.V1, "v2": e.V2} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				write(batch, batch.Items)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2000, "ns/sample")
		})
	}
}
