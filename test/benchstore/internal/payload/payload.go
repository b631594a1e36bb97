// Package payload makes the metrics that every way into a Prometheus is given: instances of a service that report HTTP
// request durations, counters and gauges, one export after another, with values that grow as those of a busy service.
//
// A Fleet is made once and changed in place, because building pdata costs more than the cheapest of the ways. It belongs
// to one goroutine; whoever is given its metrics must be done with them before the next export.
package payload

import (
	"encoding/binary"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// What an instance has. Exemplars are on every fourth histogram point.
const (
	Histograms        = 24
	Counters          = 60
	Gauges            = 30
	Bounds            = 14
	exemplarsPerPoint = 2
	exemplarEvery     = 4
	resourceAttrs     = 12

	// classicSeries of a histogram: a bucket per bound, one more for +Inf, sum and count.
	classicSeries = Bounds + 3
	// exponentialBuckets are 60 of scale 4: values over a range of 1 to 13.
	exponentialBuckets = 60
)

// Names are the metrics of the payload in a Prometheus, whatever the kind: all that it makes, but not target_info, which each
// way repeats as often as it likes.
func Names() []string {
	const duration = "http_server_request_duration_seconds"
	return []string{duration, duration + "_bucket", duration + "_count", duration + "_sum", "shop_orders_total", "shop_queue_depth"}
}

// Kind says which histograms there are and how they are stored.
type Kind string

// The kinds. NHCB has the payload of Classic: it is the way that makes one native histogram of each.
const (
	Classic     Kind = "classic"
	Exponential Kind = "exponential"
	NHCB        Kind = "nhcb"
)

// Samples is how many an export of so many instances becomes in a Prometheus, target_info left out.
func Samples(kind Kind, instances int) int {
	perHistogram := 1
	if kind == Classic {
		perHistogram = classicSeries
	}
	return instances * (Histograms*perHistogram + Counters + Gauges)
}

// Exemplars is how many an export has.
func Exemplars(instances int) int {
	return instances * Histograms / exemplarEvery * exemplarsPerPoint
}

// Allocations is how many objects making an export allocates: 16 bytes for each number, which pdata cannot change in place.
func Allocations(instances int) int { return instances * (Counters + Gauges) }

// Fleet is the instances of a service.
type Fleet struct {
	metrics     pmetric.Metrics
	explicit    []pmetric.HistogramDataPoint
	exponential []pmetric.ExponentialHistogramDataPoint
	exemplars   []pmetric.Exemplar
	counters    []pmetric.NumberDataPoint
	gauges      []pmetric.NumberDataPoint
	exports     uint64
}

// New makes so many instances that started at the given time.
func New(kind Kind, instances int, start time.Time) *Fleet {
	f := &Fleet{metrics: pmetric.NewMetrics()}
	for i := range instances {
		f.instance(kind, i, pcommon.NewTimestampFromTime(start))
	}
	return f
}

// Next is the export of a time, which must be later than the one before.
func (f *Fleet) Next(at time.Time) pmetric.Metrics {
	f.exports++
	t := pcommon.NewTimestampFromTime(at)
	for i, p := range f.explicit {
		p.SetTimestamp(t)
		served := uint64(i%5 + 1)
		bucket := (i + int(f.exports)) % (Bounds + 1)
		p.BucketCounts().SetAt(bucket, p.BucketCounts().At(bucket)+served)
		p.SetCount(p.Count() + served)
		p.SetSum(p.Sum() + 0.0117*float64(served))
	}
	for i, p := range f.exponential {
		p.SetTimestamp(t)
		served := uint64(i%5 + 1)
		counts := p.Positive().BucketCounts()
		bucket := (i + int(f.exports)) % exponentialBuckets
		counts.SetAt(bucket, counts.At(bucket)+served)
		p.SetCount(p.Count() + served)
		p.SetSum(p.Sum() + 0.0117*float64(served))
	}
	for i, p := range f.counters {
		p.SetTimestamp(t)
		p.SetDoubleValue(p.DoubleValue() + float64(i%7+1))
	}
	for i, p := range f.gauges {
		p.SetTimestamp(t)
		p.SetDoubleValue(float64((uint64(i)*31 + f.exports*17) % 1009))
	}
	f.pointOut(at)
	return f.metrics
}

// pointOut gives each exemplar another trace, and a time shortly before the export, rising within a point.
func (f *Fleet) pointOut(at time.Time) {
	var trace pcommon.TraceID
	var span pcommon.SpanID
	for i, e := range f.exemplars {
		e.SetTimestamp(pcommon.NewTimestampFromTime(at.Add(-time.Second + time.Duration(i%exemplarsPerPoint+1)*100*time.Millisecond)))
		binary.BigEndian.PutUint64(trace[:], f.exports)
		binary.BigEndian.PutUint64(trace[8:], uint64(i)+1)
		binary.BigEndian.PutUint64(span[:], f.exports<<32|uint64(i)+1)
		e.SetTraceID(trace)
		e.SetSpanID(span)
	}
}
