package policy

import "github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl"

// Strategy says when policies are asked.
type Strategy string

const (
	// TraceComplete waits for the whole trace and asks once.
	TraceComplete Strategy = "trace-complete"
	// SpanIngest asks about each arriving batch on its own.
	SpanIngest Strategy = "span-ingest"
)

// Type names what a condition asks, or the id of an extension that does.
type Type string

// The built-in types.
const (
	AlwaysSample     Type = "always_sample"
	Latency          Type = "latency"
	NumericAttribute Type = "numeric_attribute"
	Probabilistic    Type = "probabilistic"
	StatusCode       Type = "status_code"
	StringAttribute  Type = "string_attribute"
	RateLimiting     Type = "rate_limiting"
	BytesLimiting    Type = "bytes_limiting"
	SpanCount        Type = "span_count"
	TraceState       Type = "trace_state"
	BooleanAttribute Type = "boolean_attribute"
	OTTLCondition    Type = "ottl_condition"
	TraceFlags       Type = "trace_flags"
	And              Type = "and"
	Not              Type = "not"
	Drop             Type = "drop"
	Composite        Type = "composite"
)

// Rule is the type of a rule in PolicyStats.
const Rule Type = "rule"

// Config is one entry of `policies`.
type Config struct {
	Condition Condition `mapstructure:",squash"`
	// Drop drops a trace, whatever other policies say, when all its conditions hold.
	Drop DropConfig `mapstructure:"drop"`
	// Composite shares a budget of spans per second between conditions.
	Composite CompositeConfig `mapstructure:"composite"`
	// DryRun evaluates and counts the policy but lets it change nothing. Default false.
	DryRun bool `mapstructure:"dry_run"`
}

// Condition is a question about a trace. Only the section named like Type is read.
type Condition struct {
	// Name labels the policy in metrics and attributes; required and unique at the top level.
	Name string `mapstructure:"name"`
	// Type is one of the built-in types, or the id of an extension that provides an evaluator.
	Type             Type                   `mapstructure:"type"`
	Latency          LatencyConfig          `mapstructure:"latency"`
	NumericAttribute NumericAttributeConfig `mapstructure:"numeric_attribute"`
	Probabilistic    ProbabilisticConfig    `mapstructure:"probabilistic"`
	StatusCode       StatusCodeConfig       `mapstructure:"status_code"`
	StringAttribute  StringAttributeConfig  `mapstructure:"string_attribute"`
	RateLimiting     RateLimitingConfig     `mapstructure:"rate_limiting"`
	BytesLimiting    BytesLimitingConfig    `mapstructure:"bytes_limiting"`
	SpanCount        SpanCountConfig        `mapstructure:"span_count"`
	TraceState       TraceStateConfig       `mapstructure:"trace_state"`
	BooleanAttribute BooleanAttributeConfig `mapstructure:"boolean_attribute"`
	OTTLCondition    OTTLConditionConfig    `mapstructure:"ottl_condition"`
	And              *AndConfig             `mapstructure:"and"`
	Not              *NotConfig             `mapstructure:"not"`
	// Extension holds the sections that no built-in type reads: at most one, named by Type, handed to the extension.
	Extension map[string]map[string]any `mapstructure:",remain"`
}

// AndConfig holds when all its conditions hold.
type AndConfig struct {
	SubPolicies []Condition `mapstructure:"and_sub_policy"`
}

// NotConfig holds when its condition does not.
type NotConfig struct {
	SubPolicy Condition `mapstructure:"not_sub_policy"`
}

// DropConfig drops the trace when all its conditions hold.
type DropConfig struct {
	SubPolicies []Condition `mapstructure:"drop_sub_policy"`
}

// CompositeConfig asks its conditions in the order of SubPolicies; the first that holds spends its share of the budget.
type CompositeConfig struct {
	// MaxTotalSpansPerSecond is the budget from which shares are computed. Default 0: nothing passes.
	MaxTotalSpansPerSecond int64 `mapstructure:"max_total_spans_per_second"`
	// PolicyOrder is checked but decides nothing, as in contrib: the order is that of SubPolicies.
	PolicyOrder []string    `mapstructure:"policy_order"`
	SubPolicies []Condition `mapstructure:"composite_sub_policy"`
	// RateAllocation gives conditions their percentage of the budget. One that is not listed, or listed with 0, gets an
	// equal part: the budget divided by the number of conditions.
	RateAllocation []RateAllocation `mapstructure:"rate_allocation"`
}

// RateAllocation is the share of one condition of a composite.
type RateAllocation struct {
	Policy  string `mapstructure:"policy"`
	Percent int64  `mapstructure:"percent"`
}

// LatencyConfig asks the time from the trace's earliest start to its latest end.
type LatencyConfig struct {
	// ThresholdMillis is the bound that must be exceeded, in whole milliseconds. Default 0.
	ThresholdMillis int64 `mapstructure:"threshold_ms"`
	// UpperThresholdMillis is the largest duration that still matches. Default 0: no upper bound.
	UpperThresholdMillis int64 `mapstructure:"upper_threshold_ms"`
}

// NumericAttributeConfig asks for a span or resource attribute in a range. An attribute that is no integer counts as 0.
type NumericAttributeConfig struct {
	Key string `mapstructure:"key"`
	// MinValue and MaxValue are inclusive; one of them must be given, and 0 is a bound like any other.
	MinValue *int64 `mapstructure:"min_value"`
	MaxValue *int64 `mapstructure:"max_value"`
	// InvertMatch asks that no span and no resource has such an attribute. Default false.
	InvertMatch bool `mapstructure:"invert_match"`
}

// ProbabilisticConfig samples a share of the trace ids.
type ProbabilisticConfig struct {
	// HashSalt separates layers of samplers. Default "default-hash-seed".
	HashSalt string `mapstructure:"hash_salt"`
	// SamplingPercentage is the share in percent; 100 and more is everything. Default 0: nothing.
	SamplingPercentage float64 `mapstructure:"sampling_percentage"`
}

// StatusCodeConfig asks for a span with one of the given codes.
type StatusCodeConfig struct {
	// StatusCodes are OK, ERROR and UNSET; at least one.
	StatusCodes []string `mapstructure:"status_codes"`
}

// StringAttributeConfig asks for a span or resource attribute with one of the given values.
type StringAttributeConfig struct {
	Key string `mapstructure:"key"`
	// Values are compared whole; with EnabledRegexMatching they are RE2 expressions that may match anywhere in the value.
	Values               []string `mapstructure:"values"`
	EnabledRegexMatching bool     `mapstructure:"enabled_regex_matching"`
	// CacheMaxSize is accepted and unused: what a value means is remembered together with the value.
	CacheMaxSize int `mapstructure:"cache_max_size"`
	// InvertMatch asks that no span and no resource has such an attribute. Default false.
	InvertMatch bool `mapstructure:"invert_match"`
}

// RateLimitingConfig lets traces pass while their spans fit into a token bucket.
type RateLimitingConfig struct {
	SpansPerSecond int64 `mapstructure:"spans_per_second"`
	// BurstCapacity is the size of the bucket and so the largest trace that can pass. Default twice SpansPerSecond.
	BurstCapacity int64 `mapstructure:"burst_capacity"`
}

// BytesLimitingConfig lets traces pass while their size as OTLP protobuf fits into a token bucket.
type BytesLimitingConfig struct {
	BytesPerSecond int64 `mapstructure:"bytes_per_second"`
	// BurstCapacity is the size of the bucket and so the largest trace that can pass. Default twice BytesPerSecond.
	BurstCapacity int64 `mapstructure:"burst_capacity"`
}

// SpanCountConfig asks the number of spans received.
type SpanCountConfig struct {
	MinSpans int32 `mapstructure:"min_spans"`
	// MaxSpans is the largest number that still matches. Default 0: no upper bound.
	MaxSpans int32 `mapstructure:"max_spans"`
}

// TraceStateConfig asks for a span whose W3C tracestate holds one of the values under the key.
type TraceStateConfig struct {
	Key    string   `mapstructure:"key"`
	Values []string `mapstructure:"values"`
}

// BooleanAttributeConfig asks for a span or resource attribute with the given value. An attribute that is no boolean
// counts as false.
type BooleanAttributeConfig struct {
	Key   string `mapstructure:"key"`
	Value bool   `mapstructure:"value"`
	// InvertMatch asks that no span and no resource has such an attribute. Default false.
	InvertMatch bool `mapstructure:"invert_match"`
}

// OTTLConditionConfig asks for a span or span event for which one of the OTTL conditions holds.
type OTTLConditionConfig struct {
	// ErrorMode says what an error in a condition means: `propagate` ends the evaluation of the policy with an error,
	// `ignore` logs it and asks the next condition, `silent` asks the next condition. Default silent, as in contrib.
	ErrorMode           ottl.ErrorMode `mapstructure:"error_mode"`
	SpanConditions      []string       `mapstructure:"span"`
	SpanEventConditions []string       `mapstructure:"spanevent"`
}
