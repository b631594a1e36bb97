package tailsamplingprocessor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor/pkg/samplingpolicy"
	"github.com/tailgate-otel/tailgate/internal/decisionmemory"
	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/segstore"
	"github.com/tailgate-otel/tailgate/internal/tracefate"
	"github.com/tailgate-otel/tailgate/internal/tracelog"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/internal/engine"
)

// sampler is the processor.
type sampler struct {
	set    processor.Settings
	cfg    *Config
	logger *zap.Logger
	next   consumer.Traces

	evaluators map[string]samplingpolicy.Extension // policy types of extensions, by id

	start     time.Time
	sums      *tracelog.Sums
	fragments atomic.Uint64
	store     *budget
	segment   int                              // bytes of a segment of the log
	newMemory func(limit int64) segstore.Store // makes the store of a sampler without storage
	durable   bool                             // the store outlives the process
	auction   bool                             // policies let the traces of one second compete
	lanes     []*lane
	overhead  atomic.Int64 // bytes of indexes and decision memories
	telemetry *telemetry
	debug     *debugServer
	reserve   func() // gives the memory limit back
	leave     func() // the list of samplers that others may ask

	overload    overload
	space       notifier        // memory or traces were freed
	delivery    context.Context // ends with the time of the shutdown
	endDelivery context.CancelFunc
	stop        context.CancelFunc // of the ticker; nil: not started
	ticker      sync.WaitGroup     // and the watcher of the policies' file
	senders     sync.WaitGroup
}

// lane is one shard of traces: the lock, what it guards, and the sender of what the shard keeps.
type lane struct {
	mu    sync.Mutex // guards shard, queue, ended and counted; never held with another lane's
	shard *engine.Shard
	store *garbage          // guarded as the shard is
	queue []engine.Decision // kept traces on their way to the sender
	ended bool              // nothing is taken in any more, and the store may be gone

	readers  sync.WaitGroup // of a log that is lent; the store is not closed before
	overhead *atomic.Int64  // of all lanes, the sampler's
	counted  int64          // in overhead

	busySince atomic.Int64  // time on the monotonic clock since which the sender has not been done with the queue; 0: it is
	wake      chan struct{} // capacity 1: something was queued
	delivered atomic.Uint64 // spans
	failed    atomic.Uint64 // spans
	abandoned atomic.Uint64 // spans; those of failed that the end of the shutdown came before
	rescued   atomic.Uint64 // spans that had been dropped
}

// durableLanes is the number of lanes of a sampler with storage. It is fixed, since a trace must be found in its lane
// again after a restart on another machine.
const durableLanes = 8

func newSampler(set processor.Settings, cfg *Config, next consumer.Traces) (*sampler, error) {
	t, err := newTelemetry(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &sampler{
		set: set, cfg: cfg, logger: set.Logger, next: next, telemetry: t, sums: tracelog.NewSums(),
		newMemory: func(limit int64) segstore.Store { return segstore.NewMemory(limit) },
		overload:  overload{samples: cfg.Overload.Mode == overloadSample},
	}, nil
}

// Capabilities says that spans are only read.
func (*sampler) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: false}
}

// Start compiles the policies, opens the store and starts the ticker and the senders.
func (p *sampler) Start(_ context.Context, host component.Host) error {
	p.evaluators = evaluators(host)
	_, seen, _ := readPolicyFile(p.cfg.PoliciesFile) // before it is read to be compiled, so that no change is missed
	program, err := p.compile()
	if err != nil {
		return err
	}
	p.auction = program.Auctions()
	p.start = time.Now()
	former, err := p.open()
	if err != nil {
		return err
	}
	p.lanes = make([]*lane, p.laneCount())
	p.segment = segmentSize(int64(p.cfg.MaxBuffer), len(p.lanes))
	for i := range p.lanes {
		store := &garbage{Store: p.store}
		p.lanes[i] = &lane{
			shard: engine.New(p.shardSettings(i, store, program)), store: store,
			wake: make(chan struct{}, 1), overhead: &p.overhead,
		}
	}
	p.telemetry.begin(p, program)
	p.restore(former)
	if p.debug, err = startDebug(p); err != nil {
		return errors.Join(err, p.store.Close())
	}
	p.warn()
	if !p.durable {
		p.reserve = reserveMemory(int64(p.cfg.MaxBuffer))
	}
	p.telemetry.flush()
	p.leave = tracefate.Enter(p)
	p.delivery, p.endDelivery = context.WithCancel(context.Background())
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	p.ticker.Go(func() { p.tick(ctx) })
	if p.cfg.PoliciesFile != "" {
		p.ticker.Go(func() { p.watch(ctx, seen) })
	}
	for _, l := range p.lanes {
		p.senders.Go((&sender{sampler: p, lane: l}).run)
	}
	return nil
}

// warn says what of the configuration does not do what one may think.
func (p *sampler) warn() {
	if p.cfg.TailStorage != nil {
		p.logger.Warn("tail_storage is not used; storage::directory keeps the buffer in files", zap.Stringer("tail_storage", p.cfg.TailStorage))
	}
	if limit := debug.SetMemoryLimit(-1); !p.durable && int64(p.cfg.MaxBuffer) > limit/2 {
		p.logger.Warn("max_buffer is more than half of GOMEMLIMIT: what the buffer takes is missing for everything else; lower the one or raise the other",
			zap.Int64("max_buffer", int64(p.cfg.MaxBuffer)), zap.Int64("GOMEMLIMIT", limit))
	}
}

// laneCount is twice the number of processors, as a power of two and at most 16, so that two callers seldom want the same
// lock. Limiters that let the traces of one second compete must see them all: then there is one lane.
func (p *sampler) laneCount() int {
	switch {
	case p.durable:
		return durableLanes
	case p.auction:
		return 1
	}
	return min(16, 1<<bits.Len(uint(runtime.GOMAXPROCS(0))))
}

func (p *sampler) shardSettings(i int, store segstore.Store, program *policy.Program) engine.Settings {
	n := len(p.lanes)
	set := engine.Settings{
		Log: tracelog.New(tracelog.Settings{
			Shard: i, Store: store, SegmentSize: p.segment, Checksums: p.durable,
		}),
		Memory: decisionmemory.New(decisionmemory.Settings{
			Kept:    share(p.cfg.DecisionCache.SampledCacheSize, 200_000, n),
			Dropped: share(p.cfg.DecisionCache.NonSampledCacheSize, 2_000_000, n),
			TTL:     p.cfg.DecisionCache.TTL,
		}),
		Program:       program,
		Sums:          p.sums,
		Wait:          p.cfg.DecisionWait,
		WaitAfterRoot: p.cfg.DecisionWaitAfterRootReceived,
		Idle:          p.cfg.AdaptiveWait.IdleTimeout,
		Block:         p.cfg.BlockOnOverflow,
		MaxTraceBytes: p.cfg.MaximumTraceSizeBytes,
		SpanIngest:    p.cfg.SamplingStrategy == policy.SpanIngest,
		Early:         p.cfg.EarlyDecision,
		Rescue:        p.cfg.RescueLateSpans,
		Notes:         p.durable,
		History:       int64(p.cfg.RescueBuffer) / int64(n),
	}
	if p.cfg.NumTraces > 0 {
		set.MaxTraces = share(int(p.cfg.NumTraces), 0, n)
	}
	if p.cfg.AdaptiveWait.Quantile > 0 {
		set.Lateness = &engine.Lateness{Quantile: p.cfg.AdaptiveWait.Quantile, Min: p.cfg.AdaptiveWait.Minimum}
	}
	return set
}

// share divides a number among lanes. Trace ids spread at random, so that a lane may get 4 standard deviations more.
func share(n, otherwise, lanes int) int {
	if n == 0 {
		n = otherwise
	}
	each := n / lanes
	if lanes == 1 {
		return max(1, n)
	}
	return max(1, each+4*isqrt(each))
}

func isqrt(n int) int {
	r := 0
	for (r+1)*(r+1) <= n {
		r++
	}
	return r
}

// segmentSize is 2 MiB, or less if the buffer is so small that it would hold fewer than 8 segments per lane.
func segmentSize(buffer int64, lanes int) int {
	size := int64(tracelog.DefaultSegmentSize)
	for size > 64<<10 && size*8*int64(lanes) > buffer {
		size /= 2
	}
	return int(size)
}

func (p *sampler) now() engine.Now {
	now := time.Now()
	return engine.Now{Mono: now.Sub(p.start), Wall: now}
}

const (
	tickEvery    = 50 * time.Millisecond
	auctionEvery = time.Second // as contrib does
	flushEvery   = time.Second
	decideAtOnce = 128 // traces per lock: 0.15 ms
)

// tick decides what is due and reports.
func (p *sampler) tick(ctx context.Context) {
	every := tickEvery
	if p.auction {
		every = auctionEvery
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	flushed := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		p.advance()
		if now := time.Now(); now.Sub(flushed) >= flushEvery {
			flushed = now
			p.telemetry.flush()
		}
	}
}

// advance decides all traces whose time has come, lane by lane.
func (p *sampler) advance() {
	pressure := p.pressure()
	limit := decideAtOnce
	if p.auction {
		limit = math.MaxInt
	}
	for _, l := range p.lanes {
		for more := true; more; {
			l.mu.Lock()
			began := time.Now()
			l.shard.SetPressure(pressure)
			now := p.now()
			more = l.shard.Advance(now, limit)
			held := time.Since(began)
			l.unlock()
			p.telemetry.decided(held)
		}
	}
	p.endOverload()
	p.space.broadcast()
}

// collect queues what the shard has kept. l.mu held.
func (l *lane) collect() { l.queue = append(l.queue, l.shard.Take()...) }

// errEnded is for callers that come later than a collector's pipelines do.
var errEnded = errors.New("tail_sampling: the processor is shut down")

// lock locks the lane for taking something in.
func (l *lane) lock() error {
	l.mu.Lock()
	if l.ended {
		l.mu.Unlock()
		return errEnded
	}
	return nil
}

// unlock ends what may have decided something: it queues what was kept, tells the sender, counts what the lane holds
// beside its log, and gives back what its log has freed.
func (l *lane) unlock() {
	l.collect()
	if len(l.queue) > 0 && !l.ended { // then the channel may be closed
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	now := l.shard.Overhead()
	l.overhead.Add(now - l.counted)
	l.counted = now
	garbage := l.store.take()
	l.mu.Unlock()
	l.store.giveBack(garbage)
}

// borrow lends the lane's whole log, to be read without the lock until it is given back. l.mu held, the lane not ended.
func (l *lane) borrow() (v tracelog.View, giveBack func()) {
	v, unpin := l.shard.Borrow()
	l.readers.Add(1)
	return v, func() {
		unpin()
		l.readers.Done()
	}
}

// pressure is how full the buffer is, 0 to 1.
func (p *sampler) pressure() float64 {
	return float64(p.store.Used()+p.overhead.Load()) / float64(p.cfg.MaxBuffer)
}

// Shutdown decides what is open, or leaves it to the next start if the store outlives the process, and hands on what was
// kept until the context ends.
func (p *sampler) Shutdown(ctx context.Context) error {
	if p.stop == nil {
		return nil
	}
	p.stop()
	p.stop = nil
	p.ticker.Wait()
	p.leave()
	err := p.debug.stop(ctx)
	for _, l := range p.lanes {
		l.mu.Lock()
		switch {
		case p.durable:
		case p.cfg.DropPendingTracesOnShutdown:
			l.shard.DropAll()
		default:
			for l.shard.DecideOldest(p.now(), decideAtOnce, engine.ReasonShutdown) > 0 {
			}
		}
		l.collect()
		l.ended = true
		l.mu.Unlock()
	}
	p.space.broadcast()
	lost, done := p.drain(ctx)
	p.telemetry.flush()
	p.telemetry.shutdown()
	if p.reserve != nil {
		p.reserve()
	}
	if lost > 0 && !p.durable {
		err = errors.Join(err, fmt.Errorf("%d spans of kept traces could not be handed on before the deadline of the shutdown", lost))
	}
	if !done { // somebody downstream does not return, and the sender still reads the store
		return errors.Join(err, errors.New("the next consumer did not return before the deadline of the shutdown"))
	}
	for _, l := range p.lanes {
		l.readers.Wait()
		l.mu.Lock()
		l.unlock()
	}
	return errors.Join(err, p.store.Close())
}

// notifier wakes all who wait for something that may have happened.
type notifier struct {
	mu sync.Mutex
	ch chan struct{}
}

// wait returns a channel that is closed at the next broadcast.
func (n *notifier) wait() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch == nil {
		n.ch = make(chan struct{})
	}
	return n.ch
}

func (n *notifier) broadcast() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch != nil {
		close(n.ch)
		n.ch = nil
	}
}
