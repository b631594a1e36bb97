package promfront_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/tailgate-otel/tailgate/internal/promfront"
)

func TestZeroSamples(t *testing.T) {
	on := promfront.Options{ZeroSamples: true}
	for name, tc := range map[string]struct {
		o      promfront.Options
		points [][3]float64 // time, start, value
		want   string
	}{
		"new":                         {on, [][3]float64{{10, 1, 5}, {20, 1, 6}}, "zero:0@1 5@10 6@20"},
		"restarted":                   {on, [][3]float64{{10, 1, 5}, {20, 12, 6}, {30, 12, 7}}, "zero:0@1 5@10 zero:0@12 6@20 7@30"},
		"no start":                    {on, [][3]float64{{10, unset, 5}}, "5@10"},
		"start not known by sender":   {on, [][3]float64{{10, 10, 5}, {20, 10, 6}}, "5@10 6@20"},
		"start moves before a sample": {on, [][3]float64{{10, 5, 5}, {20, 9, 6}}, "zero:0@5 5@10 6@20"},
		"start moves back":            {on, [][3]float64{{10, 5, 5}, {20, 2, 6}}, "zero:0@5 5@10 6@20"},
		"started long ago":            {on, [][3]float64{{7200, 1, 5}}, "5@7200"},
		"switched off":                {promfront.Options{}, [][3]float64{{10, 1, 5}}, "5@10"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, tc.o)
			zeros := int64(0)
			for _, p := range tc.points {
				e := newExport(p[0]).counter("requests", 0, p[2])
				point := e.md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0)
				point.SetStartTimestamp(0)
				if p[1] != unset {
					point.SetStartTimestamp(at(p[1]))
				}
				zeros += s.write(e).Zeros
			}
			s.expect(requests, tc.want)
			assert.Equal(t, int64(s.book.zeros()), zeros)
		})
	}
}

const unset = -1

// Every series of a histogram starts at 0; a gauge has no start.
func TestZeroSamplesOfOtherTypes(t *testing.T) {
	s := newScene(t, promfront.Options{ZeroSamples: true, Histograms: promfront.Both})
	e := newExport(10).gauge("depth", 5)
	e.explicit("latency", cumulative, 1, []float64{1}, []uint64{1, 2}, 5)
	e.exponential("rpc", cumulative, 2, 3, 0, []uint64{1}, 1)
	e.md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints().At(0).SetStartTimestamp(at(1))
	s.write(e)
	s.expect(depth, "5@10")
	s.expect(latency1, "zero:0@1 1@10")
	s.expect(latencyInf, "zero:0@1 3@10")
	s.expect(latencyCount, "zero:0@1 3@10")
	s.expect(latencySum, "zero:0@1 5@10")
	s.expect(latency, "zero:{count:0, sum:0} schema=-53 custom=[1]@1 {count:3, sum:5, [-Inf,1]:1, (1,+Inf]:2} schema=-53 custom=[1]@10")
	s.expect(`{__name__="rpc", instance="shop-1", job="shop"}`, "zero:{count:0, sum:0} schema=3 custom=[]@2 {count:1, sum:1, (1,1.0905077326652577]:1} schema=3 custom=[]@10")
}
