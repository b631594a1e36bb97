package engine

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/decisionmemory"
	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/tracelog"
)

var seeds = flag.Uint64("seeds", 40, "how many random comparisons with the twin")

// TestShardAgainstTwin does the same things to a shard and its twin, at random and under random settings. After each
// they must have kept and dropped the same traces, for the same reason, with the same spans, and count alike.
func TestShardAgainstTwin(t *testing.T) {
	for seed := range *seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			c := newComparison(t, rand.New(rand.NewPCG(seed, 7)))
			for step := range 600 {
				c.step = fmt.Sprintf("step %d at %s: ", step, c.now)
				c.act()
				c.compare()
			}
			c.finish()
		})
	}
}

type comparison struct {
	*rand.Rand
	t      *testing.T
	set    Settings
	log    tracelog.Settings
	store  *store
	feeder feeder
	twin   *twin

	now     time.Duration
	ids     []pcommon.TraceID // spans come of these at the moment
	spans   int
	gates   bool       // some requests come to a gate
	pending []Decision // to be done, and what the twin says of each
	expect  []twinDecision
	step    string
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func newComparison(t *testing.T, r *rand.Rand) *comparison {
	c := &comparison{Rand: r, t: t, set: Settings{
		Wait:          pick(r, 300*time.Millisecond, 2*time.Second, 60*time.Second),
		WaitAfterRoot: pick(r, 0, 0, 200*time.Millisecond),
		Idle:          pick(r, 0, 0, 150*time.Millisecond),
		MaxTraces:     pick(r, 0, 3, 12),
		Block:         r.IntN(2) == 0,
		MaxTraceBytes: pick[uint64](r, 0, 0, 1500),
		SpanIngest:    r.IntN(4) == 0,
		Early:         r.IntN(3) == 0,
		Rescue:        r.IntN(2) == 0,
		History:       pick[int64](r, 0, 20_000, 1<<40),
		Notes:         r.IntN(3) == 0,
	}}
	if r.IntN(2) == 0 && !c.set.Notes { // a carried record is there twice after a restart
		c.set.Sums = sums
	}
	c.gates = r.IntN(2) == 0 && !c.set.Notes && c.set.MaxTraceBytes == 0 // what was turned away has no sizes, and no notes
	c.log.SegmentSize = 4 << 10
	limit := pick(r, 0, 48<<10)
	if c.set.Notes { // what is restored has no times and no sizes of its former life
		c.set.Idle, c.set.MaxTraceBytes, limit = 0, 0, 0
		c.log.Checksums = true
	}
	c.store = newStore(limit)
	j := pick(r, judges...)
	c.twin = newTwin(c.set, j)
	c.open(j)
	for range 25 {
		c.ids = append(c.ids, c.newID())
	}
	return c
}

func (c *comparison) fail(format string, args ...any) {
	c.t.Helper()
	c.t.Fatalf("%+v\n%s%s", c.set, c.step, fmt.Sprintf(format, args...))
}

func (c *comparison) program(j *judge) *policy.Program {
	strategy := policy.TraceComplete
	if c.set.SpanIngest {
		strategy = policy.SpanIngest
	}
	return compilePolicies(c.t, j.policies, strategy)
}

// open makes a shard on the store.
func (c *comparison) open(j *judge) {
	c.log.Store = c.store
	c.set.Log, c.set.Memory, c.set.Program = tracelog.New(c.log), newMemory(), c.program(j)
	c.feeder.shard = New(c.set)
}

func (c *comparison) newID() (id pcommon.TraceID) {
	binary.LittleEndian.PutUint64(id[:], c.Uint64())
	binary.LittleEndian.PutUint64(id[8:], c.Uint64())
	return id
}

// act does one thing to both.
func (c *comparison) act() {
	shard := c.feeder.shard
	switch n := c.IntN(100); {
	case n < 60:
		c.request()
	case n < 85:
		c.now += time.Duration(c.ExpFloat64()*5) * 10 * time.Millisecond
		if c.IntN(20) == 0 {
			c.now += time.Duration(c.IntN(1_000_000)) * 10 * time.Millisecond
		}
		for limit := 1 + c.IntN(5); shard.Advance(moment(c.now), limit); {
		}
		c.twin.advance(c.now)
	case n < 92:
		c.deliver()
	case n < 94:
		c.relieve()
	case n < 95:
		c.thin()
	case n < 96:
		c.rescue()
	case n < 97:
		j := pick(c.Rand, judges...)
		shard.SetProgram(c.program(j))
		c.twin.judge = j
	case n < 98 && c.set.Idle == 0:
		full := c.IntN(2) == 0
		shard.SetPressure(map[bool]float64{false: 0.5, true: 2}[full])
		c.twin.pressure = full
	case n < 99 && c.set.Notes:
		c.restart()
	}
}

// request sends one ResourceSpans.
func (c *comparison) request() {
	rs := ptrace.NewResourceSpans()
	rs.Resource().Attributes().PutStr("service.name", pick(c.Rand, "shop", "cart", "cart"))
	for range 1 + c.IntN(2) {
		ss := rs.ScopeSpans().AppendEmpty()
		ss.Scope().SetName(pick(c.Rand, "", "http", "sql"))
		for range c.IntN(4) {
			c.span(ss.Spans().AppendEmpty())
		}
	}
	if c.feeder.weigh = c.gates && c.IntN(3) > 0; c.feeder.weigh {
		c.feeder.level = pick[Level](c.Rand, 0, 4, 12)
	}
	c.twin.atGate(c.now, c.spansOf(rs), c.feeder.weigh, c.feeder.level)
	next := c.each(rs)
	_, err := c.feeder.feed(moment(c.now), rs, 0, func() bool {
		if err := next(false); err != nil {
			c.fail("the shard takes a span, the twin says: %v", err)
		}
		if c.IntN(6) == 0 {
			c.twin.settle(c.now)
			return true
		}
		return false
	})
	if err != nil {
		if want := next(errors.Is(err, errStoreFull)); want == nil || !errors.Is(err, want) {
			c.fail("the shard refuses a span: %v, the twin says: %v", err, want)
		}
	}
	c.twin.settle(c.now)
}

// each returns what gives the twin the next span of rs.
func (c *comparison) each(rs ptrace.ResourceSpans) func(full bool) error {
	scope, i := 0, 0
	fragment := c.feeder.last + 1
	return func(full bool) error {
		for i == rs.ScopeSpans().At(scope).Spans().Len() || c.twin.turned(rs.ScopeSpans().At(scope).Spans().At(i).TraceID()) {
			if i++; i >= rs.ScopeSpans().At(scope).Spans().Len() {
				scope, i = scope+1, 0
			}
		}
		ss := rs.ScopeSpans().At(scope)
		span := ss.Spans().At(i)
		i++
		err := c.twin.add(c.now, span.TraceID(), asTwin(rs, ss, span), full)
		if t := c.twin.find(span.TraceID()); t != nil && err == nil {
			t.measure(fragment, scope, rs, ss, span)
		}
		return err
	}
}

func asTwin(rs ptrace.ResourceSpans, ss ptrace.ScopeSpans, span ptrace.Span) twinSpan {
	noise, _ := span.Attributes().Get("noise")
	service, _ := rs.Resource().Attributes().Get("service.name")
	return twinSpan{
		root: span.ParentSpanID().IsEmpty(), bad: span.Status().Code() == ptrace.StatusCodeError,
		noise: noise.Str() == "yes", shop: service.Str() == "shop", text: spanText(rs, ss, span),
	}
}

// spansOf returns the spans of a request by trace.
func (c *comparison) spansOf(rs ptrace.ResourceSpans) map[pcommon.TraceID][]twinSpan {
	spans := map[pcommon.TraceID][]twinSpan{}
	for _, ss := range rs.ScopeSpans().All() {
		for _, span := range ss.Spans().All() {
			spans[span.TraceID()] = append(spans[span.TraceID()], asTwin(rs, ss, span))
		}
	}
	return spans
}

func (c *comparison) span(span ptrace.Span) {
	c.spans++
	i := c.IntN(len(c.ids))
	if c.IntN(12) == 0 || !c.agreed(c.ids[i]) {
		c.ids[i] = c.newID()
		for !c.agreed(c.ids[i]) {
			c.ids[i] = c.newID()
		}
	}
	span.SetTraceID(c.ids[i])
	span.SetName(fmt.Sprint("span ", c.spans))
	if c.IntN(6) > 0 {
		span.SetParentSpanID(pcommon.SpanID{1})
	}
	if c.IntN(8) == 0 {
		span.Status().SetCode(ptrace.StatusCodeError)
	}
	if c.IntN(12) == 0 {
		span.Attributes().PutStr("noise", pick(c.Rand, "yes", "no"))
	}
	span.Attributes().PutStr("pad", strings.Repeat(fmt.Sprint(c.spans), c.IntN(80)*pick(c.Rand, 1, 1, 1, 8)))
}

// agreed tells whether the memories of decisions, which may be mistaken and forget, know of a trace what the twin does.
// The comparison leaves other traces alone.
func (c *comparison) agreed(id pcommon.TraceID) bool {
	answer, _ := c.set.Memory.Lookup(moment(c.now).Wall, id)
	_, proven := c.feeder.shard.decided.age(Hash(id), c.now)
	switch {
	case c.twin.find(id) != nil:
		return true
	case c.twin.kept[id]:
		return answer == decisionmemory.WasKept
	case c.twin.dropped[id]:
		return answer == decisionmemory.WasDropped && proven
	}
	return answer == decisionmemory.Unknown
}

func (c *comparison) isOpen(id pcommon.TraceID) bool {
	return c.feeder.shard.find(Hash(id), id) != none
}

func (c *comparison) relieve() {
	shard, before := c.feeder.shard, c.store.used
	places := c.places()
	did := shard.Relieve(moment(c.now))
	open := len(c.twin.open)
	moved := 0
	var left []pcommon.TraceID
	for n := shard.oldest; n != none; n = shard.entries.at(n).newer {
		e := shard.entries.at(n)
		left = append(left, e.id)
		if was := places[e.id]; was[0] != e.first || was[1] != e.head {
			moved++
			c.twin.carried[e.id] = true
		}
	}
	if err := c.twin.relieved(c.now, left); err != nil {
		c.fail("%v", err)
	}
	if has := c.store.used < before || open > len(c.twin.open) || moved > 0; did != has {
		c.fail("relieve says %v: %d bytes of %d and %d open traces of %d are left", did, c.store.used, before, len(c.twin.open), open)
	}
}

// places returns the oldest and the newest record of each open trace.
func (c *comparison) places() map[pcommon.TraceID][2]tracelog.Pos {
	places := map[pcommon.TraceID][2]tracelog.Pos{}
	shard := c.feeder.shard
	for n := shard.oldest; n != none; n = shard.entries.at(n).newer {
		e := shard.entries.at(n)
		places[e.id] = [2]tracelog.Pos{e.first, e.head}
	}
	return places
}

// thin decides some traces by their number.
func (c *comparison) thin() {
	n := 1 + c.IntN(3)
	if got, want := c.feeder.shard.Thin(moment(c.now), n), c.twin.thin(c.now, n); got != want {
		c.fail("thin %d decides %d traces, want %d", n, got, want)
	}
}

func (c *comparison) rescue() {
	if id := pick(c.Rand, c.ids...); c.agreed(id) {
		got, want := c.feeder.shard.Rescue(moment(c.now), id), c.twin.rescue(id)
		if got != want {
			c.fail("rescue: %v, want %v", got, want)
		}
	}
}

// compare compares what both have kept since, all counts, and checks the shard.
func (c *comparison) compare() {
	taken := c.feeder.shard.Take()
	want := c.twin.out
	c.twin.out = nil
	for i := range taken {
		d := &taken[i]
		at := slices.IndexFunc(want, func(w twinDecision) bool { return w.id == d.ID })
		if at < 0 {
			c.fail("the shard keeps %x for %s, the twin does not", d.ID, d.Reason)
		}
		if w := want[at]; d.Reason != w.reason || int(d.Spans) != len(w.spans) {
			c.fail("the shard keeps %x for %s with %d spans, the twin for %s with %d", d.ID, d.Reason, d.Spans, w.reason, len(w.spans))
		}
		if w := want[at]; !c.set.Notes && (d.HasTh != (w.th > 0) || d.Threshold != w.th) { // a restart may forget it
			c.fail("the shard keeps %x for %s with threshold %x (%v), the twin with %x", d.ID, d.Reason, d.Threshold, d.HasTh, w.th)
		}
		c.pending, c.expect = append(c.pending, *d), append(c.expect, want[at])
		want = slices.Delete(want, at, at+1)
	}
	if len(want) > 0 {
		c.fail("the twin keeps %x for %s, the shard does not", [16]byte(want[0].id), want[0].reason)
	}
	got := *c.feeder.shard.Stats()
	got.Ages, got.LateAges = [ageSeconds]uint32{}, [ageSeconds]uint32{}
	c.twin.stats.SpansHeld, c.twin.stats.TracesOpen = 0, int64(len(c.twin.open))
	for _, t := range c.twin.open {
		c.twin.stats.SpansHeld += int64(len(t.spans))
		if !c.isOpen(t.id) {
			c.fail("trace %x is open in the twin alone", [16]byte(t.id))
		}
	}
	if got != c.twin.stats {
		c.fail("counts:\n%s\ntwin:\n%s", counts(&got), counts(&c.twin.stats))
	}
	checkShard(c.t, c.feeder.shard, c.pending)
}

func counts(s *Stats) string {
	text := fmt.Sprintf("%+v", *s)
	text, _, _ = strings.Cut(text, " Ages:")
	return text
}

// deliver reads some of what was kept and is done with it. What is kept of one trace leaves in order.
func (c *comparison) deliver() {
	var done []Decision
	for n := c.IntN(len(c.pending) + 1); n > 0; n-- {
		id := pick(c.Rand, c.pending...).ID
		i := slices.IndexFunc(c.pending, func(d Decision) bool { return d.ID == id })
		c.read(&c.pending[i], &c.expect[i])
		done = append(done, c.pending[i])
		c.pending = slices.Delete(c.pending, i, i+1)
		c.expect = slices.Delete(c.expect, i, i+1)
	}
	c.feeder.shard.Done(moment(c.now), done)
}

// read compares the spans that a decision names with those that the twin has kept. Of a rescued trace the log has the
// newest spans, and all that came with the decision.
func (c *comparison) read(d *Decision, w *twinDecision) {
	var got []string
	td := tracesOf(c.t, c.feeder.shard.View(), d)
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				got = append(got, spanText(rs, ss, span))
			}
		}
	}
	spans := w.spans
	if d.Reason == ReasonRescue {
		n := min(max(len(got), len(w.spans)), len(w.stored))
		spans = w.stored[len(w.stored)-n:]
	}
	var want []string
	for _, s := range spans {
		want = append(want, s.text)
	}
	if c.twin.carried[d.ID] { // its spans stand in another order, and where the old places are read, twice
		if d.Reason == ReasonRescue {
			got, want = slices.Compact(slices.Sorted(slices.Values(got))), nil
			for _, s := range w.stored {
				if slices.Contains(got, s.text) {
					want = append(want, s.text)
				}
			}
		}
		slices.Sort(got)
		slices.Sort(want)
	}
	if !slices.Equal(got, want) {
		c.fail("trace %x, kept for %s:\n%q\nwant\n%q", d.ID, d.Reason, got, want)
	}
}

// spanText is a span with its owners.
func spanText(rs ptrace.ResourceSpans, ss ptrace.ScopeSpans, span ptrace.Span) string {
	one := ptrace.NewTraces()
	r := one.ResourceSpans().AppendEmpty()
	rs.Resource().CopyTo(r.Resource())
	s := r.ScopeSpans().AppendEmpty()
	ss.Scope().CopyTo(s.Scope())
	span.CopyTo(s.Spans().AppendEmpty())
	b, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(one)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// restart kills the process and starts it again.
func (c *comparison) restart() {
	lost := map[pcommon.TraceID]bool{} // rescued, and nothing is left of them: they may or may not be handed on again
	var left []twinDecision
	for i, d := range c.expect {
		if d.reason == ReasonRescue && !d.wasOpen {
			n := tracesOf(c.t, c.feeder.shard.View(), &c.pending[i]).SpanCount()
			if n == 0 {
				lost[d.id] = true
				continue
			}
			d.stored = d.stored[len(d.stored)-n:]
		}
		left = append(left, d)
	}
	c.twin.restart(c.now, left)
	c.pending, c.expect = nil, nil
	c.open(c.twin.judge)
	shard := c.feeder.shard
	shard.SetPressure(map[bool]float64{false: 0.5, true: 2}[c.twin.pressure])
	r := shard.Restore(moment(c.now), 0, c.store.former())
	for i, d := range slices.Backward(shard.decisions) {
		if lost[d.ID] && d.Reason == ReasonRescue {
			shard.Done(moment(c.now), []Decision{d})
			shard.decisions = slices.Delete(shard.decisions, i, i+1)
			r.Kept--
		}
	}
	c.knowRescued(shard.decisions)
	if r.Traces != len(c.twin.open) || r.Kept != len(c.twin.out) || r.Torn != 0 {
		c.fail("restored %+v, the twin has %d open and %d kept traces", r, len(c.twin.open), len(c.twin.out))
	}
}

// knowRescued tells the twin of rescued traces that only the spans which came late are left of: when the note that they
// were dropped is gone, as all is that came before it, they look like any other kept trace.
func (c *comparison) knowRescued(taken []Decision) {
	for i := range c.twin.out {
		w := &c.twin.out[i]
		j := slices.IndexFunc(taken, func(d Decision) bool { return d.ID == w.id })
		if w.reason != ReasonRescue || j < 0 || taken[j].Reason != ReasonRecovered {
			continue
		}
		w.reason, w.spans = ReasonRecovered, w.stored
		c.twin.stats.SpansRecovered += uint64(len(w.spans))
		c.twin.stats.SpansKept += uint64(len(w.spans))
	}
}

// finish ends as the processor does when it is shut down.
func (c *comparison) finish() {
	shard := c.feeder.shard
	c.step = "at the end: "
	if c.IntN(2) == 0 {
		shard.DropAll()
		c.twin.dropAll()
	}
	for shard.DecideOldest(moment(c.now), 1+c.IntN(5), ReasonShutdown) > 0 {
	}
	for len(c.twin.open) > 0 {
		c.twin.conclude(c.twin.open[0], ReasonShutdown)
	}
	c.compare()
	for len(c.pending) > 0 {
		c.deliver()
	}
	c.compare()
	c.set.Log.Reclaim(shard.needed(), 1<<40)
	if n := shard.Segments(); n > 1 {
		c.fail("%d segments stay when nothing is left", n)
	}
	c.set.Log.Close()
	if c.store.used != 0 {
		c.fail("%d bytes are not given back", c.store.used)
	}
}
