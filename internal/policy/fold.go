package policy

import "math"

// spanBits are the bits that a span's own fields turn on, by the values they ask for.
type spanBits struct {
	status  [3][]maskedWord // by status code
	sampled []maskedWord    // the sampled flag of the trace flags
}

const traceFlagSampled = 1

// Fold adds a span to the facts and bits of its trace: count, times, status, trace flags, tracestate and root. Its
// attributes and resource are applied apart. Spans must come in order of arrival. It allocates nothing.
func (p *Program) Fold(f *Facts, bits []uint64, s *Span) {
	f.Spans++
	f.foldTimes(s.Start, s.End)
	if s.Root {
		f.Flags |= FlagRoot
	}
	if uint32(s.Status) < uint32(len(p.spanBits.status)) {
		apply(p.spanBits.status[s.Status], bits)
	}
	if s.Flags&traceFlagSampled != 0 {
		apply(p.spanBits.sampled, bits)
	}
	if p.traceStates != nil && s.TraceState != "" {
		p.traceStates.fold(f, bits, s.TraceState)
	}
}

func apply(words []maskedWord, bits []uint64) {
	for _, w := range words {
		bits[w.word] |= w.mask
	}
}

// foldTimes widens the trace by a span. contrib asks its latency policy after each span, so what counts is the largest
// duration after any of them; it can be negative when spans end before they start.
func (f *Facts) foldTimes(start, end uint64) {
	if f.MinStart == 0 || start < f.MinStart {
		f.MinStart = start
	}
	if f.MaxEnd == 0 || end > f.MaxEnd {
		f.MaxEnd = end
	}
	d := saturatingSub(int64(f.MaxEnd), int64(f.MinStart))
	if d > f.MaxDuration || f.Flags&flagTimed == 0 {
		f.MaxDuration = d
		f.Flags |= flagTimed
	}
}

// saturatingSub subtracts as time.Time.Sub does. Timestamps of 1<<63 ns and more are negative to it, as they are to
// pdata's conversion.
func saturatingSub(a, b int64) int64 {
	d := a - b
	switch {
	case a >= 0 && b < 0 && d < 0:
		return math.MaxInt64
	case a < 0 && b > 0 && d >= 0:
		return math.MinInt64
	}
	return d
}
