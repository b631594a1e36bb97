package rig

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// LongestPause is the longest time for which decisions stopped the sampler since its start, from its own metrics. ok is
// false when the engine names no such metric or recorded nothing.
func (r *Rig) LongestPause() (longest time.Duration, ok bool, err error) {
	if r.engine.Pause == "" {
		return 0, false, nil
	}
	var rm metricdata.ResourceMetrics
	if err := r.reader.Collect(context.Background(), &rm); err != nil {
		return 0, false, fmt.Errorf("collect the metrics of %s: %w", r.engine.Name, err)
	}
	for _, sm := range rm.ScopeMetrics {
		for _, m := range sm.Metrics {
			if m.Name == r.engine.Pause {
				highest, found := histogramMax(m.Data)
				longest, ok = max(longest, time.Duration(highest*float64(r.engine.PauseUnit))), ok || found
			}
		}
	}
	return longest, ok, nil
}

func histogramMax(data metricdata.Aggregation) (highest float64, ok bool) {
	switch h := data.(type) {
	case metricdata.Histogram[int64]:
		return extremeOf(h.DataPoints)
	case metricdata.Histogram[float64]:
		return extremeOf(h.DataPoints)
	}
	return 0, false
}

func extremeOf[N int64 | float64](points []metricdata.HistogramDataPoint[N]) (highest float64, ok bool) {
	for _, p := range points {
		if v, defined := p.Max.Value(); defined {
			highest, ok = max(highest, float64(v)), true
		}
	}
	return highest, ok
}
