package policy

import (
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Decide takes the decision about one trace, counts it, and spends what limiters grant.
func (p *Program) Decide(now time.Time, t *Trace) Verdict {
	ev := p.begin(now)
	defer p.end(ev)
	c := p.counters.of(t)
	v, decided := p.askFirst(ev, t, c)
	if decided {
		return v
	}
	if p.cutSlots > 0 {
		ev.alone[0] = *t
		ev.open = append(ev.open[:0], 0)
		p.cut(ev, ev.alone[:])
	}
	return p.ask(ev, t, c)
}

// DecideBatch decides traces that are due at the same time and stores the verdicts by index. It is Decide for each, but
// that limiters that go by tracestate find one threshold for the whole batch.
func (p *Program) DecideBatch(now time.Time, batch []Trace, verdicts []Verdict) {
	ev := p.begin(now)
	defer p.end(ev)
	ev.open = ev.open[:0]
	for i := range batch {
		v, decided := p.askFirst(ev, &batch[i], p.counters.of(&batch[i]))
		if decided {
			verdicts[i] = v
			continue
		}
		ev.open = append(ev.open, int32(i))
	}
	if p.cutSlots > 0 {
		p.cut(ev, batch)
	}
	for _, i := range ev.open {
		verdicts[i] = p.ask(ev, &batch[i], p.counters.of(&batch[i]))
	}
}

func (p *Program) begin(now time.Time) *evaluation {
	ev := p.evaluations.Get().(*evaluation)
	ev.now = now
	return ev
}

// end returns ev to the pool without what belongs to the caller.
func (p *Program) end(ev *evaluation) {
	ev.trace, ev.alone[0], ev.spans = Trace{}, Trace{}, ptrace.Traces{}
	p.evaluations.Put(ev)
}

// cut lets the limiters that decide about batches see the traces of ev.open.
func (p *Program) cut(ev *evaluation, batch []Trace) {
	for _, policy := range p.policies[p.drops:] {
		if b, ok := needsBatch(policy.expr); ok {
			b.cut(ev, batch, ev.open)
		}
	}
}

// askFirst asks those who need not wait for others: the rules, then the drop policies. It reports whether one decided.
func (p *Program) askFirst(ev *evaluation, t *Trace, c tally) (Verdict, bool) {
	ev.reset(t)
	for i := range p.rules {
		a := p.evaluate(i, ev, c)
		if a.vote == abstain || a.vote == failed || p.policies[i].dryRun {
			continue
		}
		return ruleVerdict(i, a), true
	}
	for i := p.rules; i < p.drops; i++ {
		if a := p.evaluate(i, ev, c); a.vote == drop && !p.policies[i].dryRun {
			return Verdict{Outcome: Dropped, Policy: int32(i), SubPolicy: -1}, true
		}
	}
	return Verdict{}, false
}

// ruleVerdict is what a rule decided: always with a threshold, since the trace passed by it or would have.
func ruleVerdict(i int, a answer) Verdict {
	v := Verdict{Outcome: outcomes[a.vote], Policy: int32(i), SubPolicy: -1}
	if v.Outcome == Sampled {
		v.Threshold, v.HasThreshold = a.threshold, true
	}
	return v
}

// ask asks the other policies.
func (p *Program) ask(ev *evaluation, t *Trace, c tally) Verdict {
	ev.reset(t)
	var b ballot
	for i := p.drops; i < len(p.policies); i++ {
		if p.policies[i].dryRun {
			sub := ev.sub
			p.evaluate(i, ev, c)
			ev.sub = sub
			continue
		}
		a := p.evaluate(i, ev, c)
		b.add(i, a)
		if a.vote == drop || a.vote == yes && p.firstMatch {
			break
		}
	}
	return p.verdict(&b, ev.sub)
}

// evaluate asks one policy and counts its vote.
func (p *Program) evaluate(i int, ev *evaluation, c tally) answer {
	if !c.timed {
		a := p.policies[i].eval(ev)
		c.count(i, a, ev.trace.Facts)
		return a
	}
	start := time.Now()
	a := p.policies[i].eval(ev)
	c.spent(i, time.Since(start))
	c.count(i, a, ev.trace.Facts)
	return a
}

// ballot collects the votes of policies.
type ballot struct {
	cast  [failed + 1]bool
	first [failed + 1]int32 // the first policy with each vote
	least threshold         // of all that said yes
}

func (b *ballot) add(policy int, a answer) {
	if a.vote == yes && (!b.cast[yes] || a.threshold < b.least) {
		b.least = a.threshold
	}
	if !b.cast[a.vote] {
		b.cast[a.vote] = true
		b.first[a.vote] = int32(policy)
	}
}

// verdict weighs the votes: drop before inverted no before yes before inverted yes, and the last only if nobody said no.
func (p *Program) verdict(b *ballot, sub int32) Verdict {
	v := Verdict{Policy: -1, SubPolicy: -1}
	switch {
	case b.cast[drop]:
		v.Outcome, v.Policy = Dropped, b.first[drop]
	case b.cast[invertedNo]:
	case b.cast[yes]:
		v.Outcome, v.Policy = Sampled, b.first[yes]
	case b.cast[invertedYes] && !b.cast[no]:
		v.Outcome, v.Policy = Sampled, b.first[invertedYes]
	}
	if v.Outcome != Sampled {
		return v
	}
	if p.recordPolicy {
		v.SubPolicy = sub
	}
	if p.useTraceState && b.cast[yes] {
		v.Threshold, v.HasThreshold = b.least, true
	}
	return v
}
