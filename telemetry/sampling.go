package telemetry

// sourceSampling is the folder whose metadata.yaml declares these metrics.
const sourceSampling = "github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor"

// Attributes of the tail_sampling processor's metrics.
var (
	AttrSamplingPolicy = Attribute{
		Key: "policy", Brief: "Name of the policy.", Bound: "the policies of the processor's configuration",
	}
	AttrSamplingDecision = Attribute{
		Key: "decision", Brief: "The sampling decision; dropped is the word of a drop policy.",
		Values: []string{DecisionSampled, DecisionNotSampled, DecisionDropped},
	}
	AttrSamplingSampled = Attribute{
		Key: "sampled", Brief: "Whether the decision was to keep.", Values: []string{"true", "false"},
	}
	AttrSamplingReason = Attribute{
		Key: "reason", Brief: "Why the trace was decided when it was.",
		Values: []string{"wait", "certain", "ingest", "memory_complete", "memory", "overload", "num_traces", "trace_size", "shutdown", "late", "rescue", "recovered"},
	}
	AttrSamplingDropReason = Attribute{
		Key: "reason", Brief: "Why the spans were not handed on.",
		Values: []string{"not_sampled", "policy", "late", "trace_size", "shutdown", "span_size", "unreadable", "overload"},
	}
	AttrSamplingRefuseReason = Attribute{
		Key: "reason", Brief: "Why the request was refused with a retryable error.", Values: []string{"memory", "num_traces"},
	}
	AttrSamplingLateOutcome = Attribute{
		Key: "outcome", Brief: "What became of spans that came after their trace's decision.",
		Values: []string{"kept", "dropped", "rescued"},
	}
	AttrSamplingReloadOutcome = Attribute{
		Key: "outcome", Brief: "Whether the new policies are used.", Values: []string{"success", "failure"},
	}
	AttrSamplingPart = Attribute{
		Key: "part", Brief: "What holds the bytes.", Values: []string{"log", "index", "decisions"},
	}
)

// Values of decision.
const (
	DecisionSampled    = "sampled"
	DecisionNotSampled = "not_sampled"
	DecisionDropped    = "dropped"
)

// The balance of spans: received + recovered + rescued = kept + dropped + failed + held, in every export.
var (
	SamplingSpansReceived = sampling("spans_received", Counter, "{span}",
		"Spans taken in, counted before any decision.")
	SamplingSpansRecovered = sampling("spans_recovered", Counter, "{span}",
		"Undecided or undelivered spans found in storage at start.")
	SamplingSpansRescued = sampling("spans_rescued", Counter, "{span}",
		"Spans that were dropped, and brought back from the log because their trace had to be kept after all.")
	SamplingSpansKept = sampling("spans_kept", Counter, "{span}",
		"Spans of kept traces that the next consumer accepted.")
	SamplingSpansDropped = sampling("spans_dropped", Counter, "{span}",
		"Spans that were not handed on.", AttrSamplingDropReason)
	SamplingSpansFailed = sampling("spans_failed", Counter, "{span}",
		"Spans of kept traces that the next consumer refused for good, or did not take in time.")
	SamplingSpansHeld = sampling("spans_held", UpDownCounter, "{span}",
		"Spans of open traces, and of kept ones on their way.")
)

// What happens beside the balance: late spans, refusals, retries, what was found at start.
var (
	SamplingLateSpans = sampling("late_spans", Counter, "{span}",
		"Spans that came after their trace was decided.", AttrSamplingLateOutcome)
	SamplingSpansRefused = sampling("spans_refused", Counter, "{span}",
		"Spans of requests, or rests of them, that were refused with a retryable error.", AttrSamplingRefuseReason)
	SamplingDeliveryRetries = sampling("delivery_retries", Counter, "{retry}",
		"Times that kept traces were offered again to the next consumer.")
	SamplingTracesRecovered = sampling("traces_recovered", Counter, "{trace}",
		"Open traces found in storage at start.")
	SamplingDamagedSegments = sampling("damaged_segments", Counter, "{segment}",
		"Segments of the storage directory that ended in bytes which are no records.")
)

// What was decided and what is held.
var (
	SamplingDecisions = sampling("decisions", Counter, "{trace}",
		"Traces decided, by what made it time to.", AttrSamplingReason)
	SamplingDecisionsRemembered = sampling("decisions_remembered", UpDownCounter, "{trace}",
		"Decisions remembered for late spans.", AttrSamplingSampled)
	SamplingBufferSize = sampling("buffer_size", UpDownCounter, "By",
		"Bytes held for open traces, their history and decisions.", AttrSamplingPart)
	SamplingBufferLimit = sampling("buffer_limit", UpDownCounter, "By",
		"The limit of all parts of the buffer, max_buffer.")
	SamplingTracesLimit = sampling("traces_limit", UpDownCounter, "{trace}",
		"The limit of open traces, num_traces; 0 for none.")
	SamplingOldestTraceAge = sampling("oldest_trace_age", Gauge, "s",
		"Age of the oldest open trace.")
)

// SamplingPolicyReloads counts what became of changes of the policies while the sampler runs.
var SamplingPolicyReloads = sampling("policy_reloads", Counter, "{reload}",
	"Changes of the policies file, by whether the new policies are used.", AttrSamplingReloadOutcome)

// The metrics that contrib's processor has too, under its names.
var (
	SamplingGlobalCountTracesSampled = sampling("global_count_traces_sampled", Counter, "{traces}",
		"Traces decided, by whether any policy kept them.", AttrSamplingSampled, AttrSamplingDecision)
	SamplingCountTracesSampled = sampling("count_traces_sampled", Counter, "{traces}",
		"Traces that each policy decided.", AttrSamplingPolicy, AttrSamplingSampled, AttrSamplingDecision)
	SamplingCountSpansSampled = sampling("count_spans_sampled", Counter, "{spans}",
		"Spans of the traces that each policy decided, with the feature gate metricstatcountspanssampled.",
		AttrSamplingPolicy, AttrSamplingSampled, AttrSamplingDecision)
	SamplingCountBytesSampled = sampling("count_bytes_sampled", Counter, "By",
		"Bytes of the traces that each policy decided, with the feature gate metricstatcountbytessampled.",
		AttrSamplingPolicy, AttrSamplingSampled, AttrSamplingDecision)
	SamplingNewTraces = sampling("new_trace_id_received", Counter, "{traces}",
		"Traces seen for the first time.")
	SamplingTracesOpen = sampling("sampling_traces_on_memory", Gauge, "{traces}",
		"Open traces.")
	SamplingEarlyReleases = sampling("early_releases_from_cache_decision", Counter, "{spans}",
		"Late spans that the decision cache answered.", AttrSamplingSampled)
	SamplingDroppedTooEarly = sampling("sampling_trace_dropped_too_early", Counter, "{traces}",
		"Traces that left memory before their decision. Always 0, full memory decides early instead.")
	SamplingDroppedTooLarge = sampling("traces_dropped_too_large", Counter, "{traces}",
		"Traces larger than maximum_trace_size_bytes.")
	SamplingUnparseableTraceState = sampling("count_spans_with_unparseable_tracestate", Counter, "{spans}",
		"Spans left without a new threshold because their tracestate could not be parsed.")
	SamplingDecisionLatency = sampling("sampling_decision_timer_latency", Histogram, "ms",
		"Duration of each round of decisions, of one shard under its lock.")
	SamplingLateSpanAge = sampling("sampling_late_span_age", Histogram, "s",
		"Time from a decision to a late span of its trace.")
	SamplingTraceRemovalAge = sampling("sampling_trace_removal_age", Histogram, "s",
		"Age of traces when they leave memory.")
	SamplingPolicyExecutionTime = sampling("sampling_policy_execution_time_sum", Counter, "us",
		"Time spent in each policy; one decision in 32 is measured.", AttrSamplingPolicy)
	SamplingPolicyExecutionCount = sampling("sampling_policy_execution_count", Counter, "{executions}",
		"Executions of each policy.", AttrSamplingPolicy)
	SamplingPolicyErrors = sampling("sampling_policy_evaluation_error", Counter, "{errors}",
		"Policies that failed to evaluate.")
)

// Sampling lists the metrics of the tail_sampling processor.
func Sampling() []Metric {
	return []Metric{
		SamplingSpansReceived, SamplingSpansRecovered, SamplingSpansRescued, SamplingSpansKept, SamplingSpansDropped,
		SamplingSpansFailed, SamplingSpansHeld,
		SamplingLateSpans, SamplingSpansRefused, SamplingDeliveryRetries, SamplingTracesRecovered, SamplingDamagedSegments,
		SamplingDecisions, SamplingDecisionsRemembered, SamplingBufferSize, SamplingBufferLimit, SamplingTracesLimit,
		SamplingOldestTraceAge, SamplingPolicyReloads,
		SamplingGlobalCountTracesSampled, SamplingCountTracesSampled, SamplingCountSpansSampled, SamplingCountBytesSampled,
		SamplingNewTraces, SamplingTracesOpen, SamplingEarlyReleases, SamplingDroppedTooEarly, SamplingDroppedTooLarge,
		SamplingUnparseableTraceState, SamplingDecisionLatency, SamplingLateSpanAge, SamplingTraceRemovalAge,
		SamplingPolicyExecutionTime, SamplingPolicyExecutionCount, SamplingPolicyErrors,
	}
}

func sampling(name string, kind Kind, unit, description string, attrs ...Attribute) Metric {
	return Metric{
		Name: "otelcol_processor_tail_sampling_" + name, Kind: kind, Unit: unit, Description: description,
		Attributes: attrs, Stability: Development, Source: sourceSampling,
	}
}
