package defs

import (
	"github.com/tailgate-otel/tailgate/dashboards/model"
	"github.com/tailgate-otel/tailgate/dashboards/query"
	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/upstream"
)

// Attribute keys of the tail sampler's metrics.
var (
	keyPolicy     = telemetry.AttrSamplingPolicy.Key
	keyDecision   = telemetry.AttrSamplingDecision.Key
	keySampled    = telemetry.AttrSamplingSampled.Key
	keyWhy        = telemetry.AttrSamplingReason.Key
	keyDropReason = telemetry.AttrSamplingDropReason.Key
	keyRefusal    = telemetry.AttrSamplingRefuseReason.Key
	keyLate       = telemetry.AttrSamplingLateOutcome.Key
	keyReload     = telemetry.AttrSamplingReloadOutcome.Key
	keyPart       = telemetry.AttrSamplingPart.Key
)

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
		balance: spanBalance{scope}, alive: scope.Value(telemetry.SamplingTracesOpen)}
	return model.Dashboard{
		UID: uidSampling, Title: "Tail sampling", Tags: []string{"tailgate", "collector", "sampling"},
		Description: "What is kept, what is dropped and why, and how the services do, counted before anything is dropped.",
		Variables: append(s.programs(scope, telemetry.SamplingTracesOpen),
			s.choice(t.services, varService, "Service", "Service that recorded the spans.", upstream.SpanMetricsCalls, keyService, anything)),
		Links: []model.Link{
			{UID: uidPipeline, Title: "Collector / Pipeline", Tooltip: "Whether every span is accounted for",
				Variables: []string{query.LabelJob, query.LabelInstance}},
			{UID: uidGateway, Title: "Gateway / Overview", Tooltip: "The requests behind the traces"},
		},
		Rows: []model.Row{
			{ID: 1, Title: "At a glance", Panels: t.glance()},
			{ID: 2, Title: "Decisions", Panels: t.decisions()},
			{ID: 3, Title: "Balance of spans", Panels: t.spans()},
			{ID: 4, Title: "Buffer and memory of decisions", Panels: t.buffer()},
			{ID: 5, Title: "Late spans", Panels: t.late()},
			{ID: 6, Title: "Pressure", Panels: t.pressure()},
			{ID: 7, Title: "Cost of deciding", Panels: t.cost()},
			{ID: 8, Title: "Services, before sampling", Panels: t.red()},
		},
	}
}

// counted is a counter per second by an attribute. The processor begins all of these at 0, so that each value has a line.
func (t samplingSheet) counted(m telemetry.Metric, key string) model.Target {
	return t.line(t.scope.Legend(key), t.scope.Rate(m).SumBy(key))
}

func (t samplingSheet) keptShare() query.Expr {
	all := t.scope.Rate(telemetry.SamplingGlobalCountTracesSampled).Sum()
	kept := t.scope.Rate(telemetry.SamplingGlobalCountTracesSampled, query.Is(keyDecision, telemetry.DecisionSampled)).Sum()
	return kept.OrZeroOf(all).Over(all)
}

// fill is the share of the buffer in use, by instance.
func (t samplingSheet) fill() query.Expr {
	return t.scope.Value(telemetry.SamplingBufferSize).SumBy(query.LabelInstance).
		Over(t.scope.Value(telemetry.SamplingBufferLimit).SumBy(query.LabelInstance))
}

// nearlyFull is the buffer's fill: from 0.7 on new traces wait shorter, and when it is full the oldest are decided early.
func nearlyFull() []model.Threshold {
	return model.Steps(model.Good, model.From(0.7, model.Warn), model.From(0.95, model.Bad))
}

func (t samplingSheet) glance() []model.Panel {
	refused := t.scope.Rate(telemetry.SamplingSpansRefused).Sum().OrZeroWith(t.alive)
	return []model.Panel{
		ratio(stat(11, text{"Kept share", "Share of traces kept. It follows errors and slow requests; far above the share of the policy for the rest, something is wrong in the services."},
			model.UnitPercent, plain(), t.line("kept", t.keptShare()))),
		stat(12, text{"Traces decided", "Traces decided per second, kept or not."},
			model.UnitCountPerSec, plain(), t.line("decided", t.scope.Rate(telemetry.SamplingGlobalCountTracesSampled).Sum())),
		stat(13, text{"New traces", "Traces seen for the first time, per second. Decided should follow it with the delay of decision_wait."},
			model.UnitCountPerSec, plain(), t.line("new", t.scope.Rate(telemetry.SamplingNewTraces).Sum())),
		stat(14, text{"Traces open", "Traces that wait for their decision. At num_traces, if it is set, the oldest are decided early."},
			model.UnitShort, plain(), t.line("open", t.scope.Value(telemetry.SamplingTracesOpen).Sum())),
		ratio(stat(15, text{"Buffer fill", "Fill of the fullest buffer. From 70 % on new traces wait shorter; when it is full the oldest are decided early. Raise max_buffer, or add collectors."},
			model.UnitPercent, nearlyFull(), t.line("fill", t.fill().MaxBy()))),
		stat(16, text{"Refused", "Spans per second that were sent back to be tried again, as the buffer is full of kept traces that do not leave. Look at the exporters."},
			model.UnitCountPerSec, none(), t.line("refused", refused)),
	}
}

func (t samplingSheet) decisions() []model.Panel {
	traces := telemetry.SamplingCountTracesSampled
	asked := t.scope.Rate(traces).SumBy(keyPolicy)
	by := func(decision string) model.Target {
		return t.line(t.scope.Legend(keyPolicy), t.scope.Rate(traces, query.Is(keyDecision, decision)).SumBy(keyPolicy).OrZeroOf(asked))
	}
	colors := []model.SeriesColor{{Legend: telemetry.DecisionSampled, Color: model.Good},
		{Legend: telemetry.DecisionNotSampled, Color: model.Muted}, {Legend: telemetry.DecisionDropped, Color: model.Warn}}
	return []model.Panel{
		colored(stacked(21, 8, text{"Traces by decision", "sampled is kept; dropped is the word of a drop policy. A sudden all-or-nothing is a change of the policies."},
			model.UnitCountPerSec, t.line(t.scope.Legend(keyDecision), t.scope.Rate(telemetry.SamplingGlobalCountTracesSampled).SumBy(keyDecision))), colors...),
		stacked(22, 8, text{"Traces kept, by policy", "Which policy keeps the traces, and so what storage is spent on. More from errors or slow is trouble in the services."},
			model.UnitCountPerSec, by(telemetry.DecisionSampled)),
		stacked(23, 8, text{"Not kept, by policy", "Traces that each policy was asked about and did not keep. With sample_on_first_match only the last one's word is final."},
			model.UnitCountPerSec, by(telemetry.DecisionNotSampled)),
		graph(26, 8, text{"Kept share over time", "Share of traces kept. Compare with the target; while incidents last it rises, and should come back."},
			model.UnitPercent, t.line("kept", t.keptShare())),
		stacked(27, 8, text{"Decided because", "What made it time to decide. wait is the rule; memory_complete, memory or num_traces: a limit was reached, and traces were judged on what was there, complete or not: raise it; overload: kept traces do not leave fast enough, new ones are thinned out at once; rescue: a dropped trace was brought back."},
			model.UnitCountPerSec, t.counted(telemetry.SamplingDecisions, keyWhy)),
		stacked(30, 8, text{"Policies changed", "Changes of the file of policies. failure: the new ones are wrong and the old ones stay in force; the collector's log says what is wrong."},
			model.UnitCountPerSec, t.counted(telemetry.SamplingPolicyReloads, keyReload)),
	}
}

func (t samplingSheet) spans() []model.Panel {
	return []model.Panel{
		t.whereSpansGo(t.balance, 25, 8),
		stacked(28, 8, text{"Dropped, by reason", "not_sampled and policy are decisions, late follows one. trace_size and span_size: larger than the limits; unreadable: damaged in storage; shutdown: open when the collector ended."},
			model.UnitCountPerSec, t.counted(telemetry.SamplingSpansDropped, keyDropReason)),
		graph(29, 8, text{"Held and unexplained", "Held is waiting for its decision or for the next consumer. Unexplained is what the sum in + recovered + rescued = kept + dropped + failed + held lacks, and stays at 0."},
			model.UnitShort, t.line("held", t.balance.held()), t.line("unexplained", t.balance.unexplained())),
	}
}

// whereSpansGo draws what goes out of the sampler; the pipeline's dashboard has it too.
func (s *sheet) whereSpansGo(b spanBalance, id, width int) model.Panel {
	rate := b.scope.Rate
	return colored(stacked(id, width, text{"Where spans go", "Kept, dropped and failed, on top of each other, follow what comes in with the delay of decision_wait. Failed: a destination refused kept traces for good."},
		model.UnitCountPerSec, s.line("kept", b.kept(rate)), s.line("dropped", b.dropped(rate)), s.line("failed", b.failed(rate))),
		model.SeriesColor{Legend: "kept", Color: model.Good}, model.SeriesColor{Legend: "dropped", Color: model.Muted},
		model.SeriesColor{Legend: "failed", Color: model.Bad})
}

func (t samplingSheet) buffer() []model.Panel {
	const instance = "{{instance}}"
	perInstance := func(m telemetry.Metric) model.Target {
		return t.line(instance, t.scope.Value(m).SumBy(query.LabelInstance))
	}
	return []model.Panel{
		graph(35, 8, text{"Bytes held", "Bytes of the log of spans, the index of open traces and the memory of decisions, against max_buffer. They lie outside the Go heap. Memory is taken as it is needed."},
			model.UnitBytes, t.line(t.scope.Legend(keyPart), t.scope.Value(telemetry.SamplingBufferSize).SumBy(keyPart)),
			t.line("limit", t.scope.Value(telemetry.SamplingBufferLimit).Sum())),
		ratio(limits(graph(36, 8, text{"Buffer fill", "Share of max_buffer in use, by collector. Uneven ones mean that traces are not spread by trace id."},
			model.UnitPercent, t.line(instance, t.fill())), nearlyFull())),
		graph(37, 8, text{"Oldest trace", "Age of the oldest open trace. It stays near decision_wait; above it, deciding lags."},
			model.UnitSeconds, t.line(instance, t.scope.Value(telemetry.SamplingOldestTraceAge).MaxBy(query.LabelInstance))),
		graph(31, 8, text{"Open traces", "Traces that wait for their decision, by collector. Uneven collectors mean that traces are not spread by trace id."},
			model.UnitShort, perInstance(telemetry.SamplingTracesOpen)),
		graph(38, 8, text{"Decisions remembered", "Kept (true) and dropped (false) traces whose late spans still find their decision. When it no longer grows, the cache sizes bound it and the oldest are forgotten."},
			model.UnitShort, t.line(t.scope.Legend(keySampled), t.scope.Value(telemetry.SamplingDecisionsRemembered).SumBy(keySampled).OrZeroWith(t.alive))),
		stacked(39, 8, text{"Brought back", "Spans found in storage after a restart, and spans that were dropped and kept after all, because of late spans (rescue_late_spans) or by hand on the debug page."},
			model.UnitCountPerSec, t.line("recovered", t.scope.Rate(telemetry.SamplingSpansRecovered).Sum().OrZeroWith(t.alive)),
			t.line("rescued", t.scope.Rate(telemetry.SamplingSpansRescued).Sum().OrZeroWith(t.alive))),
	}
}

func (t samplingSheet) late() []model.Panel {
	age := t.scope.Histogram(telemetry.SamplingLateSpanAge)
	late := func(q float64) query.Expr { return age.Quantile(q).Numbers().OrZeroWith(t.alive) }
	return []model.Panel{
		stacked(33, 12, text{"Late spans", "Spans after the decision on their trace, and what became of them. Many of them: raise decision_wait, or look for a sender that batches too long. rescued: they say that a dropped trace must be kept, see rescue_late_spans."},
			model.UnitCountPerSec, t.counted(telemetry.SamplingLateSpans, keyLate)),
		graph(34, 12, text{"Age of late spans", "How long after the decision late spans came; 0 while there are none. decision_wait plus the p90 would catch nine of ten."},
			model.UnitSeconds, t.line("p50", late(0.5)), t.exemplars("p90", late(0.9))),
	}
}

func (t samplingSheet) pressure() []model.Panel {
	return []model.Panel{
		stacked(61, 8, text{"Refused, by reason", "Spans sent back with a retryable error. memory: the buffer is full of kept traces that do not leave; num_traces: block_on_overflow makes senders wait."},
			model.UnitCountPerSec, t.counted(telemetry.SamplingSpansRefused, keyRefusal)),
		graph(62, 8, text{"Deliveries tried again", "Times per second that the next consumer did not take kept traces. They wait in the buffer meanwhile; the collector's log has the answer."},
			model.UnitCountPerSec, t.line("retries", t.scope.Rate(telemetry.SamplingDeliveryRetries).Sum().OrZeroWith(t.alive))),
		graph(63, 8, text{"Damage and size", "Segments of the storage directory that ended in the middle of a record, after a crash of the machine; and traces above maximum_trace_size_bytes, which are not kept."},
			model.UnitCountPerSec, t.line("damaged segments", t.scope.Rate(telemetry.SamplingDamagedSegments).Sum().OrZeroWith(t.alive)),
			t.line("traces too large", t.scope.Rate(telemetry.SamplingDroppedTooLarge).Sum().OrZeroWith(t.alive))),
	}
}

func (t samplingSheet) cost() []model.Panel {
	latency := t.scope.Histogram(telemetry.SamplingDecisionLatency)
	spent := t.scope.Rate(telemetry.SamplingPolicyExecutionTime).SumBy(keyPolicy).
		OrZeroOf(t.scope.Rate(telemetry.SamplingPolicyExecutionCount).SumBy(keyPolicy))
	runs := t.scope.Rate(telemetry.SamplingPolicyExecutionCount).SumBy(keyPolicy)
	return []model.Panel{
		limits(graph(41, 6, text{"Decision round", "Duration of the rounds, twenty each second and shard, of 256 traces at most. While one runs its shard takes no span in. It grows with costly policies."},
			model.UnitMilliseconds, t.line("p50", latency.Quantile(0.5)), t.exemplars("p99", latency.Quantile(0.99))),
			model.Steps(model.Good, model.From(50, model.Bad))),
		stacked(42, 6, text{"Time in policies", "Share of one core that each policy takes. A costly one (OTTL, regular expressions) goes behind the cheap ones."},
			model.UnitPercent, t.line(t.scope.Legend(keyPolicy), spent.Times(1e-6))),
		graph(43, 6, text{"Time per evaluation", "Mean time that a policy needs for one trace. A climb is larger traces, or a policy that looks at every attribute."},
			model.UnitMicroseconds, t.line(t.scope.Legend(keyPolicy), spent.Over(runs))),
		graph(44, 6, text{"Policy errors", "Evaluations that failed, per second; their traces count as not kept. Not 0: the debug page names the last error of each policy."},
			model.UnitCountPerSec, t.line("errors", t.scope.Rate(telemetry.SamplingPolicyErrors).Sum().OrZeroWith(t.alive))),
	}
}
