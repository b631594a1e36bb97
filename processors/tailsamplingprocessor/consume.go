package tailsamplingprocessor

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/segstore"
	"github.com/tailgate-otel/tailgate/internal/tracelog"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/internal/engine"
)

// request is what is found out about a request before the first lock: its resources and scopes, and the lane of each
// span.
type request struct {
	resources []tracelog.Resource
	scopes    []tracelog.Scope
	laneOf    []uint8
	spans     [256]int // per lane
	services  []uint32
	level     engine.Level // of the gate, for spans that are marked byChance
}

var requests = sync.Pool{New: func() any { return new(request) }}

func (r *request) reset(resources, scopes, spans int) {
	r.resources = resize(r.resources, resources)
	r.services = resize(r.services, resources)
	r.scopes = resize(r.scopes, scopes)
	r.laneOf = resize(r.laneOf, spans)
	clear(r.spans[:])
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		s = make([]T, 0, n+n/2)
	}
	return s[:0]
}

// release returns r to the pool without what refers to the request.
func (r *request) release() {
	clear(r.resources)
	clear(r.scopes)
	requests.Put(r)
}

// wholeFragments says that what is asked about a ResourceSpans is asked about all of it, however long that holds the lock.
func (c *Config) wholeFragments() bool {
	return c.SamplingStrategy == policy.SpanIngest || c.MaximumTraceSizeBytes > 0
}

// spansPerLock bounds how long a lane is locked: 0.3 ms at 1.2 µs per span.
const spansPerLock = 256

// ConsumeTraces takes the spans in. An error is retryable and means that some of them, counted as refused, were not taken.
func (p *sampler) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	weighs := p.overload.weighs(p.now().Mono, p.cfg.DecisionWait)
	if !weighs {
		err := p.admit(ctx, td.SpanCount(), &patience{mayBegin: true})
		if weighs = errors.Is(err, errBegun); err != nil && !weighs {
			p.telemetry.refuse(refusedMemory, td.SpanCount())
			return err
		}
	}
	r := requests.Get().(*request)
	defer r.release()
	p.prepare(r, td)
	first := p.fragments.Add(uint64(len(r.resources))) - uint64(len(r.resources)) + 1
	left := len(r.laneOf)
	if weighs {
		if left -= p.turnAway(r, first, td); left == 0 {
			return nil
		}
		if err := p.admit(ctx, left, new(patience)); err != nil {
			p.telemetry.refuse(refusedMemory, left)
			return err
		}
	}
	return p.take(ctx, r, first, left, td)
}

// take brings the spans to their lanes, but for those that were turned away.
func (p *sampler) take(ctx context.Context, r *request, first uint64, left int, td ptrace.Traces) error {
	for i := range p.lanes {
		if r.spans[i] == 0 {
			continue
		}
		in := intake{
			sampler: p, lane: p.lanes[i], index: uint8(i), request: r, first: first,
			wholeFragments: p.cfg.wholeFragments(),
		}
		err := in.run(ctx, td)
		if left -= in.taken; err != nil {
			p.telemetry.refuse(refusalOf(err), left)
			return err
		}
	}
	return nil
}

func (p *sampler) prepare(r *request, td ptrace.Traces) {
	all := td.ResourceSpans()
	scopes, spans := 0, 0
	for _, rs := range all.All() {
		scopes += rs.ScopeSpans().Len()
		for _, ss := range rs.ScopeSpans().All() {
			spans += ss.Spans().Len()
		}
	}
	r.reset(all.Len(), scopes, spans)
	mask := uint64(len(p.lanes) - 1)
	for _, rs := range all.All() {
		r.resources = append(r.resources, p.sums.Resource(rs))
		r.services = append(r.services, p.service(rs))
		res := &r.resources[len(r.resources)-1]
		for _, ss := range rs.ScopeSpans().All() {
			r.scopes = append(r.scopes, p.sums.Scope(res, ss))
			for _, span := range ss.Spans().All() {
				l := uint8(engine.Hash(span.TraceID()) >> 32 & mask)
				r.laneOf = append(r.laneOf, l)
				r.spans[l]++
			}
		}
	}
}

var serviceSeed = maphash.MakeSeed()

// service tells services apart where waits are learned per service.
func (p *sampler) service(rs ptrace.ResourceSpans) uint32 {
	if p.cfg.AdaptiveWait.Quantile == 0 {
		return 0
	}
	name, _ := rs.Resource().Attributes().Get("service.name")
	return uint32(maphash.String(serviceSeed, name.Str()))
}

// intake brings the spans of a request that belong to one lane there.
type intake struct {
	*sampler
	lane    *lane
	index   uint8
	request *request
	first   uint64 // fragment id of the first ResourceSpans

	wholeFragments bool

	taken  int
	locked bool
	since  int // spans since the lock was taken
	now    engine.Now
}

func (in *intake) run(ctx context.Context, td ptrace.Traces) error {
	defer in.unlock()
	span, scope := 0, 0
	for i, rs := range td.ResourceSpans().All() {
		f := engine.Fragment{
			Resource: rs, ID: in.first + uint64(i),
			ResourceSize: in.request.resources[i].Size, Service: in.request.services[i],
		}
		for j, ss := range rs.ScopeSpans().All() {
			f.Scope, f.Spans, f.Index = &in.request.scopes[scope], ss, uint32(j)
			scope++
			spans := ss.Spans()
			for k := range spans.Len() {
				if lane := in.request.laneOf[span]; lane&^byChance == in.index {
					if f.Gate = 0; lane != in.index {
						f.Gate = in.request.level
					}
					if err := in.add(ctx, &f, spans.At(k)); err != nil {
						return err
					}
				}
				span++
			}
		}
		if in.locked {
			in.lane.shard.EndFragment(in.now)
			if in.since >= spansPerLock {
				in.unlock()
			}
		}
	}
	return nil
}

// add takes one span in, and makes room for it if there is none.
func (in *intake) add(ctx context.Context, f *engine.Fragment, span ptrace.Span) error {
	if in.since >= spansPerLock && !in.wholeFragments {
		in.unlock()
	}
	var wait patience
	for {
		if err := in.lock(); err != nil {
			return err
		}
		err := in.lane.shard.Add(in.now, f, span)
		if err == nil {
			break
		}
		in.unlock()
		if err = in.makeRoom(ctx, err, &wait); err != nil {
			return err
		}
	}
	in.since++
	in.taken++
	return nil
}

func (in *intake) lock() error {
	if in.locked {
		return nil
	}
	if err := in.lane.lock(); err != nil {
		return err
	}
	in.locked, in.since, in.now = true, 0, in.sampler.now()
	return nil
}

// unlock settles what the shard has of the fragment at hand, since others may come in between.
func (in *intake) unlock() {
	if !in.locked {
		return
	}
	in.lane.shard.EndFragment(in.now)
	in.lane.unlock()
	in.locked = false
}

// errOverloaded is retryable: senders keep the request and come back.
var errOverloaded = errors.New("tail_sampling: the buffer is full and kept traces do not leave fast enough; retry later, or raise max_buffer")

// errBegun says that the constant-time mode has begun, and the request should be weighed.
var errBegun = errors.New("tail_sampling: traces are turned away")

// patience is how long a caller waits for room before its request is refused: a second in all.
type patience struct {
	expired  <-chan time.Time
	soon     <-chan time.Time // sooner, to begin the constant-time mode
	mayBegin bool             // it has not begun, and no part of the request is taken already
}

const roomTimeout = time.Second

func (w *patience) start() {
	if w.expired != nil {
		return
	}
	w.expired = time.After(roomTimeout)
	if w.mayBegin {
		w.soon = time.After(sampleAfter)
	}
}

// admit makes sure that there is room for a request before any of it is stored, since the rest of a request that is
// refused in the middle would arrive twice.
func (p *sampler) admit(ctx context.Context, spans int, wait *patience) error {
	for !p.store.fits(p.segment) {
		if p.overhead.Load() > p.store.Used() && p.relieveIndex(spans) {
			p.relieve() // the index does not shrink by that: the log must, as decisions are remembered
			return nil
		}
		if err := p.makeRoom(ctx, segstore.ErrFull, wait); err != nil {
			return err
		}
	}
	return nil
}

// makeRoom frees memory by early decisions or else waits until something has left. It returns nil when it is worth trying
// again. cause says what there is no room for.
func (p *sampler) makeRoom(ctx context.Context, cause error, wait *patience) error {
	freed := p.space.wait()
	var expired, soon <-chan time.Time
	if !errors.Is(cause, engine.ErrTooManyTraces) { // then, by block_on_overflow, as long as the caller waits
		if p.relieve() || p.overhead.Load() > p.store.Used() && p.relieveIndex(decideAtOnce) {
			return nil
		}
		wait.start()
		expired, soon = wait.expired, wait.soon
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("%w (%w)", cause, ctx.Err())
	case <-p.delivery.Done():
		return errEnded
	case <-expired:
		if !errors.Is(cause, segstore.ErrFull) {
			return fmt.Errorf("tail_sampling: store a span: %w", cause)
		}
		return errOverloaded
	case <-soon:
		if p.beginOverload() {
			return errBegun
		}
		return nil
	case <-freed:
		return nil
	}
}

// relieve decides the traces of the lanes' oldest segments, those with the longest logs first, until a segment is free. A
// lane whose kept traces do not leave frees nothing more; then it is the next one's turn.
func (p *sampler) relieve() bool {
	used := p.store.Used()
	tries := 4 // each decides a segment's traces; where more does not help, waiting for the senders does
	for _, l := range p.longestFirst() {
		for ; tries > 0 && l.relieve(p.now()); tries-- {
			if p.store.Used() < used {
				return true
			}
		}
	}
	return false
}

// relieveIndex decides complete and old traces of the lane that has most, where logs are short and it is the number of
// traces that fills the memory: those of the next spans take their places.
func (p *sampler) relieveIndex(spans int) bool {
	var fullest *lane
	most := int64(decideAtOnce)
	for _, l := range p.lanes {
		l.mu.Lock()
		if n := l.shard.Stats().TracesOpen; n > most && !l.ended {
			fullest, most = l, n
		}
		l.mu.Unlock()
	}
	if fullest == nil || fullest.lock() != nil {
		return false
	}
	decided := fullest.shard.Thin(p.now(), max(decideAtOnce, spans))
	fullest.unlock()
	return decided > 0
}

func (l *lane) relieve(now engine.Now) (useful bool) {
	if l.lock() != nil {
		return false
	}
	useful = l.shard.Relieve(now)
	l.unlock()
	return useful
}

// longestFirst returns the lanes by the lengths of their logs.
func (p *sampler) longestFirst() []*lane {
	lanes := slices.Clone(p.lanes)
	lengths := make(map[*lane]int, len(lanes))
	for _, l := range lanes {
		l.mu.Lock()
		lengths[l] = l.shard.Segments()
		l.mu.Unlock()
	}
	slices.SortFunc(lanes, func(a, b *lane) int { return lengths[b] - lengths[a] })
	return lanes
}
