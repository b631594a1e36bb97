// Package instruments makes OpenTelemetry instruments out of the contract: name, unit, kind and description come from
// package telemetry, attributes are fields of a struct, so a misspelt name does not compile.
//
// It owns the instruments and nothing else; provider, reader and views belong to the program. All methods are safe for
// concurrent use. Attribute sets are cached by value: their number is bounded by the contract (closed value sets times
// the configured routes and endpoints), which is what keeps the caches bounded.
package instruments

import (
	"errors"
	"fmt"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/tailgate-otel/tailgate/telemetry"
)

// maxScale and maxSize of exponential histograms: scale 20 is the finest there is, 160 buckets are the SDK
// specification's default and bound the relative error at 4 % for values that span five decades.
const (
	maxScale = 20
	maxSize  = 160
)

// Views returns the views that a meter provider needs so that each native histogram of the contract is recorded as an
// exponential histogram.
func Views(metrics []telemetry.Metric) []sdkmetric.View {
	var views []sdkmetric.View
	for _, m := range metrics {
		if m.Kind == telemetry.NativeHistogram {
			views = append(views, sdkmetric.NewView(
				sdkmetric.Instrument{Name: m.Name},
				sdkmetric.Stream{Aggregation: sdkmetric.AggregationBase2ExponentialHistogram{MaxScale: maxScale, MaxSize: maxSize}},
			))
		}
	}
	return views
}

// builder creates instruments and collects errors, so that a constructor reads as a list.
type builder struct {
	meter metric.Meter
	errs  []error
}

func (b *builder) check(m telemetry.Metric, err error, kinds ...telemetry.Kind) {
	if err != nil {
		b.errs = append(b.errs, fmt.Errorf("create instrument %s: %w", m.Name, err))
	}
	for _, k := range kinds {
		if m.Kind == k {
			return
		}
	}
	b.errs = append(b.errs, fmt.Errorf("instrument %s: the contract says %s", m.Name, m.Kind))
}

func (b *builder) seconds(m telemetry.Metric) metric.Float64Histogram {
	h, err := b.meter.Float64Histogram(m.Name, metric.WithUnit(m.Unit), metric.WithDescription(m.Description))
	b.check(m, err, telemetry.Histogram, telemetry.NativeHistogram)
	return h
}

func (b *builder) sizes(m telemetry.Metric) metric.Int64Histogram {
	h, err := b.meter.Int64Histogram(m.Name, metric.WithUnit(m.Unit), metric.WithDescription(m.Description))
	b.check(m, err, telemetry.Histogram, telemetry.NativeHistogram)
	return h
}

func (b *builder) upDown(m telemetry.Metric) metric.Int64UpDownCounter {
	c, err := b.meter.Int64UpDownCounter(m.Name, metric.WithUnit(m.Unit), metric.WithDescription(m.Description))
	b.check(m, err, telemetry.UpDownCounter)
	return c
}

func (b *builder) counter(m telemetry.Metric) metric.Int64Counter {
	c, err := b.meter.Int64Counter(m.Name, metric.WithUnit(m.Unit), metric.WithDescription(m.Description))
	b.check(m, err, telemetry.Counter)
	return c
}

func (b *builder) gauge(m telemetry.Metric) metric.Int64ObservableGauge {
	g, err := b.meter.Int64ObservableGauge(m.Name, metric.WithUnit(m.Unit), metric.WithDescription(m.Description))
	b.check(m, err, telemetry.Gauge)
	return g
}

func (b *builder) err() error { return errors.Join(b.errs...) }

// sets caches the measurement option of each distinct attribute struct, so that a known combination costs one map
// look-up and no allocation.
type sets[K comparable] struct {
	m sync.Map // K -> metric.MeasurementOption
}

func (s *sets[K]) option(key K, attrs func(K) []attribute.KeyValue) metric.MeasurementOption {
	if opt, ok := s.m.Load(key); ok {
		return opt.(metric.MeasurementOption)
	}
	opt, _ := s.m.LoadOrStore(key, metric.WithAttributeSet(attribute.NewSet(attrs(key)...)))
	return opt.(metric.MeasurementOption)
}
