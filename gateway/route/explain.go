package route

import (
	"fmt"
	"slices"
	"strings"
)

// Explanation says how a request found its rule, or why it found none.
type Explanation struct {
	Host    string // as it was compared
	Path    string
	Refused string // why the path is refused whatever the rules; else empty
	Winner  int    // index of a rule, or None
	// Considered are the rules whose host and path fit, the most specific first: the order in which they are tried.
	Considered []Considered
	// Allowed are the methods that some rule would have accepted, when none accepted this one: 405 instead of 404.
	Allowed []string
}

// Considered is a rule whose host and path fit.
type Considered struct {
	Rule int
	Fits bool   // everything else fits too
	Why  string // what does not fit, or why another rule came before it
}

// Explain is Match with reasons. It is slow and meant for people.
func (t *Table) Explain(q *Request) Explanation {
	e := Explanation{Host: normalHost(q.Host), Path: q.Path}
	winner, err := t.Match(q)
	if err != nil {
		e.Refused = err.Error()
	}
	e.Winner = winner
	var order []int
	s := search{t: t, q: q, visit: func(i int) {
		if !slices.Contains(order, i) {
			order = append(order, i)
		}
	}}
	s.find(q.Path)
	first := None
	for _, i := range order {
		c := Considered{Rule: i, Why: t.rules[i].misfit(q)}
		c.Fits = c.Why == ""
		switch {
		case c.Fits && first == None:
			first, c.Why = i, "the most specific of those that fit"
		case c.Fits:
			c.Why = t.less(i, first, e.Host)
		}
		e.Considered = append(e.Considered, c)
	}
	if winner == None && err == nil {
		e.Allowed = t.Allowed(q)
	}
	return e
}

// misfit names the first thing of a rule that a request with a fitting host and path does not satisfy.
func (r *Rule) misfit(q *Request) string {
	if !r.fitsMethod(q.Method) {
		return fmt.Sprintf("method %s is not %s", q.Method, strings.Join(r.Methods, " or "))
	}
	if len(r.Tenants) > 0 && !slices.Contains(r.Tenants, q.Tenant) {
		return fmt.Sprintf("tenant %q is not %s", q.Tenant, strings.Join(r.Tenants, " or "))
	}
	for i := range r.Headers {
		if !r.Headers[i].inHeader(q.Header) {
			return "header condition does not hold: " + r.Headers[i].String()
		}
	}
	for i := range r.Query {
		if !r.Query[i].inQuery(q.Query) {
			return "query condition does not hold: " + r.Query[i].String()
		}
	}
	return ""
}

// less says by which step of the precedence rule i comes after rule first.
func (t *Table) less(i, first int, host string) string {
	a, b := &t.rules[first], &t.rules[i]
	before := fmt.Sprintf("comes after %q: ", a.Name)
	switch {
	case a.bestHost(host) != b.bestHost(host):
		return before + "its host is less specific"
	case !slices.ContainsFunc(b.Paths, func(p Pattern) bool { return slices.ContainsFunc(a.Paths, p.sameShape) }):
		return before + "its path is less specific"
	case len(a.Tenants) > 0 != (len(b.Tenants) > 0):
		return before + "it names no tenant"
	case len(a.Headers)+len(a.Query) != len(b.Headers)+len(b.Query):
		return before + "it has fewer conditions"
	case len(a.Methods) > 0 != (len(b.Methods) > 0):
		return before + "it names no method"
	}
	return before + "it stands further down"
}

// bestHost is the most specific of the hosts of a rule that fit.
func (r *Rule) bestHost(host string) string {
	best := ""
	for _, h := range r.Hosts {
		if suffix, below := strings.CutPrefix(h, "*"); h == host || below && strings.HasSuffix(host, suffix) && len(h) > len(best) {
			if best = h; h == host {
				break
			}
		}
	}
	return best
}

func (p Pattern) sameShape(q Pattern) bool { return p.shape() == q.shape() }
