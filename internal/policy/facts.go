package policy

import (
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/probability"
)

// Kind is the type of an attribute's value, as far as a policy can tell.
type Kind uint8

const (
	KindOther Kind = iota // double, bytes, map, slice, empty
	KindStr
	KindBool
	KindInt
)

// Value is an attribute's value. Str need only be valid during the call it is passed to.
type Value struct {
	Kind Kind
	Str  string
	Int  int64 // a bool is 0 or 1
}

// The readings of a value of another kind are zero, as those of pdata are.

func (v Value) asStr() string {
	if v.Kind != KindStr {
		return ""
	}
	return v.Str
}

func (v Value) asInt() int64 {
	if v.Kind != KindInt {
		return 0
	}
	return v.Int
}

func (v Value) asBool() bool { return v.Kind == KindBool && v.Int != 0 }

// Flags of [Facts].
const (
	FlagRoot         uint32 = 1 << iota // a span without parent arrived
	FlagSamplingInfo                    // a span's tracestate carries OpenTelemetry sampling information (th or rv)
	FlagRandomness                      // Facts.Randomness is an explicit rv
	flagTimed                           // MaxDuration is set
)

// Facts are what policies know of a trace beside its bits. They are the caller's to keep; the zero value is a trace
// without spans. 56 bytes and no pointer, so that a table of them costs the garbage collector nothing.
type Facts struct {
	Spans uint32 // spans received; Fold adds
	Flags uint32
	// Bytes is the sum of the OTLP sizes of the fragments received, each a ResourceSpans with spans of this trace alone.
	// The caller adds.
	Bytes uint64
	// Overhead is what the fragments cost more as a whole request: for each 1 + the length of its size as a varint. The
	// caller adds.
	Overhead uint32
	// Weight is how many traces this one stands for as it arrived: the adjusted count of the first span whose tracestate
	// has a th, 0 if none has.
	Weight float32
	// MinStart and MaxEnd are folded in order of arrival, 0 standing for unset, as contrib does it: a span that starts at
	// 0 makes the trace forget its start. MaxDuration is the largest difference, in nanoseconds, after any span.
	MinStart, MaxEnd uint64
	MaxDuration      int64
	Randomness       uint64 // the rv, 56 bits, of the first span that has one
}

// Span is what Fold needs of a span. TraceState need only be valid during the call.
type Span struct {
	Start, End uint64
	Status     int32
	Flags      uint32
	TraceState string
	Root       bool
}

// Trace is a trace to be decided. Nothing of it is kept.
type Trace struct {
	ID    [16]byte
	Facts *Facts
	Bits  []uint64 // Program.Words() of them
	// Spans decodes the trace, fragment by fragment in order of arrival. It is called at most once per decision, and only
	// if an extension's evaluator must be asked, or a rule's sampler and Fields is not set.
	Spans func() ptrace.Traces
	// Fields calls yield with what the keys of rules' samplers are built from, in any order and repetition: every attribute
	// of every resource and span, and for each span its name under SpanName and the number of its status code under
	// SpanStatus. isRoot says that it belongs to the root span or to the resource of the root span. Optional: a caller sets
	// it who can do better than to decode all spans.
	Fields func(yield func(isRoot, resource bool, key string, v Value))
}

// Fields that are no attributes.
const (
	SpanName   = "span.name"
	SpanStatus = "span.status_code"
)

// randomness is what consistent samplers compare with a threshold: the explicit rv, or else the end of the trace id.
func (t *Trace) randomness() uint64 {
	if t.Facts.Flags&FlagRandomness != 0 {
		return t.Facts.Randomness
	}
	return probability.Randomness(t.ID)
}

// Outcome is what becomes of a trace.
type Outcome uint8

const (
	NotSampled Outcome = iota
	Sampled
	Dropped
)

func (o Outcome) String() string {
	return [...]string{"not_sampled", "sampled", "dropped"}[o]
}

// Verdict is a decision and its reason.
type Verdict struct {
	Outcome Outcome
	// Policy is the index in Program.Names of the policy that sampled or dropped the trace, or of the rule that decided,
	// -1 if none did.
	Policy int32
	// SubPolicy is the index in Program.SubNames of the composite's condition that let the trace pass, -1 if none did. As
	// in contrib the last composite to sample counts, even if another policy has the final word. Only set with
	// Settings.RecordPolicy.
	SubPolicy int32
	// Threshold is the sampling threshold to write as `th` on the spans of a sampled trace, 56 bits; 1<<56 means never.
	Threshold    uint64
	HasThreshold bool
}
