// Package livecheck compares recorded metrics with the contract. Tests hand it what an SDK reader collected; whatever
// the contract does not promise (a metric, an attribute, a value, another unit or kind) is reported by name.
package livecheck

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/tailgate-otel/tailgate/telemetry"
)

// Check reports everything in rm, within the scope of the given name, that contract does not promise.
func Check(rm metricdata.ResourceMetrics, scope string, contract []telemetry.Metric) error {
	byName := map[string]telemetry.Metric{}
	for _, m := range contract {
		byName[m.Name] = m
	}
	var errs []error
	for _, sm := range rm.ScopeMetrics {
		if sm.Scope.Name != scope {
			continue
		}
		for _, got := range sm.Metrics {
			want, ok := byName[got.Name]
			if !ok {
				errs = append(errs, fmt.Errorf("%s: not in the contract", got.Name))
				continue
			}
			errs = append(errs, checkMetric(got, want))
		}
	}
	return errors.Join(errs...)
}

func checkMetric(got metricdata.Metrics, want telemetry.Metric) error {
	var errs []error
	if got.Unit != want.Unit {
		errs = append(errs, fmt.Errorf("%s: unit %q, the contract says %q", got.Name, got.Unit, want.Unit))
	}
	kind, sets := describe(got.Data)
	if kind != want.Kind {
		errs = append(errs, fmt.Errorf("%s: kind %s, the contract says %s", got.Name, kind, want.Kind))
	}
	for _, set := range sets {
		for _, kv := range set.ToSlice() {
			a, ok := want.Attribute(string(kv.Key))
			if !ok {
				errs = append(errs, fmt.Errorf("%s: attribute %s is not in the contract", got.Name, kv.Key))
				continue
			}
			if err := a.Allows(kv.Value.String()); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", got.Name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// describe returns the kind of an aggregation and the attribute sets of its points.
func describe(data metricdata.Aggregation) (telemetry.Kind, []attribute.Set) {
	switch d := data.(type) {
	case metricdata.Sum[int64]:
		return sumKind(d.IsMonotonic), points(d.DataPoints)
	case metricdata.Sum[float64]:
		return sumKind(d.IsMonotonic), points(d.DataPoints)
	case metricdata.Gauge[int64]:
		return telemetry.Gauge, points(d.DataPoints)
	case metricdata.Gauge[float64]:
		return telemetry.Gauge, points(d.DataPoints)
	case metricdata.Histogram[int64]:
		return telemetry.Histogram, histogramPoints(d.DataPoints)
	case metricdata.Histogram[float64]:
		return telemetry.Histogram, histogramPoints(d.DataPoints)
	case metricdata.ExponentialHistogram[int64]:
		return telemetry.NativeHistogram, exponentialPoints(d.DataPoints)
	case metricdata.ExponentialHistogram[float64]:
		return telemetry.NativeHistogram, exponentialPoints(d.DataPoints)
	}
	return telemetry.Kind(fmt.Sprintf("%T", data)), nil
}

func sumKind(monotonic bool) telemetry.Kind {
	if monotonic {
		return telemetry.Counter
	}
	return telemetry.UpDownCounter
}

func points[N int64 | float64](dps []metricdata.DataPoint[N]) []attribute.Set {
	out := make([]attribute.Set, len(dps))
	for i := range dps {
		out[i] = dps[i].Attributes
	}
	return out
}

func histogramPoints[N int64 | float64](dps []metricdata.HistogramDataPoint[N]) []attribute.Set {
	out := make([]attribute.Set, len(dps))
	for i := range dps {
		out[i] = dps[i].Attributes
	}
	return out
}

func exponentialPoints[N int64 | float64](dps []metricdata.ExponentialHistogramDataPoint[N]) []attribute.Set {
	out := make([]attribute.Set, len(dps))
	for i := range dps {
		out[i] = dps[i].Attributes
	}
	return out
}
