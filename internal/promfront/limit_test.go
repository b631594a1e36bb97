package promfront_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/tailgate-otel/tailgate/internal/promfront"
)

// many is an export of one counter with so many attribute sets, whose values v says.
func many(seconds float64, temporality pmetric.AggregationTemporality, start float64, n int, v func(int) float64) *export {
	e := newExport(seconds)
	points := e.sum("requests", temporality).DataPoints()
	for i := range n {
		e.number(points, v(i), "n", strconv.Itoa(i)).SetStartTimestamp(at(start))
	}
	return e
}

func constant(v float64) func(int) float64 { return func(int) float64 { return v } }

func TestLimits(t *testing.T) {
	for name, limits := range map[string]promfront.Limits{
		"per metric":   {PerMetric: 3},
		"per resource": {PerResource: 3},
		"total":        {Total: 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, promfront.Options{Limits: limits})
			tally := s.write(many(10, cumulative, 0, 10, constant(2)))
			assert.Equal(t, int64(7), tally.Overflowed)
			s.expect(overflowing, "14@10") // 7 streams
			assert.Len(t, s.book.names(), 3+1+1, "3 series, the overflow, target_info")
			assert.Equal(t, 4, s.front.Offenders(0).Series)

			s.write(many(20, cumulative, 0, 12, constant(3)))
			s.expect(overflowing, "14@10 27@20") // 9 streams at 3
		})
	}
}

func TestOverflowOfCumulativeSums(t *testing.T) {
	s := newScene(t, promfront.Options{Limits: promfront.Limits{Total: 1}})
	counters := func(seconds, start float64, values ...float64) {
		s.write(many(seconds, cumulative, start, len(values), func(i int) float64 { return values[i] }))
	}
	counters(10, 0, 1, 10, 20)
	counters(20, 0, 1, 11, 22) // +1 +2
	counters(30, 0, 1, 11, 5)  // the last has restarted: +5
	counters(30, 0, 1, 11, 5)  // sent again
	counters(40, 35, 1, 12, 6) // both have a new start: +12 +6
	s.expect(overflowing, "30@10 33@20 38@30 56@40")
}

func TestOverflowOfDeltaSums(t *testing.T) {
	s := newScene(t, promfront.Options{Limits: promfront.Limits{Total: 1}})
	s.write(many(10, delta, 0, 4, constant(2)))
	s.write(many(20, delta, 10, 3, constant(5)))
	s.expect(overflowing, "6@10 16@20")
	s.expect(`{__name__="requests_total", instance="shop-1", job="shop", n="0"}`, "2@10 7@20")
}

func TestOverflowOfHistograms(t *testing.T) {
	for name, temporality := range map[string]pmetric.AggregationTemporality{"cumulative": cumulative, "delta": delta} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, promfront.Options{Limits: promfront.Limits{Total: 1}, Histograms: promfront.Both})
			for round := range 3 {
				seconds := float64(10 * (round + 1))
				e := newExport(seconds).gauge("first", 1) // fills the limit
				n := uint64(1)
				if temporality == cumulative {
					n = uint64(round + 1)
				}
				for i := range 3 {
					e.explicit("latency", temporality, seconds-10*float64(n), []float64{1}, []uint64{n, 2 * n}, float64(n), "n", fmt.Sprint(i))
					e.exponential("rpc", temporality, seconds-10*float64(n), int32(i), 0, []uint64{n, n}, 1, "n", fmt.Sprint(i))
				}
				s.write(e)
			}
			over := func(name, more string) string {
				return `{__name__="` + name + `", instance="shop-1", job="shop", ` + more + `otel_metric_overflow="true"}`
			}
			s.expect(over("latency_bucket", `le="1", `), "3@10 6@20 9@30")
			s.expect(over("latency_count", ""), "9@10 18@20 27@30")
			s.expect(over("latency_sum", ""), "3@10 6@20 9@30")
			lines := s.book.lines[over("rpc", "")]
			for round, l := range lines {
				k := uint64(round + 1)
				// Scale 2 has (1,1.19] (1.19,1.41], scale 1 (1,1.41] (1.41,2], scale 0 (1,2] (2,4]: 5 of 6 are in (1,2].
				assert.Equal(t, map[int32]uint64{1: 5 * k, 2: k}, bucketsOf(l.h))
				assert.Equal(t, 6*k, l.h.Count)
			}
			assert.Len(t, lines, 3)
		})
	}
}

// A gauge cannot be summed. It is refused and leaves nothing behind.
func TestOverflowRefusesWhatCannotBeSummed(t *testing.T) {
	s := newScene(t, promfront.Options{Limits: promfront.Limits{Total: 1}})
	e := newExport(10).gauge("depth", 1)
	points := e.metric("length").SetEmptyGauge().DataPoints()
	for i := range 5 {
		e.number(points, 1, "n", strconv.Itoa(i))
	}
	tally := s.writeSome(e)
	assert.Equal(t, int64(5), tally.Refused[promfront.Limit])
	assert.Equal(t, `{__name__="length", instance="shop-1", job="shop", n="0"} at 2026-03-01T12:00:10Z: a limit on series is reached`,
		tally.Examples[promfront.Limit])
	assert.Equal(t, []promfront.MetricRefusals{{Metric: "length", Reason: promfront.Limit, Count: 5}}, s.front.RefusedByMetric())
}

func TestOffenders(t *testing.T) {
	s := newScene(t, promfront.Options{})
	s.write(many(10, cumulative, 0, 5, constant(1)).gauge("depth", 1))
	s.write(newExport(10, "service.name", "cart").gauge("depth", 1))
	assert.Equal(t, promfront.Offenders{
		Series:    7,
		Metrics:   []promfront.Offender{{Name: "requests", Series: 5}},
		Resources: []promfront.Offender{{Name: "shop/shop-1", Series: 6}},
	}, s.front.Offenders(1))
}
