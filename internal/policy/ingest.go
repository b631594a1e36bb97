package policy

import "time"

// DecideIngest asks about one arriving batch of a trace's spans, for the strategy SpanIngest. The bits and times of t are
// those of the batch alone; the spans and bytes of its facts, as in contrib, those of the trace so far.
//
// final says that the verdict stands: dropped, or sampled with no drop policy configured that spans to come could still
// satisfy. A sampled verdict that is not final means: keep the trace at the end of its wait, unless it is dropped before.
// All other verdicts only say that this batch decides nothing.
//
// Every policy up to the one that decides is counted, for each batch.
func (p *Program) DecideIngest(now time.Time, t *Trace) (v Verdict, final bool) {
	ev := p.begin(now)
	defer p.end(ev)
	c := p.counters.of(t)
	ev.reset(t)
	v = Verdict{Policy: -1, SubPolicy: -1}
	dropPending := false
	for i := range p.policies {
		a := p.evaluate(i, ev, c)
		if p.policies[i].dryRun {
			continue
		}
		switch {
		case a.vote == drop:
			return Verdict{Outcome: Dropped, Policy: int32(i), SubPolicy: -1}, true
		case i < p.drops:
			dropPending = dropPending || a.vote != failed
		case a.vote == yes:
			v.Outcome, v.Policy = Sampled, int32(i)
			if p.recordPolicy {
				v.SubPolicy = ev.sub
			}
			if p.useTraceState {
				v.Threshold, v.HasThreshold = a.threshold, true
			}
			return v, !dropPending
		}
	}
	return v, false
}
