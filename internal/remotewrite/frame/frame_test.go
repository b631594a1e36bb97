package frame_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/internal/remotewrite/frame"
	"github.com/tailgate-otel/tailgate/internal/remotewrite/journal"
)

// said is a sample in words, the same for what was written and for what was read.
type said struct {
	Labels, Metadata, Value, Exemplars string
	Start, T                           int64
}

// world is a random source of batches.
type world struct {
	*rand.Rand
	series []*frame.Series
	metas  []*frame.Metadata
	t      int64
}

func newWorld(seed uint64) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 9)), t: 1_700_000_000_000}
	for i := range 40 {
		w.series = append(w.series, &frame.Series{
			Labels: labels.FromStrings("__name__", fmt.Sprint("m", i%7), "i", fmt.Sprint(i), "empty", ""), Lane: uint8(i),
		})
	}
	for i := range 5 {
		w.metas = append(w.metas, &frame.Metadata{Family: fmt.Sprint("m", i), Metadata: metadata.Metadata{
			Type: model.MetricTypeCounter, Help: fmt.Sprint("help ", i%2), Unit: "By",
		}})
	}
	return w
}

var values = []float64{0, math.Copysign(0, -1), 1, -1, 0.5, 1 << 47, 1 << 48, -(1 << 48), 1e300, math.MaxInt64, math.NaN(), math.Inf(1)}

func (w *world) batch(n int) (*frame.Batch, []said) {
	b := &frame.Batch{}
	var out []said
	for range n {
		x := frame.Sample{Series: w.series[w.IntN(len(w.series))]}
		if w.IntN(10) == 0 {
			x.Series.Metadata.Store(w.metas[w.IntN(len(w.metas))])
		}
		if w.IntN(3) == 0 {
			w.t += w.Int64N(30_000) - 5_000
		}
		x.T = w.t
		x.Start = []int64{0, 1_699_999_999_000, w.t - 77, 0}[w.IntN(4)]
		words := said{Labels: x.Series.Labels.String(), Start: x.Start, T: x.T}
		if w.IntN(4) == 0 {
			x.Custom = w.IntN(2) == 0
			x.Histogram.From = uint32(len(b.Histograms))
			b.Histograms = fmt.Appendf(b.Histograms, "histogram %d", w.IntN(1000))
			x.Histogram.To = uint32(len(b.Histograms))
			words.Value = fmt.Sprint(x.Custom, string(b.Histograms[x.Histogram.From:]))
		} else {
			x.V = values[w.IntN(len(values))]
			words.Value = fmt.Sprintf("%x", math.Float64bits(x.V))
		}
		x.Exemplars.From = uint32(len(b.Exemplars))
		for range w.IntN(6) / 4 {
			e := exemplar.Exemplar{Labels: labels.FromStrings("trace_id", fmt.Sprint(w.Uint64()), "k", "v"), Value: 0.25, Ts: x.T - w.Int64N(100) + 5}
			b.Exemplars = append(b.Exemplars, e)
			words.Exemplars += fmt.Sprintln(e.Labels, e.Value, e.Ts)
		}
		x.Exemplars.To = uint32(len(b.Exemplars))
		b.Samples = append(b.Samples, x)
		out = append(out, words)
	}
	for i := range out { // that of the series when the batch is committed
		if m := b.Samples[i].Series.Metadata.Load(); m != nil {
			out[i].Metadata = fmt.Sprint(m.Family, m.Type, m.Help, m.Unit)
		}
	}
	return b, out
}

func read(t *testing.T, d *frame.Decoder, payload []byte) []said {
	d.Begin(payload)
	var out []said
	for {
		x, err := d.Next()
		require.NoError(t, err)
		if x == nil {
			return out
		}
		words := said{Start: x.Start, T: x.T}
		b := labels.NewScratchBuilder(4)
		for i := 0; i < len(x.Series.Labels); i += 2 {
			b.Add(d.Symbols[x.Series.Labels[i]], d.Symbols[x.Series.Labels[i+1]])
		}
		words.Labels = b.Labels().String()
		if x.Meta != 0 {
			m := d.Metas[x.Meta]
			words.Metadata = fmt.Sprint(d.Symbols[m.Family], m.Type, d.Symbols[m.Help], d.Symbols[m.Unit])
		}
		if x.Histogram != nil {
			words.Value = fmt.Sprint(x.Custom, string(x.Histogram))
		} else {
			words.Value = fmt.Sprintf("%x", math.Float64bits(x.V))
		}
		for _, e := range x.Exemplars {
			b.Reset()
			for _, l := range e.Labels {
				b.Add(d.Symbols[l.Name], l.Value)
			}
			b.Sort()
			words.Exemplars += fmt.Sprintln(b.Labels(), e.V, e.T)
		}
		out = append(out, words)
	}
}

// TestWhatIsWrittenIsRead with several frames in each of several segments.
func TestWhatIsWrittenIsRead(t *testing.T) {
	for seed := range uint64(30) {
		w := newWorld(seed)
		var e frame.Encoder
		var d frame.Decoder
		for segment := range uint32(4) {
			d.NewSegment()
			for range 5 {
				b, want := w.batch(1 + w.IntN(60))
				payload, summary := e.Encode(segment+1, nil, b)
				require.Equal(t, want, read(t, &d, payload), "seed %d", seed)
				require.Equal(t, len(b.Samples), summary.Samples+summary.Histograms)
				require.Equal(t, len(b.Exemplars), summary.Exemplars)
			}
		}
	}
}

// TestLateSamples: a sample older than another of its series is late, whatever other series have.
func TestLateSamples(t *testing.T) {
	a, b := &frame.Series{Labels: labels.FromStrings("s", "a")}, &frame.Series{Labels: labels.FromStrings("s", "b")}
	var e frame.Encoder
	sum := func(xs ...frame.Sample) journal.Summary {
		_, s := e.Encode(1, nil, &frame.Batch{Samples: xs})
		return s
	}
	first := sum(frame.Sample{Series: a, T: 100}, frame.Sample{Series: b, T: 50})
	require.Equal(t, journal.Range{From: 50, To: 100}, first.Fresh)
	require.True(t, first.Late.Empty())
	second := sum(frame.Sample{Series: a, T: 90}, frame.Sample{Series: b, T: 90}, frame.Sample{Series: a, T: 100})
	require.Equal(t, journal.Range{From: 90, To: 100}, second.Fresh)
	require.Equal(t, journal.Range{From: 90, To: 90}, second.Late)
}

func TestKnownSeriesAllocateNothing(t *testing.T) {
	w := newWorld(1)
	b := &frame.Batch{}
	for _, s := range w.series {
		b.Samples = append(b.Samples, frame.Sample{Series: s, T: 5, V: 0.5})
	}
	var e frame.Encoder
	var d frame.Decoder
	buf, _ := e.Encode(1, nil, b)
	d.NewSegment()
	read(t, &d, buf)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		buf, _ = e.Encode(1, buf[:0], b)
		d.Begin(buf)
		for x, err := d.Next(); x != nil || err != nil; x, err = d.Next() {
		}
	}))
}

// FuzzDecoder: whatever the bytes, the decoder ends with an error or with entries whose numbers mean something.
func FuzzDecoder(f *testing.F) {
	w := newWorld(2)
	var e frame.Encoder
	for range 5 {
		b, _ := w.batch(20)
		payload, _ := e.Encode(1, nil, b)
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var d frame.Decoder
		d.NewSegment()
		d.Begin(payload)
		for {
			x, err := d.Next()
			if err != nil || x == nil {
				return
			}
			for _, symbol := range x.Series.Labels {
				_ = d.Symbols[symbol]
			}
			_ = d.Metas[x.Meta]
			for _, e := range x.Exemplars {
				for _, l := range e.Labels {
					_ = d.Symbols[l.Name]
				}
			}
		}
	})
}
