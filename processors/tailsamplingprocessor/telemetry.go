package tailsamplingprocessor

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/internal/engine"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/internal/metadata"
)

// telemetry reports what the lanes counted. The lanes count with plain numbers under their locks; once a second the
// differences go to the instruments, all from one look, so that the balance of spans holds in every export.
type telemetry struct {
	builder *metadata.TelemetryBuilder
	sampler *sampler
	prefix  string // of policy names: the processor's name, as contrib writes it

	retries     atomic.Uint64
	unparseable atomic.Uint64
	damaged     atomic.Uint64
	refused     [refusals]atomic.Uint64
	reloads     [reloadOutcomes]atomic.Uint64

	mu      sync.Mutex // guards what was reported last
	last    map[*instrument]int64
	series  map[string]*instrument
	program *policy.Program
	epoch   string // of the program, part of the names of its series: each starts counting at 0
}

// instrument is one series: where differences go, and its attributes.
type instrument struct {
	add   func(ctx context.Context, incr int64, options ...metric.AddOption)
	attrs metric.MeasurementOption
}

type reloadOutcome int

const (
	reloadDone reloadOutcome = iota
	reloadFailed
	reloadOutcomes int = iota
)

type refusal int

const (
	refusedMemory refusal = iota
	refusedTraces
	refusals int = iota
)

func refusalOf(err error) refusal {
	if errors.Is(err, engine.ErrTooManyTraces) {
		return refusedTraces
	}
	return refusedMemory
}

func newTelemetry(set component.TelemetrySettings) (*telemetry, error) {
	b, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, err
	}
	return &telemetry{builder: b, last: map[*instrument]int64{}, series: map[string]*instrument{}}, nil
}

func (t *telemetry) begin(p *sampler, program *policy.Program) {
	t.sampler, t.program = p, program
	if name := p.set.ID.Name(); name != "" {
		t.prefix = name + "."
	}
}

// setProgram reports the last of the old program and goes on with p.
func (t *telemetry) setProgram(p *policy.Program) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.policies()
	t.program = p
	t.epoch += "+"
}

func (t *telemetry) currentProgram() *policy.Program {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.program
}

func (t *telemetry) shutdown() { t.builder.Shutdown() }

func (t *telemetry) refuse(r refusal, spans int) { t.refused[r].Add(uint64(spans)) }

// decided records one round of decisions under a lane's lock.
func (t *telemetry) decided(d time.Duration) {
	t.builder.ProcessorTailSamplingSamplingDecisionTimerLatency.Record(context.Background(), d.Milliseconds())
}

// report brings a series to its new cumulative, or momentary, value.
func (t *telemetry) report(c interface {
	Add(ctx context.Context, incr int64, options ...metric.AddOption)
}, name string, value int64, attrs ...attribute.KeyValue) {
	for _, a := range attrs {
		name += "\x00" + a.Value.String()
	}
	s := t.series[name]
	if s == nil {
		s = &instrument{add: c.Add, attrs: metric.WithAttributes(attrs...)}
		t.series[name] = s
		s.add(context.Background(), 0, s.attrs) // a rate needs to see where the first jump came from
	}
	if diff := value - t.last[s]; diff != 0 {
		t.last[s] = value
		s.add(context.Background(), diff, s.attrs)
	}
}

// flush reports everything.
func (t *telemetry) flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	sum := t.lookAnd((*engine.Shard).ResetAges)
	t.spans(sum)
	t.traces(sum)
	t.held(sum)
	t.policies()
	t.ages(sum)
}

// totals is all lanes together.
type totals struct {
	engine.Stats
	usage                      engine.Usage
	delivered, failed, rescued uint64
}

// held is the spans of open traces, and of kept ones on their way.
func (s *totals) held() int64 { return s.SpansHeld + int64(s.SpansKept+s.rescued-s.delivered-s.failed) }

// look adds up the lanes. Each lane is looked at under its lock, so that its own balance holds, and with it the sum's.
func (t *telemetry) look() *totals { return t.lookAnd(func(*engine.Shard) {}) }

// lookAnd does something with each shard after it was looked at, under the same lock.
func (t *telemetry) lookAnd(do func(*engine.Shard)) *totals {
	p := t.sampler
	sum := &totals{}
	for _, l := range p.lanes {
		l.mu.Lock()
		sum.Add(l.shard.Stats())
		do(l.shard)
		sum.usage.Add(l.shard.Usage(p.now().Mono))
		sum.delivered += l.delivered.Load()
		sum.failed += l.failed.Load()
		sum.rescued += l.rescued.Load()
		l.mu.Unlock()
	}
	return sum
}

func (t *telemetry) spans(s *totals) {
	b := t.builder
	t.report(b.ProcessorTailSamplingSpansReceived, "received", int64(s.SpansIn))
	t.report(b.ProcessorTailSamplingSpansRecovered, "recovered", int64(s.SpansRecovered))
	t.report(b.ProcessorTailSamplingSpansKept, "kept", int64(s.delivered))
	t.report(b.ProcessorTailSamplingSpansFailed, "failed", int64(s.failed))
	t.report(b.ProcessorTailSamplingSpansHeld, "held", s.held())
	t.report(b.ProcessorTailSamplingSpansRescued, "rescued", int64(s.rescued))
	for r := range engine.DropReasons {
		t.report(b.ProcessorTailSamplingSpansDropped, "dropped", int64(s.SpansDropped[r]),
			attribute.String("reason", engine.DropReason(r).String()))
	}
	t.report(b.ProcessorTailSamplingSpansRefused, "refused", int64(t.refused[refusedMemory].Load()), attribute.String("reason", "memory"))
	t.report(b.ProcessorTailSamplingSpansRefused, "refused", int64(t.refused[refusedTraces].Load()), attribute.String("reason", "num_traces"))
	t.report(b.ProcessorTailSamplingLateSpans, "late", int64(s.SpansLateKept), attribute.String("outcome", "kept"))
	t.report(b.ProcessorTailSamplingLateSpans, "late", int64(s.SpansLateDropped), attribute.String("outcome", "dropped"))
	t.report(b.ProcessorTailSamplingLateSpans, "late", int64(s.SpansRescued), attribute.String("outcome", "rescued"))
	if cache := t.sampler.cfg.DecisionCache; cache.SampledCacheSize > 0 {
		t.report(b.ProcessorTailSamplingEarlyReleasesFromCacheDecision, "released", int64(s.SpansLateKept), attribute.String("sampled", "true"))
	}
	if cache := t.sampler.cfg.DecisionCache; cache.NonSampledCacheSize > 0 {
		t.report(b.ProcessorTailSamplingEarlyReleasesFromCacheDecision, "released", int64(s.SpansLateDropped), attribute.String("sampled", "false"))
	}
	t.report(b.ProcessorTailSamplingCountSpansWithUnparseableTracestate, "unparseable", int64(t.unparseable.Load()))
	t.report(b.ProcessorTailSamplingDeliveryRetries, "retries", int64(t.retries.Load()))
	t.report(b.ProcessorTailSamplingPolicyReloads, "reloads", int64(t.reloads[reloadDone].Load()), attribute.String("outcome", "success"))
	t.report(b.ProcessorTailSamplingPolicyReloads, "reloads", int64(t.reloads[reloadFailed].Load()), attribute.String("outcome", "failure"))
	t.report(b.ProcessorTailSamplingDamagedSegments, "damaged", int64(t.damaged.Load()))
}

func outcomeAttributes(o policy.Outcome) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("sampled", strconv.FormatBool(o == policy.Sampled)),
		attribute.String("decision", o.String()),
	}
}

var outcomes = []policy.Outcome{policy.NotSampled, policy.Sampled, policy.Dropped}

func (t *telemetry) traces(s *totals) {
	b := t.builder
	for _, o := range outcomes {
		t.report(b.ProcessorTailSamplingGlobalCountTracesSampled, "global", int64(s.Decided[o].Traces), outcomeAttributes(o)...)
	}
	for r := range engine.Reasons {
		t.report(b.ProcessorTailSamplingDecisions, "decisions", int64(s.DecidedFor[r]), attribute.String("reason", engine.Reason(r).String()))
	}
	t.report(b.ProcessorTailSamplingNewTraceIDReceived, "new", int64(s.NewTraces))
	t.report(b.ProcessorTailSamplingTracesDroppedTooLarge, "toolarge", int64(s.TracesTooLarge))
	t.report(b.ProcessorTailSamplingTracesRecovered, "tracesrecovered", int64(s.TracesRecovered))
	if !t.begun("early") { // a counter that never moves is still there to be looked at
		b.ProcessorTailSamplingSamplingTraceDroppedTooEarly.Add(context.Background(), 0)
	}
}

// begun reports whether name was asked for before.
func (t *telemetry) begun(name string) bool {
	_, was := t.series[name]
	t.series[name] = nil
	return was
}

func (t *telemetry) held(s *totals) {
	b, p, ctx := t.builder, t.sampler, context.Background()
	b.ProcessorTailSamplingSamplingTracesOnMemory.Record(ctx, s.TracesOpen)
	b.ProcessorTailSamplingOldestTraceAge.Record(ctx, int64(s.usage.OldestAge/time.Second))
	t.report(b.ProcessorTailSamplingTracesLimit, "limit", int64(p.cfg.NumTraces))
	t.report(b.ProcessorTailSamplingBufferLimit, "bufferlimit", int64(p.cfg.MaxBuffer))
	t.report(b.ProcessorTailSamplingBufferSize, "buffer", s.usage.Log, attribute.String("part", "log"))
	t.report(b.ProcessorTailSamplingBufferSize, "buffer", s.usage.Index, attribute.String("part", "index"))
	t.report(b.ProcessorTailSamplingBufferSize, "buffer", s.usage.Memory, attribute.String("part", "decisions"))
	t.report(b.ProcessorTailSamplingDecisionsRemembered, "remembered", int64(s.usage.Kept), attribute.String("sampled", "true"))
	t.report(b.ProcessorTailSamplingDecisionsRemembered, "remembered", int64(s.usage.Dropped), attribute.String("sampled", "false"))
}

func (t *telemetry) policies() {
	b := t.builder
	errs := uint64(0)
	for s := range t.program.Stats {
		name := attribute.String("policy", t.prefix+s.Name)
		for _, o := range outcomes {
			c := s.Counts[o]
			if c.Traces == 0 && o == policy.Dropped {
				continue
			}
			attrs := append([]attribute.KeyValue{name}, outcomeAttributes(o)...)
			t.report(b.ProcessorTailSamplingCountTracesSampled, "policytraces"+t.epoch, int64(c.Traces), attrs...)
			if gateCountSpans.enabled() {
				t.report(b.ProcessorTailSamplingCountSpansSampled, "policyspans"+t.epoch, int64(c.Spans), attrs...)
			}
			if gateCountBytes.enabled() {
				t.report(b.ProcessorTailSamplingCountBytesSampled, "policybytes"+t.epoch, int64(c.Bytes), attrs...)
			}
		}
		t.report(b.ProcessorTailSamplingSamplingPolicyExecutionCount, "executions"+t.epoch, int64(s.Executions), name)
		t.report(b.ProcessorTailSamplingSamplingPolicyExecutionTimeSum, "executiontime"+t.epoch, s.ExecutionTime.Microseconds(), name)
		errs += s.Errors
	}
	t.report(b.ProcessorTailSamplingSamplingPolicyEvaluationError, "errors"+t.epoch, int64(errs))
}

func (t *telemetry) ages(s *totals) {
	ctx := context.Background()
	for seconds := range s.Ages {
		for range s.Ages[seconds] {
			t.builder.ProcessorTailSamplingSamplingTraceRemovalAge.Record(ctx, int64(seconds))
		}
		for range s.LateAges[seconds] {
			t.builder.ProcessorTailSamplingSamplingLateSpanAge.Record(ctx, int64(seconds))
		}
	}
}
