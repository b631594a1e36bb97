package cell

import (
	"sync/atomic"

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

	_ [32]byte // fills a cache line: counters of different routes are busy at the same time
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

func (s *Sums) collect(r reader) (metricdata.Metrics, bool) {
	monotonic := s.metric.Kind == telemetry.Counter
	if !monotonic {
		r.temporality = metricdata.CumulativeTemporality // what is in flight is not a matter of intervals
	}
	start := s.interval(r)
	var points []metricdata.DataPoint[int64]
	for _, c := range s.snapshot() {
		value := r.number(&c.value, 0)
		if value == 0 && r.delta() {
			continue
		}
		points = append(points, metricdata.DataPoint[int64]{Attributes: c.attrs, StartTime: start, Time: r.now, Value: value})
	}
	return s.describe(metricdata.Sum[int64]{DataPoints: points, Temporality: r.temporality, IsMonotonic: monotonic}), len(points) > 0
}
