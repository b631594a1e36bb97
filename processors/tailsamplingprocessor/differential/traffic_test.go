package differential

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// traffic makes the requests and the shutdown of a case whose configuration is there already.
func (s *source) traffic(c *testCase) {
	w := &world{source: s, testCase: c, spread: pick(s, 1, 3, 6)}
	w.resources, w.scopes = s.resources(), s.scopes()
	bySecond := map[int][]planned{}
	last := 0
	for i := range s.traceCount() {
		for _, p := range w.trace(i) {
			bySecond[p.at] = append(bySecond[p.at], p)
			last = max(last, p.at)
		}
	}
	for at := range last + 1 {
		w.requestsOf(at, bySecond[at])
	}
	w.end(last)
}

func (s *source) traceCount() int {
	if s.chance(0.1) {
		return s.between(9, 25)
	}
	return s.between(1, 8)
}

// A world is what the traces of one case share.
type world struct {
	*source
	*testCase
	resources []ptrace.ResourceSpans // without spans
	scopes    []ptrace.ScopeSpans    // without spans
	ids       []pcommon.TraceID
	spread    int // traces begin within so many seconds
}

// planned is a span with the second it arrives in and where it belongs.
type planned struct {
	*arrival
	span            ptrace.Span
	resource, scope int
}

// trace plans the i-th trace of the case.
func (w *world) trace(i int) []planned {
	arrivals := w.arrivals(i)
	t := w.newTraceStyle()
	var plan []planned
	for n := range w.spanCount() {
		at := pick(w.source, arrivals...)
		if n == 0 {
			at = arrivals[0]
		}
		p := planned{at, ptrace.NewSpan(), pick(w.source, t.resources...), w.IntN(len(w.scopes))}
		t.span(w.source, p.span, n)
		plan = append(plan, p)
	}
	for range w.IntN(3) {
		if w.chance(0.2) { // the same span again, as a sender that retries sends it
			again := pick(w.source, plan...)
			again.arrival = pick(w.source, arrivals...)
			plan = append(plan, again)
		}
	}
	for _, p := range plan {
		p.root = p.root || isRoot(p.span)
	}
	used := slices.DeleteFunc(arrivals, func(a *arrival) bool {
		return !slices.ContainsFunc(plan, func(p planned) bool { return p.arrival == a })
	})
	w.settle(used)
	return plan
}

func (w *world) spanCount() int {
	switch {
	case w.chance(0.002):
		return 5000
	case w.chance(0.1):
		return w.between(21, 60)
	case w.chance(0.3):
		return w.between(6, 20)
	default:
		return w.between(1, 5)
	}
}

// arrivals chooses the seconds in which spans of the i-th trace may come.
func (w *world) arrivals(i int) []*arrival {
	wait := w.seconds("decision_wait")
	begin := w.IntN(w.spread)
	switch {
	case w.limited() && w.spanIngest():
		begin = i * (2*wait + 12) // one trace after the other
	case w.limited():
		begin = i // traces overlap, but no two are due together
	}
	list := []*arrival{{at: begin}}
	for range w.IntN(4) {
		list = append(list, &arrival{at: begin + w.IntN(wait)})
	}
	for range w.IntN(3) {
		if w.chance(0.4) {
			list = append(list, &arrival{at: begin + wait + w.between(2, 7)})
		}
	}
	return list
}

// A traceStyle is what the spans of one trace have in common.
type traceStyle struct {
	id         pcommon.TraceID
	resources  []int
	tracestate string
	rooted     bool
	quick      bool // plain timestamps and short durations
	ids        []pcommon.SpanID
}

func (w *world) newTraceStyle() *traceStyle {
	t := &traceStyle{id: w.newTraceID(), rooted: w.chance(0.8), quick: w.chance(0.7)}
	for range w.between(1, 3) {
		t.resources = append(t.resources, w.IntN(len(w.resources)))
	}
	if w.chance(0.5) {
		t.tracestate = w.tracestate()
	}
	return t
}

// newTraceID is random in all bits, or shares a half with another trace, or is one of the ids that a careless sender
// uses. With a decision cache the right half is always new: contrib's cache looks at no other.
func (w *world) newTraceID() pcommon.TraceID {
	id := w.traceID()
	cached := w.config["decision_cache"] != nil
	switch {
	case w.chance(0.05):
		clear(id[:8])
	case w.chance(0.03) && !cached:
		id = pcommon.TraceID{}
	case w.chance(0.05) && len(w.ids) > 0 && !cached:
		id = pick(w.source, w.ids...)
		id[w.IntN(16)] ^= 1
	case w.chance(0.05) && len(w.ids) > 0:
		other := pick(w.source, w.ids...)
		copy(id[:8], other[:8])
	}
	if slices.Contains(w.ids, id) {
		id = w.traceID()
	}
	w.ids = append(w.ids, id)
	return id
}

func (t *traceStyle) span(s *source, span ptrace.Span, n int) {
	span.SetTraceID(t.id)
	id := s.spanID()
	if s.chance(0.03) {
		id = pcommon.SpanID{}
	} else if len(t.ids) > 0 && s.chance(0.03) {
		id = pick(s, t.ids...)
	}
	span.SetSpanID(id)
	if (n > 0 || !t.rooted) && s.chance(0.95) {
		span.SetParentSpanID(s.spanID())
		if len(t.ids) > 0 {
			span.SetParentSpanID(pick(s, t.ids...))
		}
	}
	t.ids = append(t.ids, id)
	start, end := s.times(t.quick)
	span.SetStartTimestamp(start)
	span.SetEndTimestamp(end)
	span.TraceState().FromRaw(t.tracestate)
	if s.chance(0.1) {
		span.TraceState().FromRaw(s.tracestate())
	}
	s.fields(span)
}

// fields sets what no structure of the trace asks for.
func (s *source) fields(span ptrace.Span) {
	span.SetName(pick(s, "GET /cart", "POST /cart", "select", ""))
	span.SetKind(pick(s, ptrace.SpanKindUnspecified, ptrace.SpanKindServer, ptrace.SpanKindClient, ptrace.SpanKind(17), ptrace.SpanKind(-1)))
	span.SetFlags(pick[uint32](s, 0, 0, 0, 1, 2, 256, 257, 0x300, math.MaxUint32))
	s.attributes(span.Attributes(), 6)
	if s.chance(0.3) {
		span.Status().SetCode(pick(s, ptrace.StatusCodeOk, ptrace.StatusCodeError, ptrace.StatusCode(9), ptrace.StatusCode(-1)))
		span.Status().SetMessage(pick(s, "", "deadline exceeded"))
	}
	if s.chance(0.1) {
		span.SetDroppedAttributesCount(pick[uint32](s, 1, math.MaxUint32))
		span.SetDroppedEventsCount(2)
		span.SetDroppedLinksCount(3)
	}
	if s.chance(0.3) {
		for range s.IntN(4) {
			s.event(span.Events().AppendEmpty())
		}
	}
	if s.chance(0.1) {
		for range s.IntN(3) {
			s.link(span.Links().AppendEmpty())
		}
	}
}

func (s *source) event(e ptrace.SpanEvent) {
	e.SetName(pick(s, "exception", "retry", ""))
	e.SetTimestamp(pick[pcommon.Timestamp](s, 0, epoch, math.MaxUint64))
	e.SetDroppedAttributesCount(pick[uint32](s, 0, 7))
	s.attributes(e.Attributes(), 3)
}

func (s *source) link(l ptrace.SpanLink) {
	if s.chance(0.8) {
		l.SetTraceID(s.traceID())
		l.SetSpanID(s.spanID())
	}
	l.TraceState().FromRaw(s.tracestate())
	l.SetFlags(pick[uint32](s, 0, 1, 0x301))
	l.SetDroppedAttributesCount(pick[uint32](s, 0, 7))
	s.attributes(l.Attributes(), 3)
}

// epoch is an ordinary time for spans to begin at: 2023-11-14T22:13:20Z.
const epoch = pcommon.Timestamp(1_700_000_000_000_000_000)

// times are those of an ordinary span or, in a trace that is not quick, also those of a broken clock.
func (s *source) times(quick bool) (start, end pcommon.Timestamp) {
	start = epoch + pcommon.Timestamp(s.IntN(3000))*pcommon.Timestamp(time.Millisecond)
	durations := []time.Duration{0, 1, time.Millisecond, 100 * time.Millisecond, 999_999_999, time.Second, time.Second + 1}
	if !quick {
		durations = append(durations, 1500*time.Millisecond, 5*time.Second, -time.Second, 10*time.Hour)
	}
	end = start + pcommon.Timestamp(pick(s, durations...))
	if !quick && s.chance(0.15) {
		start = pick[pcommon.Timestamp](s, 0, 1, epoch, 1<<63-1, 1<<63, math.MaxUint64)
	}
	if !quick && s.chance(0.15) {
		end = pick[pcommon.Timestamp](s, 0, 1, epoch, 1<<63-1, 1<<63, math.MaxUint64)
	}
	return start, end
}

// tracestate is sampling information, other vendors' members, something broken, or a mix.
func (s *source) tracestate() string {
	rv := fmt.Sprintf("rv:%014x", s.Uint64()>>8)
	return pick(s, "",
		"ot=th:0", "ot=th:8", "ot=th:c;"+rv, "ot="+rv, "ot="+rv+";th:ffffffffffffff", "ot="+rv+";p:8;r:62",
		"vendor=a,ot=th:4", "ot="+rv+",k1=v1", "k1=v1,k2=v2", "k2=v2", "k1=v1 , ot=th:8;"+rv, "ot=other:x",
		"ot=th:zz", "ot=rv:1", "===", ",", "k1", "UPPER=1", "k1=v1,k1=v2", "ot=th:8,ot=th:4",
		"long="+string(bytes.Repeat([]byte("x"), s.between(200, 400))))
}

func (s *source) resources() []ptrace.ResourceSpans {
	list := make([]ptrace.ResourceSpans, s.between(1, 4))
	for i := range list {
		list[i] = ptrace.NewResourceSpans()
		s.attributes(list[i].Resource().Attributes(), 5)
		list[i].Resource().SetDroppedAttributesCount(pick[uint32](s, 0, 0, 4))
		list[i].SetSchemaUrl(pick(s, "", "https://opentelemetry.io/schemas/1.26.0"))
	}
	return list
}

func (s *source) scopes() []ptrace.ScopeSpans {
	list := make([]ptrace.ScopeSpans, s.between(1, 4))
	for i := range list {
		list[i] = ptrace.NewScopeSpans()
		scope := list[i].Scope()
		scope.SetName(pick(s, "", "lib-a", "lib-b"))
		scope.SetVersion(pick(s, "", "1.0.0"))
		scope.SetDroppedAttributesCount(pick[uint32](s, 0, 0, 5))
		s.attributes(scope.Attributes(), 2)
		list[i].SetSchemaUrl(pick(s, "", "https://opentelemetry.io/schemas/1.20.0"))
	}
	return list
}

// requestsOf cuts one second's spans into requests at random borders and in random order.
func (w *world) requestsOf(at int, plan []planned) {
	if w.chance(0.5) {
		w.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
	}
	for len(plan) > 0 {
		n := len(plan)
		if w.chance(0.5) {
			n = w.between(1, n)
		}
		w.requests = append(w.requests, request{at, finish(marshal(w.layout(plan[:n])))})
		plan = plan[n:]
	}
}

// layout groups spans by resource and scope as a sender would, or less so.
func (w *world) layout(plan []planned) ptrace.Traces {
	td := ptrace.NewTraces()
	split := pick(w.source, 0, 0.1, 0.5)
	resources := map[int]ptrace.ResourceSpans{}
	scopes := map[[2]int]ptrace.ScopeSpans{}
	for _, p := range plan {
		rs, ok := resources[p.resource]
		if !ok || w.chance(split) {
			rs = td.ResourceSpans().AppendEmpty()
			w.resources[p.resource].CopyTo(rs)
			resources[p.resource] = rs
			for i := range w.scopes {
				delete(scopes, [2]int{p.resource, i})
			}
		}
		key := [2]int{p.resource, p.scope}
		ss, ok := scopes[key]
		if !ok || w.chance(split) {
			ss = rs.ScopeSpans().AppendEmpty()
			w.scopes[p.scope].CopyTo(ss)
			scopes[key] = ss
		}
		p.span.CopyTo(ss.Spans().AppendEmpty())
	}
	if w.chance(0.05) { // a resource without scopes and a scope without spans
		w.resources[0].CopyTo(td.ResourceSpans().AppendEmpty())
		w.scopes[0].CopyTo(td.ResourceSpans().At(0).ScopeSpans().AppendEmpty())
	}
	return td
}

// end chooses when to shut down: when all is decided, or, where nothing forbids it, in the middle.
func (w *world) end(last int) {
	w.shutdown = last + w.seconds("decision_wait") + 3
	if w.limited() || w.chance(0.6) {
		return
	}
	for at := last; at < w.shutdown; at++ {
		early := w.clone()
		early.shutdown = at
		if early.sound() == nil {
			w.shutdown = at
			return
		}
	}
}

// aliasOf is a key of the same length that finish turns back into key.
func aliasOf(key string) string { return "\x01" + key[1:] }

// finish turns aliases back. They have the length of what they stand for, so no length in the protobuf changes.
func finish(data []byte) []byte {
	for _, key := range keys {
		if key != "" {
			data = bytes.ReplaceAll(data, []byte(aliasOf(key)), []byte(key))
		}
	}
	return data
}
