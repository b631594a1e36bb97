package promfront_test

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/tailgate-otel/tailgate/internal/promfront"
)

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
