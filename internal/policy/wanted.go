package policy

// Wanted reports whether something in the trace that not every trace has makes rules or policies keep it, if nothing comes
// that speaks against it: an error has been seen, and errors are kept. It is what tells the traces that must not be lost
// from the others when there is no room for all. It counts nothing, asks no extension and spends nothing.
//
// A policy that keeps a share of traces, or all of them, wants none in particular.
func (p *Program) Wanted(t *Trace) bool {
	for i := range p.rules {
		if p.policies[i].dryRun || p.policies[i].possible(t) != mayYes {
			continue
		}
		return !p.policies[i].unconditional && p.policies[i].expr.(*rule).then == constant(yes)
	}
	for i := p.rules; i < p.drops; i++ {
		if !p.policies[i].dryRun && p.policies[i].possible(t) == mayYes {
			return false
		}
	}
	for i := p.drops; i < len(p.policies); i++ {
		c := &p.policies[i]
		if !c.dryRun && !c.unconditional && c.exact() && c.possible(t) == mayYes {
			return true
		}
	}
	return false
}

// findUnconditional notes which policies say yes, and rules decide, whatever the trace.
func (p *Program) findUnconditional() {
	nothing := Trace{Facts: &Facts{}, Bits: make([]uint64, p.words)}
	for i := range p.policies {
		p.policies[i].unconditional = p.policies[i].possible(&nothing) == mayYes
	}
}
