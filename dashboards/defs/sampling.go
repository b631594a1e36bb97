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

// samplingSheet is the sheet with the two scopes of the dashboard: the collectors that sample, and the services whose
// spans they count.
type samplingSheet struct {
	*sheet
	scope, services query.Scope
	balance         spanBalance
	// alive is there as long as the sampler is, and stands behind counters that nothing has touched yet.
	alive query.Expr
}

func sampling(s *sheet) model.Dashboard {
	scope := query.NewScope(s.naming)
	t := samplingSheet{sheet: s, scope: scope, services: query.NewAttributeScope(s.naming, keyService, varService),
		balance: spanBalance{scope}, alive: scope.Value(upstream.TailSamplingTracesOnMemory)}
	return model.Dashboard{
		UID: uidSampling, Title: "Tail sampling", Tags: []string{"tailgate", "collector", "sampling"},
		Description: "What is kept, what is dropped and why, and how the services do, counted before anything is dropped.",
		Variables: append(s.programs(scope, upstream.TailSamplingTracesOnMemory),
			s.choice(t.services, varService, "Service", "Service that recorded the spans.", upstream.SpanMetricsCalls, keyService, anything)),
		Links: []model.Link{
			{UID: uidPipeline, Title: "Collector / Pipeline", Tooltip: "Whether every span is accounted for",
				Variables: []string{query.LabelJob, query.LabelInstance}},
			{UID: uidGateway, Title: "Gateway / Overview", Tooltip: "The requests behind the traces"},
		},
		Rows: []model.Row{
			{ID: 1, Title: "At a glance", Panels: t.glance()},
			{ID: 2, Title: "Decisions", Panels: t.decisions()},
			{ID: 3, Title: "Held and late", Panels: t.held()},
			{ID: 4, Title: "Cost of deciding", Panels: t.cost()},
			{ID: 5, Title: "Services, before sampling", Panels: t.red()},
		},
	}
}

func (t samplingSheet) keptShare() query.Expr {
	all := t.scope.Rate(upstream.TailSamplingGlobalCountTracesSampled).Sum()
	kept := t.scope.Rate(upstream.TailSamplingGlobalCountTracesSampled, query.Is(keyDecision, "sampled")).Sum()
	return kept.OrZeroOf(all).Over(all)
}

func (t samplingSheet) glance() []model.Panel {
	latency := t.scope.Histogram(upstream.TailSamplingDecisionTimerLatency)
	early := t.scope.Rate(upstream.TailSamplingDroppedTooEarly).Sum()
	return []model.Panel{
		ratio(stat(11, text{"Kept share", "Share of traces kept. It follows errors and slow requests; far above the share of the policy rest, something is wrong in the services."},
			model.UnitPercent, plain(), t.line("kept", t.keptShare()))),
		stat(12, text{"Traces decided", "Traces decided per second, kept or not."},
			model.UnitCountPerSec, plain(), t.line("decided", t.scope.Rate(upstream.TailSamplingGlobalCountTracesSampled).Sum())),
		stat(13, text{"New traces", "Traces seen for the first time, per second. Decided should follow it with the delay of decision_wait."},
			model.UnitCountPerSec, plain(), t.line("new", t.scope.Rate(upstream.TailSamplingNewTraceID).Sum())),
		stat(14, text{"Traces held", "Traces in memory. At num_traces the oldest are pushed out; see Evictions."},
			model.UnitShort, plain(), t.line("held", t.scope.Value(upstream.TailSamplingTracesOnMemory).Sum())),
		stat(15, text{"Decision p99", "Duration of a round of decisions, one each second. While it runs no span is taken in: near 1 s receivers push back."},
			model.UnitMilliseconds, model.Steps(model.Good, model.From(250, model.Warn), model.From(1000, model.Bad)),
			t.line("p99", latency.Quantile(0.99))),
		stat(16, text{"Evicted", "Traces pushed out of memory before their decision, per second. They are lost without having been judged: raise num_traces or lower decision_wait."},
			model.UnitCountPerSec, none(), t.line("evicted", early)),
	}
}

func (t samplingSheet) decisions() []model.Panel {
	traces, spans := upstream.TailSamplingCountTracesSampled, upstream.TailSamplingCountSpansSampled
	sampled, rest := query.Is(keyDecision, "sampled"), query.Is(keyDecision, "not_sampled")
	byPolicy := t.scope.Legend(keyPolicy)
	colors := []model.SeriesColor{{Legend: "sampled", Color: model.Good}, {Legend: "not_sampled", Color: model.Muted}, {Legend: "dropped", Color: model.Warn}}
	return []model.Panel{
		colored(stacked(21, 8, text{"Traces by decision", "sampled is kept; dropped is the word of a drop policy. A sudden all-or-nothing is a change of the policies."},
			model.UnitCountPerSec, t.line(t.scope.Legend(keyDecision), t.scope.Rate(upstream.TailSamplingGlobalCountTracesSampled).SumBy(keyDecision))), colors...),
		stacked(22, 8, text{"Traces kept, by policy", "Which policy keeps the traces, and so what storage is spent on. More from errors or slow is trouble in the services."},
			model.UnitCountPerSec, t.line(byPolicy, t.scope.Rate(traces, sampled).SumBy(keyPolicy).OrZeroOf(t.scope.Rate(traces).SumBy(keyPolicy)))),
		stacked(23, 8, text{"Not kept, by policy", "Traces that each policy was asked about and did not keep. Policies are asked in order until one keeps, so only the last is final."},
			model.UnitCountPerSec, t.line(byPolicy, t.scope.Rate(traces, rest).SumBy(keyPolicy).OrZeroOf(t.scope.Rate(traces).SumBy(keyPolicy)))),
		stacked(24, 8, text{"Spans kept, by policy", "Kept traces weighed by their spans: a policy that keeps few but large traces shows here."},
			model.UnitCountPerSec, t.line(byPolicy, t.scope.Rate(spans, sampled).SumBy(keyPolicy).OrZeroOf(t.scope.Rate(spans).SumBy(keyPolicy)))),
		colored(stacked(25, 8, text{"Spans kept and dropped", "What sampling saves: dropped spans are never exported or stored."},
			model.UnitCountPerSec, t.line("kept", t.balance.kept(t.scope.Rate)), t.line("dropped", t.balance.dropped(t.scope.Rate))),
			model.SeriesColor{Legend: "kept", Color: model.Good}, model.SeriesColor{Legend: "dropped", Color: model.Muted}),
		graph(26, 8, text{"Kept share over time", "Share of traces kept. Compare with the target; while incidents last it rises, and should come back."},
			model.UnitPercent, t.line("kept", t.keptShare())),
	}
}

func (t samplingSheet) held() []model.Panel {
	age := t.scope.Histogram(upstream.TailSamplingLateSpanAge)
	late := func(q float64) query.Expr { return age.Quantile(q).Numbers().OrZeroWith(t.alive) }
	return []model.Panel{
		graph(31, 6, text{"Traces in memory", "Held traces by collector. Uneven collectors mean that traces are not routed by trace id; near num_traces they are pushed out."},
			model.UnitShort, t.line("{{instance}}", t.scope.Value(upstream.TailSamplingTracesOnMemory).SumBy(query.LabelInstance))),
		graph(32, 6, text{"Evictions", "too early: pushed out before the decision, raise num_traces. too large: above maximum_trace_size_bytes. Both are traces lost."},
			model.UnitCountPerSec, t.line("too early", t.scope.Rate(upstream.TailSamplingDroppedTooEarly).Sum()),
			t.line("too large", t.scope.Rate(upstream.TailSamplingDroppedTooLarge).Sum().OrZeroWith(t.alive))),
		stacked(33, 6, text{"Late spans", "Spans after the decision on their trace, by what it was (true: kept). Many of them: raise decision_wait, or look for a sender that batches too long."},
			model.UnitCountPerSec, t.line(t.scope.Legend(keySampled), t.scope.Rate(upstream.TailSamplingEarlyReleases).SumBy(keySampled).OrZeroWith(t.alive)),
			t.line("decision still in memory", age.Count().Sum().OrZeroWith(t.alive))),
		graph(34, 6, text{"Age of late spans", "How long after the decision late spans came; 0 while there are none. decision_wait plus the p90 would catch nine of ten."},
			model.UnitSeconds, t.line("p50", late(0.5)), t.exemplars("p90", late(0.9))),
	}
}

func (t samplingSheet) cost() []model.Panel {
	latency := t.scope.Histogram(upstream.TailSamplingDecisionTimerLatency)
	spent := t.scope.Rate(upstream.TailSamplingPolicyExecutionTime).SumBy(keyPolicy)
	runs := t.scope.Rate(upstream.TailSamplingPolicyExecutionCount).SumBy(keyPolicy)
	return []model.Panel{
		limits(graph(41, 6, text{"Decision round", "Duration of the rounds, one each second. While one runs no span is taken in. It grows with traces decided and with costly policies."},
			model.UnitMilliseconds, t.line("p50", latency.Quantile(0.5)), t.exemplars("p99", latency.Quantile(0.99))),
			model.Steps(model.Good, model.From(1000, model.Bad))),
		stacked(42, 6, text{"Time in policies", "Share of one core that each policy takes. A costly one (OTTL, regular expressions) goes behind the cheap ones."},
			model.UnitPercent, t.line(t.scope.Legend(keyPolicy), spent.Times(1e-6))),
		graph(43, 6, text{"Time per evaluation", "Mean time that a policy needs for one trace. A climb is larger traces, or a policy that looks at every attribute."},
			model.UnitMicroseconds, t.line(t.scope.Legend(keyPolicy), spent.Over(runs))),
		graph(44, 6, text{"Policy errors", "Evaluations that failed, per second; their traces count as not kept. Not 0: the collector's debug log names the expression."},
			model.UnitCountPerSec, t.line("errors", t.scope.Rate(upstream.TailSamplingPolicyErrors).Sum())),
	}
}

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
