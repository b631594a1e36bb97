package peers

import (
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// What each way into a Prometheus loses. The rows of the stock ways are not wishes but measurements: when a release of
// theirs loses less, its row fails and is corrected.

// TestOneSampleOutOfOrder sends a hundred samples of which one is older than the newest of its series.
func TestOneSampleOutOfOrder(t *testing.T) {
	for _, tc := range []struct {
		name     string
		open     func(*testing.T) lane
		stored   int
		reported float64
	}{
		{"OTLP to a stock server", stockOTLPLane, 0, 100},
		{"contrib remote write 1.0", contribLane(remoteWrite1), 0, 100},
		{"contrib remote write 2.0", contribLane(remoteWrite2), 99, 100},
		{"remote write 1.0 to a stock server", writeLane(remoteWrite1, openStock), 0, 100},
		{"remote write 2.0 to a stock server", writeLane(remoteWrite2, openStock), 99, 1},
		{"ours", ourLane, 99, 1},
		{"remote write 1.0 to ours", writeLane(remoteWrite1, openOurs), 99, 100},
		{"remote write 2.0 to ours", writeLane(remoteWrite2, openOurs), 99, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := tc.open(t)
			now := time.Now().Truncate(time.Second)
			ahead := pmetric.NewMetrics()
			addPoint(gauge(newScope(ahead), "batch"), now, 7)
			l.send(ahead)
			late := now.Add(-30 * time.Second)
			l.send(hundred(late))
			if n := stored(t, l.api, "batch", late); n != tc.stored {
				t.Errorf("%d of 99 good samples are stored, want %d", n, tc.stored)
			}
			if n := l.reported(); n != tc.reported {
				t.Errorf("%v samples are reported lost, want %v", n, tc.reported)
			}
		})
	}
}

// TestOneDeltaSum sends a hundred metrics of which one is a sum of delta temporality.
func TestOneDeltaSum(t *testing.T) {
	for _, tc := range []struct {
		name   string
		open   func(*testing.T) lane
		stored int
	}{
		{"OTLP to a stock server", stockOTLPLane, 0},
		{"contrib remote write 1.0", contribLane(remoteWrite1), 99},
		{"contrib remote write 2.0", contribLane(remoteWrite2), 99},
		{"ours", ourLane, 100},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := tc.open(t)
			now := time.Now().Truncate(time.Second)
			md := hundred(now)
			points := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints()
			points.RemoveIf(func(p pmetric.NumberDataPoint) bool { return p.IntValue() == 7 })
			delta := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().AppendEmpty()
			delta.SetName("batch.delta")
			sum := delta.SetEmptySum()
			sum.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
			sum.SetIsMonotonic(true)
			addPoint(sum.DataPoints(), now, 7).SetStartTimestamp(pcommon.NewTimestampFromTime(now.Add(-10 * time.Second)))
			l.send(md)
			n := stored(t, l.api, "batch", now) + stored(t, l.api, "batch_delta_total", now)
			if n != tc.stored {
				t.Errorf("%d of 100 samples are stored, want %d", n, tc.stored)
			}
		})
	}
}

// TestExemplarsOnTheWay counts the exemplars of classic and exponential histograms that arrive. There are two exports,
// because contrib's first has its exemplars before the series that they belong to.
func TestExemplarsOnTheWay(t *testing.T) {
	for _, tc := range []struct {
		name                 string
		open                 func(*testing.T) lane
		classic, exponential int // of 800: two exports of a hundred points with four exemplars each
	}{
		{"OTLP to a stock server", stockOTLPLane, 800, 400},
		{"contrib remote write 1.0", contribLane(remoteWrite1), 800, 200},
		{"contrib remote write 2.0", contribLane(remoteWrite2), 0, 400},
		{"ours", ourLane, 800, 800},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := tc.open(t)
			now := time.Now().Truncate(time.Second)
			l.send(withExemplars(now.Add(-15 * time.Second)))
			l.send(withExemplars(now))
			classic, exponential := 0, 0
			for series, lines := range exemplars(t, l.api, now) {
				if strings.Contains(series, "classic_bucket") {
					classic += len(lines)
				} else {
					exponential += len(lines)
				}
			}
			if classic != tc.classic || exponential != tc.exponential {
				t.Errorf("%d exemplars of classic and %d of exponential histograms arrived, want %d and %d", classic, exponential,
					tc.classic, tc.exponential)
			}
		})
	}
}

// withExemplars is an export of a hundred points of each kind of histogram, with exemplars in the order of value.
func withExemplars(at time.Time) pmetric.Metrics {
	md := pmetric.NewMetrics()
	metrics := newScope(md)
	classic, exponential := metrics.AppendEmpty(), metrics.AppendEmpty()
	classic.SetName("classic")
	exponential.SetName("exponential")
	c, e := classic.SetEmptyHistogram(), exponential.SetEmptyExponentialHistogram()
	c.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	e.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	stamp := pcommon.NewTimestampFromTime(at)
	for i := range 100 {
		p := c.DataPoints().AppendEmpty()
		p.SetTimestamp(stamp)
		p.Attributes().PutInt("series", int64(i))
		p.ExplicitBounds().FromRaw([]float64{1, 2, 3})
		p.BucketCounts().FromRaw([]uint64{1, 1, 1, 1})
		p.SetCount(4)
		p.SetSum(8)
		q := e.DataPoints().AppendEmpty()
		q.SetTimestamp(stamp)
		q.Attributes().PutInt("series", int64(i))
		q.Positive().BucketCounts().FromRaw([]uint64{1, 1, 1, 1})
		q.SetCount(4)
		q.SetSum(8)
		for j, age := range []int{3, 1, 4, 2} {
			for _, to := range []pmetric.ExemplarSlice{p.Exemplars(), q.Exemplars()} {
				x := to.AppendEmpty()
				x.SetTimestamp(pcommon.NewTimestampFromTime(at.Add(-time.Duration(age) * time.Second)))
				x.SetDoubleValue(float64(j) + 0.5)
				x.SetTraceID(pcommon.TraceID{1, byte(i), byte(j)})
			}
		}
	}
	return md
}

func hasName(series, name string) bool {
	return strings.Contains(series, `__name__="`+name+`"`)
}
