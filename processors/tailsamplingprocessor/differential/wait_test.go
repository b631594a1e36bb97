package differential

import (
	"errors"
	"fmt"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// A wait follows one trace's time until its decision, in whole seconds of the timeline.
//
// A trace that is due at second d has waited out its time at d.5; contrib decides it at its tick at d+1, another
// processor up to a second later than it must. So before d nobody has decided, from d+2 on everybody has, and in
// between nothing may happen that depends on it.
type wait struct {
	length    int // decision_wait
	afterRoot int // decision_wait_after_root_received, 0 if absent
	started   bool
	due       int
}

func (c *testCase) newWait() *wait {
	return &wait{
		length:    c.seconds("decision_wait"),
		afterRoot: c.seconds("decision_wait_after_root_received"),
	}
}

// late reports whether the trace may be decided already.
func (w *wait) late(at int) bool { return w.started && at >= w.due }

// allows reports whether something that depends on the decision may happen at this second.
func (w *wait) allows(at int) bool { return !w.late(at) || at >= w.due+2 }

func (w *wait) arrive(at int, root bool) {
	if !w.started {
		w.started = true
		w.due = at + w.length
	}
	if root && w.afterRoot > 0 && at < w.due {
		w.due = min(w.due, at+w.afterRoot)
	}
}

// An arrival is what comes for one trace in one second.
type arrival struct {
	at   int
	root bool
}

// lateSpans reports whether late spans can be compared. contrib leaves them without the threshold that the rest of their
// trace got, and forgets a trace that span-ingest did not sample unless a cache remembers it (see known_test.go).
func (c *testCase) lateSpans() bool {
	if c.gate("usetracestate") {
		return false
	}
	cache, _ := c.config["decision_cache"].(map[string]any)
	return !c.spanIngest() || cache["non_sampled_cache_size"] != nil
}

// settle moves arrivals until none falls where the trace may or may not be decided, and none is late where it must not
// be. A moved arrival can move the trace's due second, so it starts over.
func (c *testCase) settle(arrivals []*arrival) {
	for again := true; again; {
		again = false
		slices.SortStableFunc(arrivals, func(a, b *arrival) int { return a.at - b.at })
		w := c.newWait()
		for _, a := range arrivals {
			switch {
			case w.late(a.at) && !c.lateSpans():
				a.at, again = w.due-1, true
			case !w.allows(a.at):
				a.at, again = w.due+2, true
			}
			if again {
				break
			}
			w.arrive(a.at, a.root)
		}
	}
}

// sound says why the case would compare two correct processors unfairly, or nil. The generator makes only sound cases;
// reductions are checked.
func (c *testCase) sound() error {
	waits := map[pcommon.TraceID]*wait{}
	last := map[int]pcommon.TraceID{}
	var wrong error
	for _, r := range c.requests {
		c.eachTrace(r.traces(), func(id pcommon.TraceID, root bool) {
			w := waits[id]
			if w == nil {
				w = c.newWait()
				waits[id] = w
			}
			if !w.allows(r.at) || w.late(r.at) && !c.lateSpans() {
				wrong = fmt.Errorf("trace %s gets spans at second %d and is due at %d", id, r.at, w.due)
			}
			if other, taken := last[r.at]; taken && other != id && c.spanIngest() && c.limited() {
				wrong = fmt.Errorf("traces %s and %s are decided on arrival at second %d and their order matters", id, other, r.at)
			}
			last[r.at] = id
			w.arrive(r.at, root)
		})
	}
	return errors.Join(wrong, c.soundEnd(waits))
}

// soundEnd checks the shutdown, and that order cannot matter where it would.
func (c *testCase) soundEnd(waits map[pcommon.TraceID]*wait) error {
	due := map[int]pcommon.TraceID{}
	for id, w := range waits {
		if !w.allows(c.shutdown) {
			return fmt.Errorf("the shutdown at second %d meets trace %s, due at %d", c.shutdown, id, w.due)
		}
		if !c.limited() {
			continue
		}
		if c.shutdown < w.due {
			return fmt.Errorf("the shutdown at second %d hurries trace %s, due at %d, past a rate limit", c.shutdown, id, w.due)
		}
		if other, taken := due[w.due]; taken {
			return fmt.Errorf("traces %s and %s are due in the same second and their order matters", id, other)
		}
		due[w.due] = id
	}
	return nil
}

// eachTrace calls f once for every trace of the request.
func (c *testCase) eachTrace(td ptrace.Traces, f func(id pcommon.TraceID, root bool)) {
	roots := map[pcommon.TraceID]bool{}
	var ids []pcommon.TraceID
	spans(td, func(_ ptrace.ResourceSpans, _ ptrace.ScopeSpans, s ptrace.Span) {
		if _, seen := roots[s.TraceID()]; !seen {
			ids = append(ids, s.TraceID())
		}
		roots[s.TraceID()] = roots[s.TraceID()] || isRoot(s)
	})
	for _, id := range ids {
		f(id, roots[id])
	}
}

// limited reports whether a policy has a budget, so that decisions depend on when and in which order others were taken.
// That includes limiters in tracestate mode, where contrib cuts the traces of a whole second by randomness: another
// processor may do so for smaller groups.
func (c *testCase) limited() bool {
	return holds(c.config["policies"], func(kind string) bool {
		return kind == "rate_limiting" || kind == "bytes_limiting" || kind == "composite"
	})
}

// holds reports whether a policy type that match accepts stands anywhere in v.
func holds(v any, match func(kind string) bool) bool {
	switch v := v.(type) {
	case map[string]any:
		if kind, ok := v["type"].(string); ok && match(kind) {
			return true
		}
		for _, inner := range v {
			if holds(inner, match) {
				return true
			}
		}
	case []any:
		for _, inner := range v {
			if holds(inner, match) {
				return true
			}
		}
	}
	return false
}
