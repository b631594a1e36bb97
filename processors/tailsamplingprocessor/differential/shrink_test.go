package differential

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// A reduction returns c without its i-th part of some kind, or false if there are not so many.
type reduction func(c *testCase, i int) (testCase, bool)

// reductions go from coarse to fine, so that the fine ones have little left to try.
var reductions = []reduction{
	withoutTrace, withoutRequest, withoutPolicy, withoutSubPolicy, withoutGate, withoutSetting, withoutName,
	withoutResourceSpans, withoutManySpans, withoutSpan, withoutSpanDetail, withoutAttribute,
}

// shrinkBudget bounds the time of one shrinking: 600 plays of a pair at 2 to 5 ms are 3 s.
const shrinkBudget = 600

// shrink removes parts of a case as long as it still fails and is sound, and returns what is left.
func shrink(c *testCase, fails func(*testCase) bool) *testCase {
	tries := 0
	for progress := true; progress; {
		progress = false
		for _, reduce := range reductions {
			for i := 0; tries < shrinkBudget; {
				smaller, ok := reduce(c, i)
				if !ok {
					break
				}
				if smaller.sound() != nil {
					i++
					continue
				}
				tries++
				if !fails(&smaller) {
					i++
					continue
				}
				c, progress = &smaller, true
			}
		}
	}
	return c
}

func withoutTrace(c *testCase, i int) (testCase, bool) {
	var ids []pcommon.TraceID
	for _, r := range c.requests {
		c.eachTrace(r.traces(), func(id pcommon.TraceID, _ bool) {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		})
	}
	if i >= len(ids) {
		return testCase{}, false
	}
	d := c.clone()
	for n, r := range d.requests {
		td := r.traces()
		removeSpans(td, func(s ptrace.Span) bool { return s.TraceID() == ids[i] })
		d.requests[n] = newRequest(r.at, td)
	}
	d.requests = slices.DeleteFunc(d.requests, func(r request) bool { return len(r.data) == 0 })
	return d, true
}

func removeSpans(td ptrace.Traces, remove func(ptrace.Span) bool) {
	td.ResourceSpans().RemoveIf(func(rs ptrace.ResourceSpans) bool {
		rs.ScopeSpans().RemoveIf(func(ss ptrace.ScopeSpans) bool {
			ss.Spans().RemoveIf(remove)
			return ss.Spans().Len() == 0
		})
		return rs.ScopeSpans().Len() == 0
	})
}

func withoutRequest(c *testCase, i int) (testCase, bool) {
	if i >= len(c.requests) {
		return testCase{}, false
	}
	d := c.clone()
	d.requests = slices.Delete(d.requests, i, i+1)
	return d, true
}

// withoutPolicy keeps the last one: a processor may refuse an empty list, which is a difference of another kind.
func withoutPolicy(c *testCase, i int) (testCase, bool) {
	if i >= len(c.policies()) || len(c.policies()) == 1 {
		return testCase{}, false
	}
	d := c.clone()
	d.config["policies"] = slices.Delete(d.policies(), i, i+1)
	return d, true
}

// subLists are where policies hold others.
var subLists = map[string]string{"and": "and_sub_policy", "drop": "drop_sub_policy", "composite": "composite_sub_policy"}

// withoutSubPolicy keeps the last one of each list, for the same reason.
func withoutSubPolicy(c *testCase, i int) (testCase, bool) {
	d := c.clone()
	for _, p := range d.policies() {
		p := p.(map[string]any)
		for branch, key := range subLists {
			section, _ := p[branch].(map[string]any)
			list, _ := section[key].([]any)
			if len(list) < 2 {
				continue
			}
			if i < len(list) {
				delete(section, "policy_order") // it may name what goes
				delete(section, "rate_allocation")
				section[key] = slices.Delete(list, i, i+1)
				return d, true
			}
			i -= len(list)
		}
	}
	return testCase{}, false
}

func withoutGate(c *testCase, i int) (testCase, bool) {
	if i >= len(c.gates) {
		return testCase{}, false
	}
	d := c.clone()
	d.gates = slices.Delete(d.gates, i, i+1)
	return d, true
}

// withoutSetting removes a key with a default. decision_wait stays: its default of 30 s would make the rest unsound.
func withoutSetting(c *testCase, i int) (testCase, bool) {
	var keys []string
	for _, key := range unionKeys(c.config, nil) {
		if key != "policies" && key != "decision_wait" {
			keys = append(keys, key)
		}
	}
	if i >= len(keys) {
		return testCase{}, false
	}
	d := c.clone()
	delete(d.config, keys[i])
	return d, true
}

func withoutName(c *testCase, i int) (testCase, bool) {
	d := c.clone()
	d.name = ""
	return d, i == 0 && c.name != ""
}

// edit returns c with the i-th thing changed that count finds in its requests: do counts down from i and changes a
// request when it gets to 0, which it reports.
func edit(c *testCase, i int, do func(td ptrace.Traces, i *int) bool) (testCase, bool) {
	for n, r := range c.requests {
		td := r.traces()
		if do(td, &i) {
			d := c.clone()
			d.requests[n] = newRequest(r.at, td)
			return d, true
		}
	}
	return testCase{}, false
}

func withoutResourceSpans(c *testCase, i int) (testCase, bool) {
	return edit(c, i, func(td ptrace.Traces, i *int) (done bool) {
		td.ResourceSpans().RemoveIf(func(ptrace.ResourceSpans) bool {
			*i--
			done = done || *i == -1
			return *i == -1
		})
		return done
	})
}

// withoutManySpans removes a half of the spans of one request, then a quarter, an eighth and so on.
func withoutManySpans(c *testCase, i int) (testCase, bool) {
	return edit(c, i, func(td ptrace.Traces, i *int) bool {
		all := td.SpanCount()
		for parts := 2; all/parts > 1; parts *= 2 {
			if *i >= parts {
				*i -= parts
				continue
			}
			n := -1
			removeSpans(td, func(ptrace.Span) bool {
				n++
				return n*parts/all == *i
			})
			return true
		}
		return false
	})
}

func withoutSpan(c *testCase, i int) (testCase, bool) {
	return edit(c, i, func(td ptrace.Traces, i *int) (done bool) {
		removeSpans(td, func(ptrace.Span) bool {
			*i--
			done = done || *i == -1
			return *i == -1
		})
		return done
	})
}

// withoutSpanDetail clears one group of fields of one span.
func withoutSpanDetail(c *testCase, i int) (testCase, bool) {
	return edit(c, i, func(td ptrace.Traces, i *int) (done bool) {
		spans(td, func(rs ptrace.ResourceSpans, ss ptrace.ScopeSpans, s ptrace.Span) {
			for _, detail := range details {
				if !detail.has(rs, ss, s) {
					continue
				}
				if *i == 0 {
					detail.clear(rs, ss, s)
					done = true
				}
				*i--
			}
		})
		return done
	})
}

// A detail is something of a span that a difference may not need.
type detail struct {
	has   func(ptrace.ResourceSpans, ptrace.ScopeSpans, ptrace.Span) bool
	clear func(ptrace.ResourceSpans, ptrace.ScopeSpans, ptrace.Span)
}

// ofSpan is a detail that the span alone holds.
func ofSpan(has func(ptrace.Span) bool, clear func(ptrace.Span)) detail {
	return detail{
		func(_ ptrace.ResourceSpans, _ ptrace.ScopeSpans, s ptrace.Span) bool { return has(s) },
		func(_ ptrace.ResourceSpans, _ ptrace.ScopeSpans, s ptrace.Span) { clear(s) },
	}
}

var details = []detail{
	ofSpan(func(s ptrace.Span) bool { return s.Events().Len() > 0 },
		func(s ptrace.Span) { s.Events().RemoveIf(func(ptrace.SpanEvent) bool { return true }) }),
	ofSpan(func(s ptrace.Span) bool { return s.Links().Len() > 0 },
		func(s ptrace.Span) { s.Links().RemoveIf(func(ptrace.SpanLink) bool { return true }) }),
	ofSpan(func(s ptrace.Span) bool { return s.Status().Code() != 0 || s.Status().Message() != "" },
		func(s ptrace.Span) { ptrace.NewStatus().CopyTo(s.Status()) }),
	ofSpan(func(s ptrace.Span) bool { return s.TraceState().AsRaw() != "" },
		func(s ptrace.Span) { s.TraceState().FromRaw("") }),
	ofSpan(func(s ptrace.Span) bool { return s.Name() != "" || s.Kind() != 0 || s.Flags() != 0 },
		func(s ptrace.Span) { s.SetName(""); s.SetKind(0); s.SetFlags(0) }),
	ofSpan(func(s ptrace.Span) bool { return s.DroppedAttributesCount() != 0 },
		func(s ptrace.Span) {
			s.SetDroppedAttributesCount(0)
			s.SetDroppedEventsCount(0)
			s.SetDroppedLinksCount(0)
		}),
	ofSpan(func(s ptrace.Span) bool { return s.StartTimestamp() != 0 || s.EndTimestamp() != 0 },
		func(s ptrace.Span) { s.SetStartTimestamp(0); s.SetEndTimestamp(0) }),
	{
		func(rs ptrace.ResourceSpans, ss ptrace.ScopeSpans, _ ptrace.Span) bool {
			return rs.SchemaUrl() != "" || ss.SchemaUrl() != ""
		},
		func(rs ptrace.ResourceSpans, ss ptrace.ScopeSpans, _ ptrace.Span) {
			rs.SetSchemaUrl("")
			ss.SetSchemaUrl("")
		},
	},
	{
		func(_ ptrace.ResourceSpans, ss ptrace.ScopeSpans, _ ptrace.Span) bool {
			return ss.Scope().Name() != "" || ss.Scope().Version() != "" || ss.Scope().DroppedAttributesCount() != 0
		},
		func(_ ptrace.ResourceSpans, ss ptrace.ScopeSpans, _ ptrace.Span) {
			ss.Scope().SetName("")
			ss.Scope().SetVersion("")
			ss.Scope().SetDroppedAttributesCount(0)
		},
	},
	{
		func(rs ptrace.ResourceSpans, _ ptrace.ScopeSpans, _ ptrace.Span) bool {
			return rs.Resource().DroppedAttributesCount() != 0
		},
		func(rs ptrace.ResourceSpans, _ ptrace.ScopeSpans, _ ptrace.Span) {
			rs.Resource().SetDroppedAttributesCount(0)
		},
	},
}

func withoutAttribute(c *testCase, i int) (testCase, bool) {
	return edit(c, i, func(td ptrace.Traces, i *int) (done bool) {
		remove := func(string, pcommon.Value) bool {
			*i--
			done = done || *i == -1
			return *i == -1
		}
		for _, rs := range td.ResourceSpans().All() {
			rs.Resource().Attributes().RemoveIf(remove)
			for _, ss := range rs.ScopeSpans().All() {
				ss.Scope().Attributes().RemoveIf(remove)
				for _, s := range ss.Spans().All() {
					s.Attributes().RemoveIf(remove)
				}
			}
		}
		return done
	})
}
