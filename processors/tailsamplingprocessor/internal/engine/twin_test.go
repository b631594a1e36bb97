package engine

import (
	"errors"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/probability"
)

// A twin is a shard as one would write it without a thought for cost: slices of spans, searched from end to end. It has
// no log, no index and no wheel, folds nothing, and asks about whole traces.
type twin struct {
	set      Settings
	judge    *judge
	pressure bool // the memory is full

	open    []*twinTrace // in order of arrival
	kept    map[pcommon.TraceID]bool
	dropped map[pcommon.TraceID]bool
	carried map[pcommon.TraceID]bool       // in the log
	stored  map[pcommon.TraceID][]twinSpan // whatever came of a trace, of dropped ones too
	late    map[pcommon.TraceID][]twinSpan // came after the decision, not settled yet
	touched []pcommon.TraceID              // since the last settling
	batches map[pcommon.TraceID][]twinSpan // of open traces, since the last settling

	fates  map[pcommon.TraceID]Fate // at the gate, of the request at hand
	level  Level
	away   map[pcommon.TraceID]bool   // of dropped: turned away
	keptBy map[pcommon.TraceID]uint64 // of kept: threshold

	out   []twinDecision
	stats Stats
}

type twinTrace struct {
	id                   pcommon.TraceID
	spans                []twinSpan
	arrival, newest, due time.Duration
	root                 time.Duration // arrival of the root, if it is there
	hasRoot, promised    bool
	gate                 Level // that it came in by
	fragments            []twinFragment
}

// A twinFragment is the ResourceSpans that contrib would make for one trace of one ResourceSpans of a request.
type twinFragment struct {
	of    uint64
	scope int
	rs    ptrace.ResourceSpans
}

// A twinSpan is what the policies of the comparison ask about, and the span itself with its owners.
type twinSpan struct {
	root, bad, noise, shop bool
	text                   string
}

type twinDecision struct {
	id      pcommon.TraceID
	spans   []twinSpan
	reason  Reason
	wasOpen bool       // of a rescue: nothing has to be looked for in the log
	stored  []twinSpan // of a rescue: what the log may have of the trace
	th      uint64     // 0: none
}

// A judge is a set of policies, and what they mean.
type judge struct {
	policies string
	keep     func(batch []twinSpan, count int) bool
	drop     func(twinSpan) bool // nil: there is no drop policy
	all      bool                // keep says yes to everything
}

func isBad(s twinSpan) bool   { return s.bad }
func isNoise(s twinSpan) bool { return s.noise }

var judges = []*judge{
	{errorsPolicy, func(b []twinSpan, _ int) bool { return slices.ContainsFunc(b, isBad) }, nil, false},
	{`
policies:
- {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
- {name: health, type: drop, drop: {drop_sub_policy: [{name: x, type: string_attribute, string_attribute: {key: noise, values: ["yes"]}}]}}`,
		func(b []twinSpan, _ int) bool { return slices.ContainsFunc(b, isBad) }, isNoise, false},
	{`policies: [{name: many, type: span_count, span_count: {min_spans: 4}}]`,
		func(_ []twinSpan, n int) bool { return n >= 4 }, nil, false},
	{`
policies:
- {name: shop, type: string_attribute, string_attribute: {key: service.name, values: [shop]}}
- {name: noise, type: string_attribute, string_attribute: {key: noise, values: ["yes"]}}`,
		func(b []twinSpan, _ int) bool {
			return slices.ContainsFunc(b, func(s twinSpan) bool { return s.shop || s.noise })
		}, nil, false},
	{`
policies:
- {name: all, type: always_sample}
- {name: broken, type: drop, drop: {drop_sub_policy: [{name: x, type: status_code, status_code: {status_codes: [ERROR]}}]}}`,
		func([]twinSpan, int) bool { return true }, isBad, true},
}

func (j *judge) decide(batch []twinSpan, count int) policy.Outcome {
	switch {
	case j.drop != nil && slices.ContainsFunc(batch, j.drop):
		return policy.Dropped
	case j.keep(batch, count):
		return policy.Sampled
	}
	return policy.NotSampled
}

// wanted tells whether the spans have something that not every trace has and that makes the policies keep it.
func (j *judge) wanted(spans []twinSpan) bool {
	return !j.all && (j.drop == nil || !slices.ContainsFunc(spans, j.drop)) && j.keep(spans, len(spans))
}

// certain tells whether the spans alone say that their trace is kept, whatever else comes.
func (j *judge) certain(spans []twinSpan) bool { return j.drop == nil && j.keep(spans, len(spans)) }

func newTwin(set Settings, j *judge) *twin {
	return &twin{
		set: set, judge: j, kept: map[pcommon.TraceID]bool{}, dropped: map[pcommon.TraceID]bool{}, carried: map[pcommon.TraceID]bool{},
		stored: map[pcommon.TraceID][]twinSpan{}, late: map[pcommon.TraceID][]twinSpan{},
		batches: map[pcommon.TraceID][]twinSpan{},
		away:    map[pcommon.TraceID]bool{}, keptBy: map[pcommon.TraceID]uint64{},
	}
}

// atGate decides which of a request's spans, by trace, come in.
func (w *twin) atGate(now time.Duration, request map[pcommon.TraceID][]twinSpan, weigh bool, level Level) {
	w.fates, w.level = map[pcommon.TraceID]Fate{}, level
	if !weigh {
		return
	}
	for id, spans := range request {
		w.fates[id] = w.fate(id, spans)
	}
}

func (w *twin) turned(id pcommon.TraceID) bool { return w.fates[id] == Turned }

func (w *twin) fate(id pcommon.TraceID, spans []twinSpan) Fate {
	n, t := uint64(len(spans)), w.find(id)
	switch {
	case t != nil:
		if t.gate > 0 && w.judge.wanted(spans) {
			t.gate = 0
		}
		return Enters
	case w.kept[id]:
		return Enters
	case w.dropped[id] && w.away[id] && w.judge.wanted(spans):
		delete(w.dropped, id)
		delete(w.away, id)
		return Enters
	case w.dropped[id] && w.set.Rescue && !w.set.SpanIngest && w.judge.certain(spans):
		return Enters
	case w.dropped[id]:
		w.stats.SpansIn += n
		w.stats.SpansLateDropped += n
		w.stats.SpansDropped[DropLate] += n
		return Turned
	case w.judge.wanted(spans) || w.level == 0:
		return Enters
	case w.level.Threshold().Keeps(probability.Randomness(id)):
		return ByChance
	}
	w.dropped[id], w.away[id] = true, true
	w.stats.SpansIn += n
	w.stats.NewTraces++
	w.stats.SpansDropped[DropOverload] += n
	w.stats.DecidedFor[ReasonOverload]++
	w.stats.Decided[policy.NotSampled].Traces++
	w.stats.Decided[policy.NotSampled].Spans += n
	return Turned
}

func (w *twin) find(id pcommon.TraceID) *twinTrace {
	for _, t := range w.open {
		if t.id == id {
			return t
		}
	}
	return nil
}

func (w *twin) shorten(d time.Duration) time.Duration {
	if w.pressure {
		return d / 4
	}
	return d
}

// add takes a span of a fragment in. full says that the store has refused it.
func (w *twin) add(now time.Duration, id pcommon.TraceID, s twinSpan, full bool) error {
	t := w.find(id)
	late := t == nil && (w.kept[id] || w.dropped[id])
	if t == nil && !late && w.set.MaxTraces > 0 && len(w.open) >= w.set.MaxTraces {
		if w.set.Block {
			return ErrTooManyTraces
		}
		w.conclude(w.open[0], ReasonTraces)
	}
	if full {
		return errStoreFull
	}
	w.stats.SpansIn++
	w.stored[id] = append(w.stored[id], s)
	if !slices.Contains(w.touched, id) {
		w.touched = append(w.touched, id)
	}
	if late {
		w.late[id] = append(w.late[id], s)
		return nil
	}
	if t == nil {
		t = &twinTrace{id: id, arrival: now, due: now + w.shorten(w.set.Wait)}
		if w.fates[id] == ByChance {
			t.gate = w.level
		}
		w.open = append(w.open, t)
		w.stats.NewTraces++
	}
	t.spans = append(t.spans, s)
	t.newest = now
	w.batches[id] = append(w.batches[id], s)
	if s.root {
		w.rooted(now, t)
	}
	return nil
}

func (w *twin) rooted(now time.Duration, t *twinTrace) {
	if !t.hasRoot {
		t.hasRoot, t.root = true, now
	}
	wait := w.set.Wait
	if w.set.WaitAfterRoot > 0 {
		wait = min(wait, w.set.WaitAfterRoot)
	}
	t.due = min(t.due, now+w.shorten(wait)) // sooner than so far, too, if the memory has filled up since
}

// dueAt is when a trace is decided. With an idle timeout it changes with every span.
func (w *twin) dueAt(t *twinTrace) time.Duration {
	if w.set.Idle == 0 || !t.hasRoot {
		return t.due
	}
	return min(t.due, max(t.root, t.newest)+w.set.Idle)
}

// advance decides what is due, in steps of 10 ms.
func (w *twin) advance(now time.Duration) {
	const tick = 10 * time.Millisecond
	for _, t := range slices.Clone(w.open) {
		if (w.dueAt(t)+tick-1)/tick <= now/tick {
			w.conclude(t, ReasonWait)
		}
	}
}

// conclude decides an open trace on what is there.
func (w *twin) conclude(t *twinTrace, reason Reason) {
	outcome := w.judge.decide(t.spans, len(t.spans))
	if w.set.SpanIngest {
		outcome = policy.NotSampled
		if t.promised {
			outcome = policy.Sampled
		}
	}
	w.carryOut(t, outcome, reason)
}

func (w *twin) carryOut(t *twinTrace, outcome policy.Outcome, reason Reason) {
	w.stats.Decided[outcome].Traces++
	w.stats.Decided[outcome].Spans += uint64(len(t.spans))
	w.stats.DecidedFor[reason]++
	w.forget(t)
	if outcome == policy.Sampled {
		w.keptBy[t.id] = 0
		if t.gate > 0 && reason != ReasonRescue {
			w.keptBy[t.id] = uint64(t.gate.Threshold())
		}
		w.emit(t.id, t.spans, reason)
		return
	}
	w.dropped[t.id] = true
	r := DropNotSampled
	if outcome == policy.Dropped {
		r = DropPolicy
	}
	w.stats.SpansDropped[r] += uint64(len(t.spans))
}

func (w *twin) forget(t *twinTrace) {
	w.open = slices.DeleteFunc(w.open, func(o *twinTrace) bool { return o == t })
	delete(w.batches, t.id)
}

func (w *twin) emit(id pcommon.TraceID, spans []twinSpan, reason Reason) {
	w.kept[id] = true
	w.stats.SpansKept += uint64(len(spans))
	d := twinDecision{id: id, spans: spans, reason: reason, th: w.keptBy[id]}
	if reason == ReasonRescue {
		d.stored = slices.Clone(w.stored[id])
	}
	w.out = append(w.out, d)
}

// settle is the end of a fragment, or of the part of it that came under one lock.
func (w *twin) settle(now time.Duration) {
	for _, id := range w.touched {
		t, late := w.find(id), w.late[id]
		delete(w.late, id)
		switch {
		case len(late) > 0 && w.kept[id]:
			w.stats.SpansLateKept += uint64(len(late))
			w.stats.DecidedFor[ReasonLate]++
			w.emit(id, late, ReasonLate)
		case len(late) > 0:
			w.settleDropped(now, id, late)
		case t != nil:
			w.settleOpen(t)
		}
	}
	w.touched = nil
	clear(w.batches)
}

// reopen begins a trace anew that was turned away.
func (w *twin) reopen(now time.Duration, id pcommon.TraceID, spans []twinSpan) {
	delete(w.dropped, id)
	delete(w.away, id)
	t := &twinTrace{id: id, arrival: now, newest: now, due: now + w.shorten(w.set.Wait), spans: spans}
	w.open = append(w.open, t)
	w.stats.NewTraces++
}

func (w *twin) settleDropped(now time.Duration, id pcommon.TraceID, late []twinSpan) {
	n := uint64(len(late))
	if w.away[id] && w.judge.wanted(late) {
		w.reopen(now, id, late)
		return
	}
	if w.away[id] || !w.set.Rescue || w.set.SpanIngest || !w.judge.certain(late) {
		w.stats.SpansLateDropped += n
		w.stats.SpansDropped[DropLate] += n
		return
	}
	delete(w.dropped, id)
	w.stats.TracesRescued++
	w.stats.SpansRescued += n
	w.stats.Decided[policy.Sampled].Traces++
	w.stats.Decided[policy.Sampled].Spans += n
	w.stats.DecidedFor[ReasonRescue]++
	w.emit(id, late, ReasonRescue)
}

func (w *twin) settleOpen(t *twinTrace) {
	switch {
	case w.set.MaxTraceBytes > 0 && t.size() > w.set.MaxTraceBytes:
		w.stats.TracesTooLarge++
		w.stats.DecidedFor[ReasonSize]++
		w.stats.SpansDropped[DropSize] += uint64(len(t.spans))
		w.dropped[t.id] = true
		w.forget(t)
	case w.set.SpanIngest:
		switch outcome := w.judge.decide(w.batches[t.id], len(t.spans)); {
		case outcome == policy.Dropped, outcome == policy.Sampled && w.judge.drop == nil:
			w.carryOut(t, outcome, ReasonIngest)
		case outcome == policy.Sampled:
			t.promised = true
		}
	case w.set.Early && w.judge.certain(t.spans):
		w.carryOut(t, policy.Sampled, ReasonCertain)
	}
}

// size is what contrib would measure of the trace.
func (t *twinTrace) size() (n uint64) {
	for _, f := range t.fragments {
		n += uint64((&ptrace.ProtoMarshaler{}).ResourceSpansSize(f.rs))
	}
	return n
}

// measure adds a span to the trace's fragments.
func (t *twinTrace) measure(fragment uint64, scope int, rs ptrace.ResourceSpans, ss ptrace.ScopeSpans, span ptrace.Span) {
	if n := len(t.fragments); n == 0 || t.fragments[n-1].of != fragment {
		f := twinFragment{of: fragment, scope: -1, rs: ptrace.NewResourceSpans()}
		rs.Resource().CopyTo(f.rs.Resource())
		t.fragments = append(t.fragments, f)
	}
	f := &t.fragments[len(t.fragments)-1]
	if f.scope != scope {
		f.scope = scope
		ss.Scope().CopyTo(f.rs.ScopeSpans().AppendEmpty().Scope())
	}
	span.CopyTo(f.rs.ScopeSpans().At(f.rs.ScopeSpans().Len() - 1).Spans().AppendEmpty())
}

// rescue is what Shard.Rescue does.
func (w *twin) rescue(id pcommon.TraceID) bool {
	t := w.find(id)
	switch {
	case t != nil:
		w.carryOut(t, policy.Sampled, ReasonRescue)
		w.out[len(w.out)-1].wasOpen = true
		return true
	case w.kept[id]:
		return false
	}
	delete(w.dropped, id)
	delete(w.away, id)
	w.stats.TracesRescued++
	w.emit(id, nil, ReasonRescue)
	return true
}

// relieved decides the traces that the shard has not left open, and takes over its order: the log says what is oldest. Of
// those that are older than one that was decided only what was carried may be left, which is what is not complete.
func (w *twin) relieved(now time.Duration, left []pcommon.TraceID) error {
	var older []*twinTrace
	for _, t := range slices.Clone(w.open) {
		if slices.Contains(left, t.id) {
			older = append(older, t)
			continue
		}
		for _, o := range older {
			if w.complete(now, o) || !w.carried[o.id] {
				return errors.New("a trace was decided before older ones")
			}
		}
		w.conclude(t, w.early(now, t))
	}
	slices.SortFunc(w.open, func(a, b *twinTrace) int {
		return slices.Index(left, a.id) - slices.Index(left, b.id)
	})
	return nil
}

// thin is what Shard.Thin does.
func (w *twin) thin(now time.Duration, n int) int {
	var complete, running []*twinTrace
	for i := 0; i < len(w.open) && i < 4*n && len(complete) < n; i++ {
		if t := w.open[i]; w.complete(now, t) {
			complete = append(complete, t)
		} else {
			running = append(running, t)
		}
	}
	decided := append(complete, running[:min(n-len(complete), len(running))]...)
	for _, t := range decided {
		w.conclude(t, w.early(now, t))
	}
	return len(decided)
}

func (w *twin) early(now time.Duration, t *twinTrace) Reason {
	if w.complete(now, t) {
		return ReasonComplete
	}
	return ReasonMemory
}

func (w *twin) complete(now time.Duration, t *twinTrace) bool {
	quiet := min(time.Second, w.set.Wait)
	for _, wait := range []time.Duration{w.set.WaitAfterRoot, w.set.Idle} {
		if wait > 0 {
			quiet = min(quiet, wait)
		}
	}
	hasRoot := t.hasRoot // with span-ingest nobody looks at a trace's spans once more after a restart
	if !w.set.SpanIngest {
		hasRoot = slices.ContainsFunc(t.spans, func(s twinSpan) bool { return s.root })
	}
	return hasRoot && now-t.newest >= quiet
}

func (w *twin) dropAll() {
	for _, t := range slices.Clone(w.open) {
		w.stats.SpansDropped[DropShutdown] += uint64(len(t.spans))
		w.forget(t)
	}
}

// restart forgets what a process does when it is killed: clocks, promises and counts.
func (w *twin) restart(now time.Duration, undelivered []twinDecision) {
	w.stats = Stats{}
	for _, t := range w.open {
		t.arrival, t.newest, t.due, t.hasRoot, t.promised = now, now, now+w.shorten(w.set.Wait), false, false
		w.stats.NewTraces++
		w.stats.TracesRecovered++
		w.stats.SpansRecovered += uint64(len(t.spans))
	}
	w.out = nil
	for _, d := range undelivered {
		if d.reason == ReasonRescue && !d.wasOpen {
			d.spans = nil // counted when they are found
			w.out = append(w.out, d)
			continue
		}
		w.stats.SpansRecovered += uint64(len(d.spans))
		w.emit(d.id, d.spans, ReasonRecovered)
	}
}
