package tailsamplingprocessor

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/confmap"

	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/quantity"
)

// Config is contrib 0.161.0's configuration of tail_sampling, and below it what only this processor has.
type Config struct {
	// DecisionWait is how long a trace stays open after its first span. Longer waits catch more late spans and hold more
	// memory: spans/s x DecisionWait x about 130 bytes. Default 30s; must be positive.
	DecisionWait time.Duration `mapstructure:"decision_wait"`
	// DecisionWaitAfterRootReceived is how long a trace stays open after its root span, if that ends sooner. Default 0:
	// not used.
	DecisionWaitAfterRootReceived time.Duration `mapstructure:"decision_wait_after_root_received"`
	// NumTraces is how many traces may be open. When one more arrives the oldest is decided early on what is known of it
	// (contrib drops it undecided). Default 50000, or no limit if max_buffer is set; 0: no limit.
	NumTraces uint64 `mapstructure:"num_traces"`
	// BlockOnOverflow makes senders wait at num_traces instead of deciding the oldest trace early. Default false.
	BlockOnOverflow bool `mapstructure:"block_on_overflow"`
	// ExpectedNewTracesPerSec is accepted for compatibility. Nothing is allocated ahead.
	ExpectedNewTracesPerSec uint64 `mapstructure:"expected_new_traces_per_sec"`
	// Policies say which traces to keep; a trace that none samples is dropped.
	Policies []policy.Config `mapstructure:"policies"`
	// DecisionCache bounds what is remembered of decided traces, for late spans.
	DecisionCache DecisionCacheConfig `mapstructure:"decision_cache"`
	// TailStorage is accepted for compatibility and not used: see Storage.
	TailStorage *component.ID `mapstructure:"tail_storage"`
	// SampleOnFirstMatch stops asking policies at the first that samples. Default false.
	SampleOnFirstMatch bool `mapstructure:"sample_on_first_match"`
	// SamplingStrategy is trace-complete (default: ask once, about the whole trace) or span-ingest (ask about each
	// arriving batch alone).
	SamplingStrategy policy.Strategy `mapstructure:"sampling_strategy"`
	// DropPendingTracesOnShutdown drops open traces at shutdown instead of deciding them. Default false. Not used with
	// Storage, where they stay for the next start.
	DropPendingTracesOnShutdown bool `mapstructure:"drop_pending_traces_on_shutdown"`
	// MaximumTraceSizeBytes is the OTLP size above which a trace is not sampled. Default 0: no limit.
	MaximumTraceSizeBytes uint64 `mapstructure:"maximum_trace_size_bytes"`
	// NumShards is accepted for compatibility: spans are processed on the callers' goroutines, on as many lanes as there
	// are processors, and limits of policies are not divided. Default 1.
	NumShards uint32 `mapstructure:"num_shards"`

	// Rules are asked in order before the policies; the first whose conditions hold decides. See README.
	Rules []policy.RuleConfig `mapstructure:"rules"`
	// PoliciesFile names a file that holds policies and rules instead. It is looked at every 2 s; a changed file replaces
	// them without a restart, and open traces are decided by the new ones.
	PoliciesFile string `mapstructure:"policies_file"`
	// MaxBuffer bounds all memory that traces and decisions take. Default 1GiB: enough for 8 million spans; memory is
	// taken as it is needed.
	MaxBuffer quantity.Bytes `mapstructure:"max_buffer"`
	// RescueLateSpans brings a dropped trace back when spans that come late say for certain that it must be kept, an error
	// for example: they and what is left of the trace in the buffer are handed on. Default false: late spans follow the
	// decision, as in contrib.
	RescueLateSpans bool `mapstructure:"rescue_late_spans"`
	// RescueBuffer is how much of MaxBuffer may hold spans of traces that are decided already, so that a dropped trace can
	// be brought back. Default 64MiB, or an eighth of a small MaxBuffer; 0: none.
	RescueBuffer quantity.Bytes `mapstructure:"rescue_buffer"`
	// Storage keeps the buffer in files that survive the process. Default: in memory.
	Storage configoptional.Optional[StorageConfig] `mapstructure:"storage"`
	// AdaptiveWait shortens the wait of traces whose root has arrived to what was seen to be enough. Default: off.
	AdaptiveWait AdaptiveWaitConfig `mapstructure:"adaptive_wait"`
	// EarlyDecision keeps a trace as soon as no span to come could change that. Default false: policies' counts are those
	// of whole traces, as contrib's are.
	EarlyDecision bool `mapstructure:"early_decision"`
	// RecordDecision adds tailgate.sampling.policy, .rule and .probability to the root spans of kept traces. Default
	// false: spans leave as they came.
	RecordDecision bool `mapstructure:"record_decision"`
	// Delivery says how kept traces are handed to the next consumer.
	Delivery DeliveryConfig `mapstructure:"delivery"`
	// Overload says what to do when the buffer is full of kept traces that do not leave fast enough.
	Overload OverloadConfig `mapstructure:"overload"`
	// Debug answers questions about traces and policies over HTTP. Default: off.
	Debug DebugConfig `mapstructure:"debug"`
}

// DecisionCacheConfig bounds the memory of decisions.
type DecisionCacheConfig struct {
	// SampledCacheSize is how many kept traces are remembered, at 22 bytes each. Default 0: 200,000.
	SampledCacheSize int `mapstructure:"sampled_cache_size"`
	// NonSampledCacheSize is how many dropped traces are remembered, at 2.2 bytes each. Default 0: 2,000,000.
	NonSampledCacheSize int `mapstructure:"non_sampled_cache_size"`
	// TTL is how long a decision is remembered at least, if the sizes allow. Default 10m; 0: as long as the sizes allow.
	TTL time.Duration `mapstructure:"ttl"`
}

// StorageConfig keeps the buffer in files.
type StorageConfig struct {
	// Directory holds the files. It must exist or be creatable, and belongs to one processor alone.
	Directory string `mapstructure:"directory"`
	// OnFailure is what to do when the directory cannot be used at start: refuse (default: the collector does not start)
	// or memory (go on without, with a warning).
	OnFailure string `mapstructure:"on_failure"`
}

// AdaptiveWaitConfig shortens waits.
type AdaptiveWaitConfig struct {
	// Quantile is the share of traces that shall be complete when they are decided; waits after the root are learned per
	// service of the root from when last spans arrived. Default 0: off. For example 0.999.
	Quantile float64 `mapstructure:"quantile"`
	// Minimum is the shortest wait after the root. Default 1s.
	Minimum time.Duration `mapstructure:"minimum"`
	// IdleTimeout decides a trace whose root is there when no span has arrived for this long. Default 0: off.
	IdleTimeout time.Duration `mapstructure:"idle_timeout"`
}

// DeliveryConfig says how kept traces leave.
type DeliveryConfig struct {
	// BatchSpans is how many spans are handed on at once. Default 2048. A larger trace leaves in several batches.
	BatchSpans int `mapstructure:"batch_spans"`
	// Retry is the backoff after errors that are not permanent. Meanwhile kept traces wait in the buffer.
	Retry configretry.BackOffConfig `mapstructure:"retry"`
}

// OverloadConfig says what to do when the next consumer is too slow.
type OverloadConfig struct {
	// Mode is refuse, every request with a retryable error, or sample: take in traces that policies want for what is in
	// them, errors for example, and of the others as many as leave, chosen by their randomness, which th then tells. When
	// nothing leaves at all requests are refused in either mode. Default refuse, or sample if max_buffer is set.
	Mode string `mapstructure:"mode"`
}

// DebugConfig is the debug endpoint.
type DebugConfig struct {
	// Endpoint is where it listens, for example localhost:6831. Default "": off.
	Endpoint string `mapstructure:"endpoint"`
}

const (
	onFailureRefuse = "refuse"
	onFailureMemory = "memory"

	overloadRefuse = "refuse"
	overloadSample = "sample"

	defaultNumTraces = 50_000
	maxNumShards     = 256
	minBuffer        = 16 << 20 // two segments for each of eight lanes
)

func createDefaultConfig() component.Config {
	retry := configretry.NewDefaultBackOffConfig()
	return &Config{
		DecisionWait:     30 * time.Second,
		NumTraces:        defaultNumTraces,
		NumShards:        1,
		SamplingStrategy: policy.TraceComplete,
		DecisionCache:    DecisionCacheConfig{TTL: 10 * time.Minute},
		MaxBuffer:        1 << 30,
		RescueBuffer:     64 << 20,
		Storage:          configoptional.Default(StorageConfig{OnFailure: onFailureRefuse}),
		AdaptiveWait:     AdaptiveWaitConfig{Minimum: time.Second},
		Delivery:         DeliveryConfig{BatchSpans: 2048, Retry: retry},
		Overload:         OverloadConfig{Mode: overloadRefuse},
	}
}

// Unmarshal lifts the default limit of open traces when a limit in bytes is set: then that is meant to be the limit, and
// the mode of overload is that which makes the most of it; contrib's configurations never ask to lose anything. The default
// of rescue_buffer follows a small one.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	if err := conf.Unmarshal(c); err != nil {
		return err
	}
	if conf.IsSet("max_buffer") && !conf.IsSet("num_traces") {
		c.NumTraces = 0
	}
	if conf.IsSet("max_buffer") && !conf.IsSet("overload::mode") {
		c.Overload.Mode = overloadSample
	}
	if !conf.IsSet("rescue_buffer") {
		c.RescueBuffer = min(c.RescueBuffer, c.MaxBuffer/8)
	}
	return nil
}

// Validate reports everything that is wrong, each with its key.
func (c *Config) Validate() error {
	var errs []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(c.DecisionWait <= 0, "decision_wait: must be positive, got %s", c.DecisionWait)
	bad(c.DecisionWaitAfterRootReceived < 0, "decision_wait_after_root_received: must not be negative, got %s", c.DecisionWaitAfterRootReceived)
	bad(c.NumShards > maxNumShards, "num_shards: must be at most %d, got %d", maxNumShards, c.NumShards)
	bad(c.BlockOnOverflow && c.NumTraces == 0, "block_on_overflow: needs num_traces, which is 0 (no limit)")
	bad(c.DecisionCache.SampledCacheSize < 0, "decision_cache::sampled_cache_size: must not be negative, got %d", c.DecisionCache.SampledCacheSize)
	bad(c.DecisionCache.NonSampledCacheSize < 0, "decision_cache::non_sampled_cache_size: must not be negative, got %d", c.DecisionCache.NonSampledCacheSize)
	bad(c.DecisionCache.TTL < 0, "decision_cache::ttl: must not be negative, got %s", c.DecisionCache.TTL)
	bad(c.MaxBuffer < minBuffer, "max_buffer: must be at least 16MiB, got %d bytes", c.MaxBuffer)
	bad(c.RescueBuffer < 0 || c.RescueBuffer > c.MaxBuffer/2, "rescue_buffer: must be between 0 and half of max_buffer (%d bytes), got %d bytes", c.MaxBuffer, c.RescueBuffer)
	bad(c.AdaptiveWait.Quantile < 0 || c.AdaptiveWait.Quantile >= 1, "adaptive_wait::quantile: must be at least 0 (off) and below 1, for example 0.999, got %v", c.AdaptiveWait.Quantile)
	bad(c.AdaptiveWait.Minimum < 0, "adaptive_wait::minimum: must not be negative, got %s", c.AdaptiveWait.Minimum)
	bad(c.AdaptiveWait.IdleTimeout < 0, "adaptive_wait::idle_timeout: must not be negative, got %s", c.AdaptiveWait.IdleTimeout)
	bad(c.Delivery.BatchSpans <= 0, "delivery::batch_spans: must be positive, got %d", c.Delivery.BatchSpans)
	bad(c.Overload.Mode != overloadRefuse && c.Overload.Mode != overloadSample, "overload::mode: must be %s or %s, got %q", overloadRefuse, overloadSample, c.Overload.Mode)
	if s := c.Storage.Get(); s != nil {
		bad(s.Directory == "", "storage::directory: must be set")
		bad(s.OnFailure != onFailureRefuse && s.OnFailure != onFailureMemory, "storage::on_failure: must be %s or %s, got %q", onFailureRefuse, onFailureMemory, s.OnFailure)
	}
	if set, err := c.policySettings(); err != nil {
		errs = append(errs, err)
	} else {
		errs = append(errs, c.ofPolicies(set.Validate()))
	}
	return errors.Join(errs...)
}
