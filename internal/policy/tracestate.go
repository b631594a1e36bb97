package policy

import (
	"hash/maphash"
	"strings"
	"sync/atomic"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"go.opentelemetry.io/otel/trace"
)

// traceStates remembers what tracestates mean. The spans of a trace mostly carry the same one, often with a randomness of
// its own, so memory is short: a fixed table in which a newcomer takes the place of what stood there.
type traceStates struct {
	seed    maphash.Seed
	entries [traceStateEntries]atomic.Pointer[traceStateFacts]
	tests   []traceStateTest
}

// traceStateEntries and maxTraceStateLength bound the table to 1 MiB of strings. W3C limits a tracestate that must be
// propagated to 512 bytes.
const (
	traceStateEntries   = 1024
	maxTraceStateLength = 1024
)

type traceStateFacts struct {
	raw        string
	flags      uint32
	randomness uint64
	bits       []maskedWord
}

func newTraceStates(tests []traceStateTest) *traceStates {
	return &traceStates{seed: maphash.MakeSeed(), tests: tests}
}

func (t *traceStates) fold(f *Facts, bits []uint64, raw string) {
	s := t.lookUp(raw)
	if s.flags&FlagRandomness != 0 && f.Flags&FlagRandomness == 0 {
		f.Randomness = s.randomness
	}
	f.Flags |= s.flags
	apply(s.bits, bits)
}

func (t *traceStates) lookUp(raw string) *traceStateFacts {
	if len(raw) > maxTraceStateLength {
		return t.parse(raw)
	}
	slot := &t.entries[maphash.String(t.seed, raw)%traceStateEntries]
	if s := slot.Load(); s != nil && s.raw == raw {
		return s
	}
	s := t.parse(strings.Clone(raw))
	slot.Store(s)
	return s
}

// parse reads a tracestate twice, by the two parsers whose ideas of validity contrib's policies have.
func (t *traceStates) parse(raw string) *traceStateFacts {
	s := &traceStateFacts{raw: raw}
	if w3c, err := sampling.NewW3CTraceState(raw); err == nil {
		ot := w3c.OTelValue()
		if rv, ok := ot.RValueRandomness(); ok {
			s.randomness = rv.Unsigned()
			s.flags |= FlagRandomness | FlagSamplingInfo
		}
		if _, ok := ot.TValueThreshold(); ok {
			s.flags |= FlagSamplingInfo
		}
	}
	if len(t.tests) == 0 {
		return s
	}
	ts, err := trace.ParseTraceState(raw)
	if err != nil {
		return s
	}
	for _, test := range t.tests {
		if _, ok := test.values[ts.Get(test.key)]; ok {
			s.bits = append(s.bits, maskedWord{test.bit.word, test.bit.mask})
		}
	}
	return s
}
