package prometheusexporter

import (
	"context"
	"fmt"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/storage"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"
)

const (
	serviceName      = "service.name"
	serviceNamespace = "service.namespace"
	serviceInstance  = "service.instance.id"
)

// writeBareTargets adds target_info for resources that have nothing but job and instance. Prometheus' translation leaves
// it out, as it says nothing; but contrib shows it, and queries that join target_info would lose the resource.
func (e *promExporter) writeBareTargets(ctx context.Context, md pmetric.Metrics) error {
	var app storage.AppenderV2
	for _, rm := range md.ResourceMetrics().All() {
		ls, bare := bareTarget(rm.Resource().Attributes())
		if !bare {
			continue
		}
		if app == nil {
			app = e.page.AppenderV2(ctx)
		}
		_, err := app.Append(0, ls, 0, e.now().UnixMilli(), 1, nil, nil, storage.AppendV2Options{
			MetricFamilyName: targetInfo,
			Metadata:         metadata.Metadata{Type: model.MetricTypeGauge, Help: "Target metadata"},
		})
		if err != nil {
			e.report.Debug("target_info refused", zap.Error(err))
		}
	}
	if app == nil {
		return nil
	}
	if err := app.Commit(); err != nil {
		return fmt.Errorf("show target_info: %w", err)
	}
	return nil
}

// bareTarget returns the labels of target_info when attrs are those of job and instance alone.
func bareTarget(attrs pcommon.Map) (labels.Labels, bool) {
	name, hasName := attrs.Get(serviceName)
	instance, hasInstance := attrs.Get(serviceInstance)
	namespace, hasNamespace := attrs.Get(serviceNamespace)
	identifying := 2
	if hasNamespace {
		identifying = 3
	}
	if !hasName || !hasInstance || attrs.Len() != identifying {
		return labels.EmptyLabels(), false
	}
	job := name.AsString()
	if hasNamespace {
		job = namespace.AsString() + "/" + job
	}
	if job == "" || instance.AsString() == "" {
		return labels.EmptyLabels(), false
	}
	return labels.FromStrings(model.MetricNameLabel, targetInfo, model.InstanceLabel, instance.AsString(), model.JobLabel, job), true
}
