package cell_test

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"

	"github.com/tailgate-otel/tailgate/gateway/telemetry/cell"
	"github.com/tailgate-otel/tailgate/telemetry/instruments"
)

// BenchmarkHistogram is one measurement of a duration, into an exponential histogram unless it says otherwise. The SDK
// gets its attribute set ready-made, which is its cheapest way.
func BenchmarkHistogram(b *testing.B) {
	values := durations()
	c := newOwn(0, metricdata.CumulativeTemporality).table.Get("a")
	traced := &cell.Exemplar{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}}
	for _, bm := range []struct {
		name string
		h    *cell.Histogram[time.Duration]
		ex   *cell.Exemplar
	}{{"impl=own", c.duration, nil}, {"impl=own/exemplar", c.duration, traced}, {"impl=own/explicit", c.explicit, nil}} {
		for _, d := range values {
			bm.h.Record(d, bm.ex)
		}
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if i++; i == len(values) {
					i = 0
				}
				bm.h.Record(values[i], bm.ex)
			}
		})
	}
	b.Run("impl=own/parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				c.duration.Record(values[i%len(values)], nil)
			}
		})
	})
	s := newSDK(b, 0)
	opt := []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(attributes("a")...))}
	for name, h := range map[string]metric.Float64Histogram{"impl=sdk": s.duration, "impl=sdk/explicit": s.explicit} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if i++; i == len(values) {
					i = 0
				}
				h.Record(context.Background(), values[i].Seconds(), opt...)
			}
		})
	}
}

func BenchmarkSum(b *testing.B) {
	c := newOwn(0, metricdata.CumulativeTemporality).table.Get("a")
	b.Run("impl=own", func(b *testing.B) {
		for b.Loop() {
			c.active.Add(1)
		}
	})
	s := newSDK(b, 0)
	opt := []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(attributes("a")...))}
	b.Run("impl=sdk", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.active.Add(context.Background(), 1, opt...)
		}
	})
}

// BenchmarkGet looks up the six attributes of a request among 500 combinations.
func BenchmarkGet(b *testing.B) {
	table := cell.NewTable(0, func(instruments.ServerRequest) []attribute.KeyValue { return nil }, func(attribute.Set) *cell.Sum { return &cell.Sum{} })
	for status := 100; status < 600; status++ {
		table.Get(instruments.ServerRequest{Method: "GET", Route: "/api/items/{id}", Status: status, Scheme: "http", Protocol: "1.1"})
	}
	key := instruments.ServerRequest{Method: "GET", Route: "/api/items/{id}", Status: 200, Scheme: "http", Protocol: "1.1"}
	b.ReportAllocs()
	for b.Loop() {
		table.Get(key)
	}
}

// BenchmarkRequest is all that one request with one attempt records: two sums up and down, and four histograms.
func BenchmarkRequest(b *testing.B) {
	values := durations()
	b.Run("impl=own", func(b *testing.B) {
		o := newOwn(0, metricdata.CumulativeTemporality)
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if i++; i == len(values) {
				i = 0
			}
			c := o.table.Get("a")
			c.active.Add(1)
			c.rejected.Add(1)
			c.duration.Record(values[i], nil)
			c.size.Record(0, nil)
			c.size.Record(1024, nil)
			c = o.table.Get("b")
			c.active.Add(-1)
			c.rejected.Add(1)
			c.duration.Record(values[i], nil)
		}
	})
	b.Run("impl=sdk", func(b *testing.B) {
		s := newSDK(b, 0)
		ctx := context.Background()
		opt := metric.WithAttributeSet(attribute.NewSet(attributes("a")...))
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if i++; i == len(values) {
				i = 0
			}
			s.active.Add(ctx, 1, opt)
			s.rejected.Add(ctx, 1, opt)
			s.duration.Record(ctx, values[i].Seconds(), opt)
			s.size.Record(ctx, 0, opt)
			s.size.Record(ctx, 1024, opt)
			s.active.Add(ctx, -1, opt)
			s.rejected.Add(ctx, 1, opt)
			s.duration.Record(ctx, values[i].Seconds(), opt)
		}
	})
}
