package policy

// Certain reports whether no span still to come can change the outcome of the trace, and then what it is. It counts
// nothing, asks no extension and spends nothing: take the decision itself with Decide, which then returns the same.
//
// Only the outcome, and with UseTraceState the threshold, are certain; Policy names a policy that brings the outcome
// about, where Decide may find an earlier one. With RecordPolicy the whole verdict is certain.
func (p *Program) Certain(t *Trace) (Verdict, bool) {
	if p.strategy == SpanIngest {
		return Verdict{}, false // DecideIngest decides about each batch anew
	}
	if v, certain, decisive := p.foreseeRules(t); decisive {
		return v, certain
	}
	drops := p.foresee(p.rules, p.drops, t)
	switch {
	case drops.sure >= 0 && (!p.recordPolicy || drops.sure == drops.first):
		return Verdict{Outcome: Dropped, Policy: drops.sure, SubPolicy: -1}, true
	case drops.first >= 0:
		return Verdict{}, false
	}
	rest := p.foresee(p.drops, len(p.policies), t)
	switch {
	case rest.open:
		return Verdict{}, false
	case rest.first < 0:
		return Verdict{Policy: -1, SubPolicy: -1}, true
	case rest.sure < 0 || !p.verdictCertain(&rest):
		return Verdict{}, false
	}
	return Verdict{Outcome: Sampled, Policy: rest.sure, SubPolicy: -1, HasThreshold: p.useTraceState}, true
}

// foreseeRules returns the verdict of the rules if all that may decide would decide alike. decisive is false if none may.
func (p *Program) foreseeRules(t *Trace) (verdict Verdict, certain, decisive bool) {
	for i := range p.rules {
		may := p.policies[i].possible(t)
		if may&mayYes == 0 || p.policies[i].dryRun {
			continue
		}
		a, ok := p.policies[i].expr.(*rule).then.foresee(t)
		if !ok {
			return Verdict{}, false, true
		}
		v := ruleVerdict(i, a)
		if decisive && !p.alike(verdict, v) {
			return Verdict{}, false, true
		}
		verdict, decisive = v, true
		if may == mayYes {
			return v, true, true
		}
	}
	return Verdict{}, false, decisive
}

// alike reports whether two verdicts differ in no more than a reason that nobody records.
func (p *Program) alike(a, b Verdict) bool {
	if !p.recordPolicy {
		a.Policy = b.Policy
	}
	return a == b
}

// foresight is what is known of a range of policies.
type foresight struct {
	first int32 // the first policy that may say yes, -1 if none
	sure  int32 // the first that certainly does, exactly if thresholds matter; -1 if none
	open  bool  // an extension may overrule
	sub   bool  // a composite may say yes
}

func (p *Program) foresee(from, to int, t *Trace) foresight {
	f := foresight{first: -1, sure: -1}
	for i := from; i < to; i++ {
		policy := &p.policies[i]
		if policy.dryRun {
			continue
		}
		v := policy.possible(t)
		if v&mayOther != 0 {
			f.open = true
			return f
		}
		if v&mayYes == 0 {
			continue
		}
		if f.first < 0 {
			f.first = int32(i)
		}
		f.sub = f.sub || policy.typ == Composite
		if v != mayYes {
			continue
		}
		if f.sure < 0 && (!p.useTraceState || policy.exact()) {
			f.sure = int32(i)
		}
		if p.firstMatch {
			return f // nobody after it is asked
		}
	}
	return f
}

// verdictCertain reports whether the rest of a verdict to sample is as certain as the outcome, as far as it matters: the
// threshold of the first match, or the reason.
func (p *Program) verdictCertain(f *foresight) bool {
	if p.recordPolicy && (f.sub || f.sure != f.first) {
		return false
	}
	// The least threshold of all matches is that of an exact one, 0; the first match's only if it is the exact one.
	return !p.useTraceState || !p.firstMatch || f.sure == f.first
}
