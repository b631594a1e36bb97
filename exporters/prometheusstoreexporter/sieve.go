package prometheusstoreexporter

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote/otlptranslator/prometheusremotewrite"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// sieve takes out the data points that the converter must not see: those outside the store's times, which it would
// stretch target_info over, and those that it cannot translate. The latter it finds by translating points one by one into
// nothing, so that it asks the converter itself instead of repeating its rules, which change with Prometheus.
type sieve struct {
	ctx         context.Context //nolint:containedctx // lives for one call of strain
	translation prometheusremotewrite.Settings
	bounds      timeBounds
	tally       *tally

	// trial is the resource and scope that are being strained, with room for one metric.
	trial   pmetric.Metrics
	metrics pmetric.MetricSlice
}

// strain returns a copy of md without the points that must be refused, and the tally of those. md itself is left as it
// is: other exporters may share it.
func (e *storeExporter) strain(ctx context.Context, md pmetric.Metrics, bounds timeBounds) (pmetric.Metrics, *tally) {
	clean := pmetric.NewMetrics()
	md.CopyTo(clean)
	s := &sieve{ctx: ctx, translation: e.translation, bounds: bounds, tally: &tally{}}
	// target_info belongs to the resource; its errors must not be blamed on the points.
	s.translation.DisableTargetInfo = true
	for _, rm := range clean.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			s.aim(rm, sm)
			sm.Metrics().RemoveIf(s.spoilt)
		}
	}
	return clean, s.tally
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
	if s.bounds.exceededByMetric(m) && removePoints(m, s.outside(m)) == 0 {
		return true
	}
	s.tally.exemplarsRefused[exemplarOther] += removeValueless(m)
	if s.try(m.CopyTo) == nil {
		return false
	}
	return removePoints(m, s.untranslatable(m)) == 0
}

// outside counts points outside the bounds, for each of which the store would give the same answer.
func (s *sieve) outside(m pmetric.Metric) pointTest {
	return func(p point, _ reason, _ func(pmetric.Metric)) bool {
		t := p.Timestamp()
		why := reasonTooOld
		switch {
		case t > s.bounds.newest:
			why = reasonTooFarAhead
		case t >= s.bounds.oldest:
			return false
		}
		s.tally.refuse(why, fmt.Sprintf("metric %q at %s", m.Name(), t.AsTime().Format(time.RFC3339Nano)))
		return true
	}
}

// untranslatable counts points that the converter turns down on their own.
func (s *sieve) untranslatable(m pmetric.Metric) pointTest {
	delta := temporality(m) == pmetric.AggregationTemporalityDelta
	return func(_ point, why reason, alone func(pmetric.Metric)) bool {
		err := s.try(func(to pmetric.Metric) {
			to.SetName(m.Name())
			to.SetUnit(m.Unit())
			alone(to)
		})
		if err == nil {
			return false
		}
		if delta {
			why = reasonDeltaTemporality
		}
		s.tally.refuse(why, fmt.Sprintf("metric %q: %s", m.Name(), err))
		return true
	}
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
