package cell

import (
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/tailgate-otel/tailgate/telemetry"
)

// Sums is a counter or an up-down counter.
type Sums struct{ cells[Sum] }

// Sum is the cell of a counter.
type Sum struct {
	attrs attribute.Set
	value atomic.Int64
}

// Sums makes a counter or up-down counter; of another kind of metric it panics.
func (r *Registry) Sums(m telemetry.Metric) *Sums {
	if m.Kind != telemetry.Counter && m.Kind != telemetry.UpDownCounter {
		panic(wrongKind(m, "a sum"))
	}
	s := &Sums{newCells(m, r.now(), func(set attribute.Set) *Sum { return &Sum{attrs: set} })}
	r.add(s)
	return s
}

// Add adds n, which is not negative for a counter.
func (s *Sum) Add(n int64) { s.value.Add(n) }

func (s *Sums) collect(now time.Time) (metricdata.Metrics, bool) {
	all := s.snapshot()
	points := make([]metricdata.DataPoint[int64], len(all))
	for i, c := range all {
		points[i] = metricdata.DataPoint[int64]{Attributes: c.attrs, StartTime: s.start, Time: now, Value: c.value.Load()}
	}
	return s.describe(metricdata.Sum[int64]{
		DataPoints: points, Temporality: metricdata.CumulativeTemporality, IsMonotonic: s.metric.Kind == telemetry.Counter,
	}), len(points) > 0
}
