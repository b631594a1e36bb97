package prometheusstoreexporter

import (
	"context"
	"fmt"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote/otlptranslator/prometheusremotewrite"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// sieve finds the data points that the converter cannot translate, by translating them one by one into nothing. It asks
// the converter itself instead of repeating its rules, which change with Prometheus.
type sieve struct {
	ctx         context.Context //nolint:containedctx // lives for one call of strain
	translation prometheusremotewrite.Settings
	tally       tally

	// trial is the resource and scope that are being strained, with room for one metric.
	trial   pmetric.Metrics
	metrics pmetric.MetricSlice
}

// strain replaces md by a copy without the points that cannot be translated, and returns how many those were and why.
// The caller's metrics are left as they are: other exporters may share them.
func (e *storeExporter) strain(ctx context.Context, md *pmetric.Metrics) *tally {
	clean := pmetric.NewMetrics()
	md.CopyTo(clean)
	s := &sieve{ctx: ctx, translation: e.translation}
	// target_info belongs to the resource; its errors must not be blamed on the points.
	s.translation.DisableTargetInfo = true
	for _, rm := range clean.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			s.aim(rm, sm)
			sm.Metrics().RemoveIf(s.spoilt)
		}
	}
	*md = clean
	return &s.tally
}

func (s *sieve) aim(rm pmetric.ResourceMetrics, sm pmetric.ScopeMetrics) {
	s.trial = pmetric.NewMetrics()
	to := s.trial.ResourceMetrics().AppendEmpty()
	rm.Resource().CopyTo(to.Resource())
	toScope := to.ScopeMetrics().AppendEmpty()
	sm.Scope().CopyTo(toScope.Scope())
	toScope.SetSchemaUrl(sm.SchemaUrl())
	s.metrics = toScope.Metrics()
}

// try reports the error of translating what fill puts into an empty metric.
func (s *sieve) try(fill func(pmetric.Metric)) error {
	s.metrics.RemoveIf(func(pmetric.Metric) bool { return true })
	fill(s.metrics.AppendEmpty())
	_, err := prometheusremotewrite.NewPrometheusConverter(nowhere{}).FromMetrics(s.ctx, s.trial, s.translation)
	return err
}

// spoilt removes the bad points of a metric and reports whether none is left.
func (s *sieve) spoilt(m pmetric.Metric) bool {
	s.tally.exemplarsRefused[exemplarOther] += removeValueless(m)
	if s.try(m.CopyTo) == nil {
		return false
	}
	delta := temporality(m) == pmetric.AggregationTemporalityDelta
	return removePoints(m, func(why reason, fill func(pmetric.Metric)) bool {
		err := s.try(func(to pmetric.Metric) {
			to.SetName(m.Name())
			to.SetUnit(m.Unit())
			fill(to)
		})
		if delta {
			why = reasonDeltaTemporality
		}
		if err != nil {
			s.tally.refuse(why, fmt.Sprintf("metric %q: %s", m.Name(), err))
		}
		return err != nil
	}) == 0
}

func temporality(m pmetric.Metric) pmetric.AggregationTemporality {
	switch m.Type() {
	case pmetric.MetricTypeSum:
		return m.Sum().AggregationTemporality()
	case pmetric.MetricTypeHistogram:
		return m.Histogram().AggregationTemporality()
	case pmetric.MetricTypeExponentialHistogram:
		return m.ExponentialHistogram().AggregationTemporality()
	}
	return pmetric.AggregationTemporalityUnspecified
}

// nowhere is an appender that takes everything and keeps nothing.
type nowhere struct{}

func (nowhere) Append(
	storage.SeriesRef, labels.Labels, int64, int64, float64,
	*histogram.Histogram, *histogram.FloatHistogram, storage.AppendV2Options,
) (storage.SeriesRef, error) {
	return 0, nil
}

func (nowhere) Commit() error { return nil }

func (nowhere) Rollback() error { return nil }
