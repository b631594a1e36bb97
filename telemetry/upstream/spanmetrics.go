package upstream

import "github.com/tailgate-otel/tailgate/telemetry"

// Attributes of span metrics: the connector's own dimensions.
var (
	AttrServiceName = telemetry.Attribute{
		Key: "service.name", Brief: "Service that recorded the span.", Bound: "the services that send spans",
	}
	AttrSpanName = telemetry.Attribute{
		Key: "span.name", Brief: "Name of the span.", Bound: "aggregation_cardinality_limit of the connector",
	}
	AttrSpanKind = telemetry.Attribute{
		Key: "span.kind", Brief: "Kind of the span.",
		Values: []string{"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT",
			"SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"},
	}
	AttrStatusCode = telemetry.Attribute{
		Key: "status.code", Brief: "Status of the span.",
		Values: []string{"STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"},
	}
	AttrCollectorInstanceID = telemetry.Attribute{
		Key: "collector.instance.id", Brief: "Collector that counted the span.", Bound: "the collectors that run",
	}
)

// Span metrics count every span, before sampling. The connector has no metadata for them; names, unit and attributes are
// those of its source at the pinned version with `histogram: {exponential: {}}`, as config/quickstart.yaml has it.
var (
	SpanMetricsCalls = metric(modSpans, "traces.span.metrics.calls", telemetry.Counter, "",
		"Spans by service, name, kind and status.", spanAttributes()...)
	SpanMetricsDuration = metric(modSpans, "traces.span.metrics.duration", telemetry.NativeHistogram, "s",
		"Duration of spans.", spanAttributes()...)
)

// SpanMetrics lists the metrics of the span_metrics connector.
func SpanMetrics() []telemetry.Metric {
	return []telemetry.Metric{SpanMetricsCalls, SpanMetricsDuration}
}

func spanAttributes() []telemetry.Attribute {
	return []telemetry.Attribute{AttrServiceName, AttrSpanName, AttrSpanKind, AttrStatusCode, AttrCollectorInstanceID}
}
