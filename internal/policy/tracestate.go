package policy

import (
	"hash/maphash"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"

	"github.com/tailgate-otel/tailgate/internal/probability"
)

// traceStates reads tracestates: their sampling information, and what trace_state policies ask. The latter goes through
// OpenTelemetry's parser, whose idea of validity these policies have in contrib; it allocates, so its answers are
// remembered. The spans of a trace mostly carry the same tracestate, often with a randomness of its own, so memory may
// be short: a fixed table in which a newcomer takes the place of what stood there.
type traceStates struct {
	tests   []traceStateTest
	seed    maphash.Seed
	entries []atomic.Pointer[traceStateBits] // empty if there are no tests
}

// traceStateEntries and maxTraceStateLength bound the table to 1 MiB of strings. W3C limits a tracestate that must be
// propagated to 512 bytes.
const (
	traceStateEntries   = 1024
	maxTraceStateLength = 1024
)

type traceStateBits struct {
	raw  string
	bits []maskedWord
}

func newTraceStates(tests []traceStateTest) *traceStates {
	t := &traceStates{tests: tests, seed: maphash.MakeSeed()}
	if len(tests) > 0 {
		t.entries = make([]atomic.Pointer[traceStateBits], traceStateEntries)
	}
	return t
}

func (t *traceStates) fold(f *Facts, bits []uint64, raw string) {
	if info, err := probability.ParseTraceState(raw); err == nil {
		f.foldSampling(&info)
	}
	if len(t.tests) > 0 {
		apply(t.lookUp(raw).bits, bits)
	}
}

// foldSampling takes the randomness and the weight of the first spans that say something about them.
func (f *Facts) foldSampling(info *probability.Info) {
	if info.HasRV && f.Flags&FlagRandomness == 0 {
		f.Randomness = info.RV
		f.Flags |= FlagRandomness | FlagSamplingInfo
	}
	if info.HasTH && f.Weight == 0 {
		f.Weight = float32(info.AdjustedCount())
	}
	if info.HasTH {
		f.Flags |= FlagSamplingInfo
	}
}

func (t *traceStates) lookUp(raw string) *traceStateBits {
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

func (t *traceStates) parse(raw string) *traceStateBits {
	s := &traceStateBits{raw: raw}
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
