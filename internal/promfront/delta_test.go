package promfront_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/tailgate-otel/tailgate/internal/promfront"
)

const (
	cumulative = pmetric.AggregationTemporalityCumulative
	delta      = pmetric.AggregationTemporalityDelta
)

func TestDeltaSums(t *testing.T) {
	type interval struct{ from, to, v float64 }
	for name, tc := range map[string]struct {
		intervals []interval
		want      string
		refused   promfront.Reason // -1 for none
	}{
		"one after the other":           {[]interval{{0, 10, 1}, {10, 20, 2}, {20, 30, 4}}, "1@10 3@20 7@30", -1},
		"a gap":                         {[]interval{{0, 10, 1}, {50, 60, 2}}, "1@10 3@60", -1},
		"a sender that restarted":       {[]interval{{0, 10, 1}, {13, 20, 2}}, "1@10 3@20", -1},
		"sent twice":                    {[]interval{{0, 10, 1}, {10, 20, 2}, {10, 20, 2}, {20, 30, 1}}, "1@10 3@20 3@20 4@30", -1},
		"late":                          {[]interval{{0, 10, 1}, {20, 30, 2}, {10, 20, 9}}, "1@10 3@30", promfront.OutOfOrder},
		"two senders at the same time":  {[]interval{{0, 10, 1}, {0, 10, 9}, {10, 20, 2}}, "1@10 3@20", promfront.Duplicate},
		"two senders at different ones": {[]interval{{0, 10, 1}, {5, 15, 9}, {10, 20, 2}}, "1@10 3@20", promfront.OverlappingDelta},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, promfront.Options{})
			var refused [promfront.ReasonCount]int64
			for _, i := range tc.intervals {
				for why, n := range s.writeSome(newExport(i.to).delta("requests", i.from, i.v)).Refused {
					refused[why] += n
				}
			}
			s.expect(requests, tc.want)
			var want [promfront.ReasonCount]int64
			if tc.refused >= 0 {
				want[tc.refused] = 1
			}
			assert.Equal(t, want, refused)
			assert.Equal(t, `requests_total counter "" ""`, s.book.metadata[requests], "it is a counter, not unknown")
		})
	}
}

func TestDeltaExplicitHistograms(t *testing.T) {
	s := newScene(t, promfront.Options{Histograms: promfront.Both})
	write := func(t, from float64, bounds []float64, counts []uint64, sum float64) {
		e := newExport(t)
		e.explicit("latency", delta, from, bounds, counts, sum)
		s.write(e)
	}
	write(10, 0, []float64{1}, []uint64{1, 2}, 5)
	write(20, 10, []float64{1}, []uint64{3, 0}, 1)
	s.expect(latency1, "1@10 4@20")
	s.expect(latencyInf, "3@10 6@20")
	s.expect(latencyCount, "3@10 6@20")
	s.expect(latencySum, "5@10 6@20")
	s.expect(latency, "{count:3, sum:5, [-Inf,1]:1, (1,+Inf]:2} schema=-53 custom=[1]@10 {count:6, sum:6, [-Inf,1]:4, (1,+Inf]:2} schema=-53 custom=[1]@20")

	write(30, 20, []float64{1, 2}, []uint64{1, 0, 0}, 1)
	s.expect(latencyCount, "3@10 6@20 1@30") // other buckets: it starts again
	s.expect(latency1, "1@10 4@20 1@30")
}

// Whatever the order of points, scales and offsets, the sum of exponential deltas has every observation in the bucket
// that its own would have at the resulting scale.
func TestDeltaExponentialHistogramsAddUp(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		s := newScene(t, promfront.Options{})
		type observed struct{ index, scale int32 }
		var all []observed
		lowest := int32(8)
		for i := range 1 + rnd.IntN(5) {
			scale, offset := rnd.Int32N(14)-3, rnd.Int32N(60)-30
			counts := make([]uint64, rnd.IntN(30))
			for b := range counts {
				counts[b] = rnd.Uint64N(3) * rnd.Uint64N(2)
				if counts[b] > 0 {
					lowest = min(lowest, scale)
				}
				for range counts[b] {
					all = append(all, observed{offset + int32(b), scale})
				}
			}
			e := newExport(float64(10 * (i + 1)))
			e.exponential("latency", delta, float64(10*i), scale, offset, counts, 0)
			s.write(e)
		}
		lines := s.book.lines[latency]
		got := lines[len(lines)-1].h
		require.LessOrEqual(t, got.Schema, lowest)
		want := map[int32]uint64{}
		for _, o := range all {
			want[o.index>>(o.scale-got.Schema)+1]++
		}
		assert.Equal(t, want, bucketsOf(got), "schema %d", got.Schema)
		assert.Equal(t, uint64(len(all)), got.Count)
	}
}

// A cumulative histogram with more resolution than Prometheus has keeps every observation in the right bucket.
func TestFineExponentialHistogramsAreMerged(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		s := newScene(t, promfront.Options{})
		down, offset := rnd.Int32N(12), rnd.Int32N(4000)-2000
		counts := make([]uint64, rnd.IntN(100))
		want := map[int32]uint64{}
		for b := range counts {
			if counts[b] = rnd.Uint64N(3) * rnd.Uint64N(2); counts[b] > 0 {
				want[(offset+int32(b))>>down+1] += counts[b]
			}
		}
		e := newExport(10)
		e.exponential("latency", cumulative, 0, 8+down, offset, counts, 0)
		s.write(e)
		got := s.book.lines[latency][0].h
		assert.Equal(t, int32(8), got.Schema)
		assert.Equal(t, want, bucketsOf(got))
	}
}

// Buckets that no scale can hold together cost their point, not the memory for all between.
func TestDeltaExponentialTooWide(t *testing.T) {
	s := newScene(t, promfront.Options{})
	for i, offset := range []int32{0, 1 << 30, 1} {
		e := newExport(float64(10 * (i + 1)))
		e.exponential("latency", delta, float64(10*i), 0, offset, []uint64{1}, 0)
		tally := s.writeSome(e)
		assert.Equal(t, int64(i%2), tally.Refused[promfront.BadHistogram])
	}
	lines := s.book.lines[latency]
	assert.Equal(t, map[int32]uint64{1: 1, 2: 1}, bucketsOf(lines[len(lines)-1].h))
}

// A failed transaction leaves no trace in totals: with failures and retries the store gets what it gets without.
func TestFailedWritesAreUndone(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	smooth, rough := newScene(t, promfront.Options{ZeroSamples: true}), newScene(t, promfront.Options{ZeroSamples: true})
	for i := range 50 {
		from, to := float64(10*i), float64(10*(i+1))
		build := func() *export {
			e := newExport(to).delta("requests", from, float64(i))
			e.explicit("latency", delta, from, []float64{1}, []uint64{uint64(i), 1}, 1)
			e.exponential("exponential", delta, from, int32(i%3), int32(i%5), []uint64{1, uint64(i)}, 1)
			return e.counter("cumulative", float64(i/20*200), float64(i))
		}
		smooth.write(build())
		for rnd.IntN(3) > 0 {
			rough.book.fail(rnd.IntN(2) == 0, rnd.IntN(8)) // a write has 8 samples
			_, err := rough.front.Write(t.Context(), build().md)
			require.ErrorIs(t, err, errDisk)
			rough.book.heal()
		}
		rough.write(build())
	}
	assert.Empty(t, firstDifference(smooth.book.String(), rough.book.String()))
}
