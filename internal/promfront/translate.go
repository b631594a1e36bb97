package promfront

import (
	"context"

	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote/otlptranslator/prometheusremotewrite"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// translation is what Prometheus' converter is asked with.
type translation struct {
	points, nhcb, info prometheusremotewrite.Settings
}

func newTranslation(o Options) translation {
	points := prometheusremotewrite.Settings{
		AddMetricSuffixes: o.Strategy.ShouldAddSuffixes(),
		AllowUTF8:         !o.Strategy.ShouldEscape(),
		PromoteResourceAttributes: prometheusremotewrite.NewPromoteResourceAttributes(
			config.OTLPConfig{PromoteResourceAttributes: o.PromoteResourceAttributes}),
		KeepIdentifyingResourceAttributes: o.KeepIdentifyingResourceAttributes,
		PromoteScopeMetadata:              o.PromoteScopeMetadata,
		LookbackDelta:                     o.Lookback,
		DisableTargetInfo:                 true,
		// As in Prometheus' own defaults, so that series keep their names when a site moves to a server.
		LabelNameUnderscoreSanitization:      true,
		LabelNamePreserveMultipleUnderscores: true,
	}
	t := translation{points: points, nhcb: points, info: points}
	t.nhcb.ConvertHistogramsToNHCB = true
	t.info.DisableTargetInfo = false
	return t
}

// maxTrials bounds the names that one converter remembers.
const maxTrials = 10_000

// trial is one point with its resource and scope, and the converter that says which series it has.
type trial struct {
	converter *prometheusremotewrite.PrometheusConverter
	recorder  recorder
	asked     int

	md       pmetric.Metrics
	metrics  pmetric.MetricSlice
	resource *resource // that md has; nil for none
	scope    pmetric.ScopeMetrics
}

// recorder is an appender that keeps which series it was given.
type recorder struct {
	labels []labels.Labels
	opts   storage.AppendV2Options // of the last
	info   labels.Labels           // of target_info
}

const targetInfo = "target_info"

// Append implements storage.AppenderV2.
func (r *recorder) Append(
	_ storage.SeriesRef, ls labels.Labels, _, _ int64, _ float64,
	_ *histogram.Histogram, _ *histogram.FloatHistogram, opts storage.AppendV2Options,
) (storage.SeriesRef, error) {
	r.labels = append(r.labels, ls)
	r.opts = opts
	if opts.MetricFamilyName == targetInfo {
		r.info = ls
	}
	return 0, nil
}

// Commit implements storage.AppenderV2.
func (*recorder) Commit() error { return nil }

// Rollback implements storage.AppenderV2.
func (*recorder) Rollback() error { return nil }

func (t *trial) forget() {
	t.resource, t.scope = nil, pmetric.ScopeMetrics{}
	clear(t.recorder.labels)
	t.recorder.labels = t.recorder.labels[:0]
}

// aim gives the trial the resource and scope that w is writing, and an empty metric.
func (t *trial) aim(w *writer) pmetric.Metric {
	if t.converter == nil || t.asked >= maxTrials {
		t.converter, t.asked = prometheusremotewrite.NewPrometheusConverter(&t.recorder), 0
	}
	if t.resource != w.resource || t.scope != w.scopeMetrics {
		t.md = pmetric.NewMetrics()
		rm := t.md.ResourceMetrics().AppendEmpty()
		w.res.CopyTo(rm.Resource())
		sm := rm.ScopeMetrics().AppendEmpty()
		if w.front.opts.PromoteScopeMetadata {
			w.scopeMetrics.Scope().CopyTo(sm.Scope())
			sm.SetSchemaUrl(w.scopeMetrics.SchemaUrl())
		}
		t.metrics = sm.Metrics()
		t.resource, t.scope = w.resource, w.scopeMetrics
	}
	t.metrics.RemoveIf(func(pmetric.Metric) bool { return true })
	return t.metrics.AppendEmpty()
}

func (t *trial) ask(ctx context.Context, settings prometheusremotewrite.Settings) error {
	t.asked++
	t.recorder.opts, t.recorder.info = storage.AppendV2Options{}, labels.EmptyLabels()
	// Not the caller's context: that it is over would be taken for a fault of the point.
	_, err := t.converter.FromMetrics(context.WithoutCancel(ctx), t.md, settings)
	return err
}

// translate sets the labels of the point's series, in the order of stream.refs.
func (w *writer) translate() error {
	pt, t := &w.pt, &w.trial
	if pt.labelled {
		return nil
	}
	w.fill(t.aim(w))
	clear(t.recorder.labels)
	t.recorder.labels = t.recorder.labels[:0]
	explicit := pt.family.kind.metricType() == pmetric.MetricTypeHistogram
	layout := w.front.opts.Histograms
	if !explicit || layout != NHCB {
		if err := t.ask(w.ctx, w.front.translation.points); err != nil {
			return err
		}
	}
	if explicit && layout != Classic {
		if err := t.ask(w.ctx, w.front.translation.nhcb); err != nil {
			return err
		}
	}
	pt.labels, pt.labelled = t.recorder.labels, true
	if pt.family.opts.MetricFamilyName == "" {
		pt.family.opts = storage.AppendV2Options{
			MetricFamilyName: t.recorder.opts.MetricFamilyName,
			Metadata:         t.recorder.opts.Metadata,
		}
		exemplars := w.opts.Exemplars
		w.opts = pt.family.opts
		w.opts.Exemplars = exemplars
	}
	return nil
}

// fill makes m the metric that has only the point. A delta metric becomes what it is stored as, a cumulative one.
func (w *writer) fill(m pmetric.Metric) {
	pt := &w.pt
	m.SetName(w.metric.Name())
	m.SetUnit(w.metric.Unit())
	m.SetDescription(w.metric.Description())
	temporality := pmetric.AggregationTemporalityCumulative
	if pt.family.kind&kindOdd != 0 {
		temporality = pmetric.AggregationTemporalityUnspecified
	}
	var attrs pcommon.Map
	switch w.metric.Type() {
	case pmetric.MetricTypeGauge:
		p := m.SetEmptyGauge().DataPoints().AppendEmpty()
		pt.number.Attributes().CopyTo(p.Attributes())
		attrs = p.Attributes()
	case pmetric.MetricTypeSum:
		sum := m.SetEmptySum()
		sum.SetIsMonotonic(w.metric.Sum().IsMonotonic())
		sum.SetAggregationTemporality(temporality)
		p := sum.DataPoints().AppendEmpty()
		pt.number.Attributes().CopyTo(p.Attributes())
		attrs = p.Attributes()
	case pmetric.MetricTypeHistogram:
		h := m.SetEmptyHistogram()
		h.SetAggregationTemporality(temporality)
		p := h.DataPoints().AppendEmpty()
		pt.explicit.Attributes().CopyTo(p.Attributes())
		pt.explicit.ExplicitBounds().CopyTo(p.ExplicitBounds())
		pt.explicit.BucketCounts().CopyTo(p.BucketCounts())
		p.SetSum(0) // the stream has a place for it, whether or not this point has one
		attrs = p.Attributes()
	case pmetric.MetricTypeExponentialHistogram:
		h := m.SetEmptyExponentialHistogram()
		h.SetAggregationTemporality(temporality)
		p := h.DataPoints().AppendEmpty()
		pt.exponential.Attributes().CopyTo(p.Attributes())
		attrs = p.Attributes()
	case pmetric.MetricTypeSummary:
		p := m.SetEmptySummary().DataPoints().AppendEmpty()
		pt.summary.Attributes().CopyTo(p.Attributes())
		pt.summary.QuantileValues().CopyTo(p.QuantileValues())
		attrs = p.Attributes()
	}
	if pt.overflow {
		attrs.Clear()
		attrs.PutBool(overflowAttribute, true)
	}
}
