package upstream

import "github.com/tailgate-otel/tailgate/telemetry"

// Attributes of the tail sampling processor's metrics.
var (
	AttrPolicy = telemetry.Attribute{
		Key: "policy", Brief: "Name of the policy.", Bound: "the policies of the processor's configuration",
	}
	AttrDecision = telemetry.Attribute{
		Key: "decision", Brief: "The sampling decision.", Values: []string{"sampled", "not_sampled", "dropped"},
	}
	AttrSampled = telemetry.Attribute{
		Key: "sampled", Brief: "Whether the decision was to keep.", Values: []string{"true", "false"},
	}
)

// What the processor decided, by trace and by span, and what it holds.
var (
	TailSamplingGlobalCountTracesSampled = sampling("global_count_traces_sampled", telemetry.Counter, "{traces}",
		"Traces decided, by whether any policy kept them.", AttrSampled, AttrDecision)
	TailSamplingCountTracesSampled = sampling("count_traces_sampled", telemetry.Counter, "{traces}",
		"Traces that each policy decided.", AttrPolicy, AttrSampled, AttrDecision)
	TailSamplingCountSpansSampled = sampling("count_spans_sampled", telemetry.Counter, "{spans}",
		"Spans of the traces that each policy decided.", AttrPolicy, AttrSampled, AttrDecision)
	TailSamplingNewTraceID = sampling("new_trace_id_received", telemetry.Counter, "{traces}",
		"Traces seen for the first time.")
	TailSamplingTracesOnMemory = sampling("sampling_traces_on_memory", telemetry.Gauge, "{traces}",
		"Traces held in memory.")
	TailSamplingEarlyReleases = sampling("early_releases_from_cache_decision", telemetry.Counter, "{spans}",
		"Late spans that the decision cache answered.", AttrSampled)
	TailSamplingDroppedTooEarly = sampling("sampling_trace_dropped_too_early", telemetry.Counter, "{traces}",
		"Traces that left memory before their decision.")
	TailSamplingDroppedTooLarge = sampling("traces_dropped_too_large", telemetry.Counter, "{traces}",
		"Traces larger than maximum_trace_size_bytes.")
)

// What deciding costs and how late spans come.
var (
	TailSamplingDecisionTimerLatency = sampling("sampling_decision_timer_latency", telemetry.Histogram, "ms",
		"Duration of each round of decisions.")
	TailSamplingLateSpanAge = sampling("sampling_late_span_age", telemetry.Histogram, "s",
		"Time from a trace's decision to a late span of it.")
	TailSamplingTraceRemovalAge = sampling("sampling_trace_removal_age", telemetry.Histogram, "s",
		"Age of traces when they leave memory.")
	TailSamplingPolicyExecutionTime = sampling("sampling_policy_execution_time_sum", telemetry.Counter, "us",
		"Time spent in each policy.", AttrPolicy)
	TailSamplingPolicyExecutionCount = sampling("sampling_policy_execution_count", telemetry.Counter, "{executions}",
		"Executions of each policy.", AttrPolicy)
	TailSamplingPolicyErrors = sampling("sampling_policy_evaluation_error", telemetry.Counter, "{errors}",
		"Policies that failed to evaluate.")
)

// TailSampling lists the metrics of the tail_sampling processor.
func TailSampling() []telemetry.Metric {
	return []telemetry.Metric{
		TailSamplingGlobalCountTracesSampled, TailSamplingCountTracesSampled, TailSamplingCountSpansSampled,
		TailSamplingNewTraceID, TailSamplingTracesOnMemory, TailSamplingEarlyReleases,
		TailSamplingDroppedTooEarly, TailSamplingDroppedTooLarge,
		TailSamplingDecisionTimerLatency, TailSamplingLateSpanAge, TailSamplingTraceRemovalAge,
		TailSamplingPolicyExecutionTime, TailSamplingPolicyExecutionCount, TailSamplingPolicyErrors,
	}
}

func sampling(name string, kind telemetry.Kind, unit, description string, attrs ...telemetry.Attribute) telemetry.Metric {
	return metric(modSampling, "otelcol_processor_tail_sampling_"+name, kind, unit, description, attrs...)
}
