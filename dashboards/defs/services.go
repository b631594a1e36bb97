package defs

import (
	"github.com/tailgate-otel/tailgate/dashboards/model"
	"github.com/tailgate-otel/tailgate/dashboards/query"
	"github.com/tailgate-otel/tailgate/telemetry/upstream"
)

// Attribute keys of span metrics.
var (
	keyService  = upstream.AttrServiceName.Key
	keySpanName = upstream.AttrSpanName.Key
	keySpanKind = upstream.AttrSpanKind.Key
	keySpanCode = upstream.AttrStatusCode.Key
)

// varService is the variable that chooses among the services that send spans.
const varService = "service"

// red is rate, errors and duration of each service from its server spans, and of each operation.
func (t samplingSheet) red() []model.Panel {
	server := query.Is(keySpanKind, "SPAN_KIND_SERVER")
	duration := t.services.Histogram(upstream.SpanMetricsDuration, server)
	calls := func(by ...string) query.Expr { return t.services.Rate(upstream.SpanMetricsCalls, server).SumBy(by...) }
	errors := func(by ...string) query.Expr {
		failed := t.services.Rate(upstream.SpanMetricsCalls, server, query.Is(keySpanCode, "STATUS_CODE_ERROR"))
		return failed.SumBy(by...).OrZeroOf(calls(by...)).Over(calls(by...))
	}
	service := t.services.Legend(keyService)
	narrow := &model.DataLink{UID: uidSampling, Title: "Show this service alone",
		Variables: []string{model.DatasourceVariable, query.LabelJob, query.LabelInstance}, Set: map[string]string{varService: "Service"}}
	return []model.Panel{
		stacked(51, 8, text{"Requests by service", "Server spans per second: all of them, sampled or not. Compare with what your traces seem to say."},
			model.UnitRequestsPerS, t.line(service, calls(keyService))),
		graph(52, 8, text{"Error ratio by service", "Share of server spans with error status. The deepest service that errs is the cause; those above it pass it on."},
			model.UnitPercent, t.line(service, errors(keyService))),
		graph(53, 8, text{"p95 by service", "19 of 20 server spans are faster; dots open a kept trace. The deepest service that is slow is the cause."},
			model.UnitSeconds, t.exemplars(service, duration.Quantile(0.95, keyService))),
		{ID: 54, Title: "Operations", Width: 24, Height: 10, Unit: model.UnitNone, Thresholds: plain(),
			Description: "Server operations of the chosen services, the slowest first. A click on a service narrows the row to it.",
			Targets: withRefs([]model.Target{t.cell(calls(keyService, keySpanName)), t.cell(errors(keyService, keySpanName)),
				t.cell(duration.Quantile(0.5, keyService, keySpanName)), t.cell(duration.Quantile(0.95, keyService, keySpanName))}),
			Visual: model.Table{SortBy: "p95", SortDesc: true, Columns: []model.Column{
				{Label: t.services.Label(keyService), Title: "Service", Link: narrow, Width: 200},
				{Label: t.services.Label(keySpanName), Title: "Operation", Width: 320},
				{Ref: "A", Title: "Requests", Unit: model.UnitRequestsPerS},
				{Ref: "B", Title: "Errors", Unit: model.UnitPercent, Decimals: model.Ptr(2), Thresholds: failures()},
				{Ref: "C", Title: "p50", Unit: model.UnitSeconds}, {Ref: "D", Title: "p95", Unit: model.UnitSeconds},
			}}},
	}
}
