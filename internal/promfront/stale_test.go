package promfront_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/internal/promfront"
)

func TestSilentResourceGoesStale(t *testing.T) {
	s := newScene(t, promfront.Options{StaleAfter: 1, Histograms: promfront.Both})
	for _, at := range []float64{10, 20} {
		e := newExport(at).gauge("depth", 1)
		e.explicit("latency", cumulative, 0, []float64{1}, []uint64{1, 0}, 1)
		s.write(e)
	}
	s.sweep(35)
	s.expect(depth, "1@10 1@20") // an export and a half is 15 s, and not over

	s.sweep(36)
	s.sweep(37) // marks nothing twice
	s.expect(depth, "1@10 1@20 stale@35")
	s.expect(info, "1@10 1@20 stale@35")
	for _, series := range []string{latency1, latencyInf, latencyCount, latencySum} {
		s.expect(series, "1@10 1@20 stale@35")
	}
	s.expect(latency, "{count:1, sum:1, [-Inf,1]:1} schema=-53 custom=[1]@10 {count:1, sum:1, [-Inf,1]:1} schema=-53 custom=[1]@20 stale histogram@35")

	s.write(newExport(40).gauge("depth", 2))
	s.expect(depth, "1@10 1@20 stale@35 2@40")
	s.expect(latencySum, "1@10 1@20 stale@35")
}

func TestLearnedIntervals(t *testing.T) {
	for name, tc := range map[string]struct {
		exports []float64
		after   int
		alive   float64 // seconds after the last export
		gone    float64
	}{
		"one export only":        {[]float64{10}, 1, 90, 90.1},
		"every minute":           {[]float64{0, 60, 120}, 1, 90, 90.1},
		"in several requests":    {[]float64{0, 0.2, 0.4, 10, 11, 12}, 1, 14.9, 15.1},
		"an outage in between":   {[]float64{0, 10, 20, 620, 630, 640}, 1, 15, 30},
		"may miss three exports": {[]float64{0, 10, 20}, 3, 35, 35.1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, promfront.Options{StaleAfter: tc.after})
			last := 0.0
			for _, last = range tc.exports {
				s.write(newExport(last).gauge("depth", 1))
			}
			before := s.book.values(depth)
			s.sweep(last + tc.alive)
			require.Equal(t, before, s.book.values(depth))
			s.sweep(last + tc.gone)
			assert.Contains(t, s.book.values(depth), "stale")
		})
	}
}

// Two resources with one job and instance write the same series: while one of them does, it is not stale.
func TestSharedSeriesStayAlive(t *testing.T) {
	s := newScene(t, promfront.Options{StaleAfter: 1})
	one := []string{"service.name", "shop", "service.instance.id", "shop-1", "cloud.region", "eu"}
	other := []string{"service.name", "shop", "service.instance.id", "shop-1", "cloud.region", "us"}
	for _, at := range []float64{10, 20} {
		s.write(newExport(at, one...).gauge("depth", 1).gauge("length", 1))
	}
	for _, at := range []float64{30, 40, 50} {
		s.write(newExport(at, other...).gauge("depth", 2))
	}
	s.sweep(51)
	s.expect(depth, "1@10 1@20 2@30 2@40 2@50")
	s.expect(`{__name__="length", instance="shop-1", job="shop"}`, "1@10 1@20 stale@35")
}

// When attributes change, target_info of the old ones ends where that of the new ones begins.
func TestTargetInfoIsReplaced(t *testing.T) {
	s := newScene(t, promfront.Options{StaleAfter: 1})
	was := []string{"service.name", "shop", "service.instance.id", "shop-1", "cloud.region", "eu"}
	is := []string{"service.name", "shop", "service.instance.id", "shop-1", "cloud.region", "us"}
	infoIs := `{__name__="target_info", cloud_region="us", instance="shop-1", job="shop"}`
	s.write(newExport(10, was...).gauge("depth", 1))
	s.write(newExport(20, is...).gauge("depth", 1))
	s.expect(info, "1@10 stale@20")
	s.expect(infoIs, "1@20")

	// Both are seen: they live side by side, and nothing ends at once any more.
	s.write(newExport(30, was...).gauge("length", 1))
	s.write(newExport(40, "service.name", "shop", "service.instance.id", "shop-1", "cloud.region", "asia").gauge("depth", 1))
	s.expect(info, "1@10 stale@20 1@30")
	s.expect(infoIs, "1@20")
}

// Without an instance there is no telling a change from another replica.
func TestTargetInfoWithoutInstanceIsNotReplaced(t *testing.T) {
	s := newScene(t, promfront.Options{StaleAfter: 1})
	s.write(newExport(10, "service.name", "shop", "pod", "a").gauge("depth", 1))
	s.write(newExport(20, "service.name", "shop", "pod", "b").gauge("depth", 1))
	s.expect(`{__name__="target_info", job="shop", pod="a"}`, "1@10")
}

// target_info is there for an instant query at any time between the points of a batch.
func TestTargetInfoIsRepeated(t *testing.T) {
	s := newScene(t, promfront.Options{})
	e := newExport(0)
	points := e.metric("depth").SetEmptyGauge().DataPoints()
	for _, t := range []float64{0, 400} {
		e.number(points, 1).SetTimestamp(at(t))
	}
	e.md.ResourceMetrics().At(0).CopyTo(e.md.ResourceMetrics().AppendEmpty()) // the same again, in one batch
	e.md.ResourceMetrics().At(1).ScopeMetrics().At(0).Metrics().At(0).SetName("length")
	s.write(e)
	s.expect(info, "1@0 1@150 1@300 1@400")
}

// What is not written is forgotten, and found again when it comes back.
func TestForget(t *testing.T) {
	s := newScene(t, promfront.Options{})
	e := newExport(10).gauge("depth", 1)
	e.explicit("latency", cumulative, 0, []float64{1}, []uint64{1, 0}, 1)
	s.write(e)
	other := []string{"service.name", "other", "service.instance.id", "o"}
	s.write(newExport(10, other...).gauge("depth", 1))
	require.Equal(t, 6, s.front.Offenders(0).Series)

	s.write(newExport(7000, other...).gauge("depth", 1))
	s.sweep(7300)
	require.Equal(t, promfront.Offenders{
		Series:    1,
		Metrics:   []promfront.Offender{{Name: "depth", Series: 1}},
		Resources: []promfront.Offender{{Name: "other/o", Series: 1}},
	}, s.front.Offenders(10))

	s.write(newExport(7400).gauge("depth", 2))
	s.expect(depth, "1@10 2@7400")
	require.Equal(t, 2, s.front.Offenders(0).Series)
	s.sweep(30000)
	require.Equal(t, promfront.Offenders{Metrics: nil, Resources: nil}, s.front.Offenders(10))
}

// A marker that cannot be written is written by the next sweep.
func TestSweepFails(t *testing.T) {
	s := newScene(t, promfront.Options{StaleAfter: 1})
	s.write(newExport(10).gauge("depth", 1))
	s.book.fail(true, 0)
	err := s.front.Sweep(t.Context(), at(200).AsTime())
	require.EqualError(t, err, "mark series of shop/shop-1 as stale: commit: no space left on device")
	s.book.heal()
	s.sweep(201)
	s.expect(depth, "1@10 stale@100")
}
