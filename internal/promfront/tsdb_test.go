package promfront_test

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/tailgate-otel/tailgate/internal/promfront"
)

func openDatabase(t testing.TB) *tsdb.DB {
	t.Helper()
	opts := tsdb.DefaultOptions()
	opts.EnableExemplarStorage, opts.MaxExemplars = true, 100_000
	opts.OutOfOrderTimeWindow = (10 * time.Minute).Milliseconds()
	db, err := tsdb.Open(t.TempDir(), nil, nil, opts, nil)
	require.NoError(t, err)
	db.DisableCompactions()
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// sampled reads the samples of a metric as [time in seconds, value]; NaN is a stale marker.
func sampled(t *testing.T, db *tsdb.DB, name string) [][2]float64 {
	t.Helper()
	q, err := db.Querier(math.MinInt64, math.MaxInt64)
	require.NoError(t, err)
	defer q.Close()
	set := q.Select(t.Context(), true, nil, labels.MustNewMatcher(labels.MatchEqual, "__name__", name))
	var out [][2]float64
	for set.Next() {
		it := set.At().Iterator(nil)
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			if kind != chunkenc.ValFloat {
				ts, h := it.AtFloatHistogram(nil)
				out = append(out, [2]float64{float64(ts-epoch.UnixMilli()) / 1e3, h.Count})
				continue
			}
			ts, v := it.At()
			if value.IsStaleNaN(v) {
				v = -1
			}
			out = append(out, [2]float64{float64(ts-epoch.UnixMilli()) / 1e3, v})
		}
	}
	require.NoError(t, set.Err())
	return out
}

// A series that the head has dropped is written again by a reference that no longer means anything.
func TestSeriesThatTheHeadHasForgotten(t *testing.T) {
	db := openDatabase(t)
	front, err := promfront.New(db, promfront.Options{Strategy: strategies[0]})
	require.NoError(t, err)
	write := func(e *export) {
		tally, err := front.Write(t.Context(), e.md)
		require.NoError(t, err)
		require.Equal(t, [promfront.ReasonCount]int64{}, tally.Refused)
	}
	write(newExport(0).gauge("depth", 1).gauge("other", 1))
	for s := 60.0; s < 6*3600; s += 60 {
		write(newExport(s).gauge("other", 1))
	}
	before := db.Head().NumSeries()
	require.NoError(t, db.Compact(t.Context()))
	require.Less(t, db.Head().NumSeries(), before, "depth is out of the head")

	write(newExport(6*3600).gauge("depth", 2))
	assert.Equal(t, [][2]float64{{0, 1}, {6 * 3600, 2}}, sampled(t, db, "depth"))
}

// A restarted collector knows nothing. What it writes at the start time of running senders must not land among the
// samples that are stored.
func TestRestartMakesNoResets(t *testing.T) {
	db := openDatabase(t)
	for run := range 3 {
		front, err := promfront.New(db, promfront.Options{Strategy: strategies[0], ZeroSamples: true, StaleAfter: 1})
		require.NoError(t, err)
		for i := range 3 {
			n := float64(3*run + i + 1)
			_, err := front.Write(t.Context(), newExport(10*n).counter("requests", 5, n).delta("deltas", 10*(n-1), 1).md)
			require.NoError(t, err)
		}
	}
	assert.Equal(t, [][2]float64{{5, 0}, {10, 1}, {20, 2}, {30, 3}, {40, 4}, {50, 5}, {60, 6}, {70, 7}, {80, 8}, {90, 9}},
		sampled(t, db, "requests_total"))
	// The total of deltas is not kept, so that it is a reset, and the zero says so. It lies 1 ms after the last sample.
	assert.Equal(t, [][2]float64{{0, 0}, {10, 1}, {20, 2}, {30, 3}, {30.001, 0}, {40, 1}, {50, 2}, {60, 3}, {60.001, 0}, {70, 1}, {80, 2}, {90, 3}},
		sampled(t, db, "deltas_total"))
}

func TestStaleMarkersInTheDatabase(t *testing.T) {
	db := openDatabase(t)
	now := epoch
	front, err := promfront.New(db, promfront.Options{Strategy: strategies[0], StaleAfter: 1, Now: func() time.Time { return now }})
	require.NoError(t, err)
	for _, s := range []float64{10, 20} {
		now = at(s).AsTime()
		e := newExport(s).gauge("depth", 1)
		e.exponential("rpc", cumulative, 0, 0, 0, []uint64{1}, 1)
		_, err := front.Write(t.Context(), e.md)
		require.NoError(t, err)
	}
	require.NoError(t, front.Sweep(t.Context(), at(36).AsTime()))
	assert.Equal(t, [][2]float64{{10, 1}, {20, 1}, {35, -1}}, sampled(t, db, "depth"))
	assert.Equal(t, [][2]float64{{10, 1}, {20, 1}, {35, 0}}, sampled(t, db, "rpc"))
}

// The span metrics connector gives all exemplars of a flush the same time, in no order of value.
func TestExemplarsOfOneInstantAllArrive(t *testing.T) {
	db := openDatabase(t)
	front, err := promfront.New(db, promfront.Options{Strategy: strategies[0]})
	require.NoError(t, err)
	values := []float64{5, 0.1, 3, 3, 9, 0.2, 0.1}
	for export := range 3 {
		at := pcommon.NewTimestampFromTime(epoch.Add(time.Duration(export) * time.Second))
		md := pmetric.NewMetrics()
		m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		m.SetName("duration")
		h := m.SetEmptyExponentialHistogram()
		h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		p := h.DataPoints().AppendEmpty()
		p.SetTimestamp(at)
		p.SetCount(uint64(export + 1))
		p.Positive().BucketCounts().FromRaw([]uint64{uint64(export + 1)})
		for i, v := range values {
			x := p.Exemplars().AppendEmpty()
			x.SetTimestamp(at)
			x.SetDoubleValue(v)
			x.SetTraceID(pcommon.TraceID{byte(export), byte(i), 1})
		}
		tally, err := front.Write(t.Context(), md)
		require.NoError(t, err)
		assert.EqualValues(t, len(values), tally.Exemplars)
	}
	q, err := db.ExemplarQuerier(t.Context())
	require.NoError(t, err)
	found, err := q.Select(math.MinInt64, math.MaxInt64, []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "__name__", "duration")})
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Len(t, found[0].Exemplars, 3*len(values))
}

// k8s_attributes copies a Go map, so that the same resource comes with its attributes in another order every time.
func TestTheOrderOfResourceAttributesIsNoIdentity(t *testing.T) {
	front, err := promfront.New(openDatabase(t), promfront.Options{Strategy: strategies[0]})
	require.NoError(t, err)
	attrs := [][2]string{{"service.name", "shop"}, {"service.instance.id", "1"}, {"k8s.pod.name", "shop-0"}, {"host.name", "a"}}
	for i := range len(attrs) {
		e := newExport(float64(10 * i))
		rm := e.md.ResourceMetrics().At(0)
		rm.Resource().Attributes().Clear()
		for j := range attrs {
			a := attrs[(i+j)%len(attrs)]
			rm.Resource().Attributes().PutStr(a[0], a[1])
		}
		_, err := front.Write(t.Context(), e.gauge("depth", 1).md)
		require.NoError(t, err)
	}
	most := front.Offenders(10)
	require.Len(t, most.Resources, 1)
	require.Equal(t, 1, most.Series, "target_info is not among them")
}
