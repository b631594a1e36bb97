package span

import (
	"context"
	"encoding/binary"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/tailgate-otel/tailgate/internal/otlpwire"
)

// Sender delivers one ExportTraceServiceRequest. It obeys ctx, may be called by several goroutines, and does not touch
// request after it returned. rejected is how many spans the receiver took delivery of and refused. An error that the
// same request may outlive is a *RetryableError.
type Sender interface {
	Send(ctx context.Context, request []byte) (rejected int64, err error)
}

// Settings are what an Exporter is started with. Zero values stand for the defaults.
type Settings struct {
	Resource *resource.Resource
	Scope    instrumentation.Scope
	Sender   Sender
	// OnError is told about chunks that were given up, from the goroutines that send. Nil: nobody is told.
	OnError func(error)

	// ChunkBytes is the size of a request at most. Default 256 KiB, some 500 spans: at 45 MB/s of spans (50,000 requests/s,
	// 2 spans of 450 bytes) 180 requests/s. Larger ones save little more and delay shedding; smaller ones cost the
	// collector a request each.
	ChunkBytes int
	// MaxBytes bounds the memory of all chunks, open, waiting and on their way. Default 16 MiB: 18 s of the spans of 1,000
	// requests/s for a collector that restarts.
	MaxBytes int
	// Interval is how long a span waits for company. Default 1s.
	Interval time.Duration
	// Senders is how many requests may be under way at once. Default 2: one may wait for a retry while the other goes on.
	Senders int
	Retry   Retry
}

const (
	defaultChunkBytes = 256 << 10
	defaultMaxBytes   = 16 << 20
	defaultInterval   = time.Second
	defaultSenders    = 2
)

func (s Settings) withDefaults() Settings {
	s.ChunkBytes = orDefault(s.ChunkBytes, defaultChunkBytes)
	s.MaxBytes = orDefault(s.MaxBytes, defaultMaxBytes)
	s.Interval = orDefault(s.Interval, defaultInterval)
	s.Senders = orDefault(s.Senders, defaultSenders)
	s.Retry = s.Retry.withDefaults()
	if s.Resource == nil {
		s.Resource = resource.Empty()
	}
	if s.OnError == nil {
		s.OnError = func(error) {}
	}
	return s
}

func orDefault[T int | time.Duration](v, fallback T) T {
	if v <= 0 {
		return fallback
	}
	return v
}

// Exporter collects ended spans and sends them. All methods are safe for concurrent use.
type Exporter struct {
	settings Settings
	envelope envelope
	shards   []shard
	mask     uint32

	free      chan *chunk          // empty chunks; room for all, so that nobody waits to give one back
	full      chan *chunk          // closed chunks and one flush's marks; room for all, so that the request path never waits
	flushes   chan chan<- struct{} // to the sweeper; unbuffered
	allocated atomic.Int64
	maxChunks int64

	sending context.Context // ends when what is left is to be given up
	giveUp  context.CancelFunc
	stop    chan struct{} // closed: the sweeper ends
	stopped sync.Once
	sweeper sync.WaitGroup
	senders sync.WaitGroup

	counts counts
}

// shard is an open chunk.
type shard struct {
	mu       sync.Mutex // guards what follows; no other lock is taken under it
	open     *chunk     // nil: none yet
	closed   bool       // shut down
	recorded uint64

	_ [64]byte // keeps two shards out of one cache line
}

// Start returns an Exporter whose goroutines run until Shutdown.
func Start(s Settings) *Exporter {
	s = s.withDefaults()
	e := &Exporter{settings: s, envelope: newEnvelope(s.Resource, s.Scope), stop: make(chan struct{})}
	s.ChunkBytes = max(s.ChunkBytes, 2*e.envelope.room)
	e.settings.ChunkBytes = s.ChunkBytes
	e.maxChunks = int64(max(s.MaxBytes/s.ChunkBytes, 2))
	// Twice as many shards as processors, so that there is nearly always one that nobody writes to; but at most a quarter
	// of the chunks may be open ones, since the others are for waiting.
	n := 1
	for n < 2*runtime.GOMAXPROCS(0) && int64(n)*8 <= e.maxChunks {
		n *= 2
	}
	e.shards, e.mask = make([]shard, n), uint32(n-1)
	e.free, e.full = make(chan *chunk, e.maxChunks), make(chan *chunk, int(e.maxChunks)+s.Senders)
	e.flushes = make(chan chan<- struct{})
	e.sending, e.giveUp = context.WithCancel(context.Background())
	e.sweeper.Go(e.runSweeper)
	for range s.Senders {
		e.senders.Go(e.runSender)
	}
	return e
}

// End finishes r at the time at and hands its span over. r may be begun again at once.
func (e *Exporter) End(r *Record, at time.Time) {
	if !r.recording {
		return
	}
	r.recording, r.end = false, r.unixNano(at)
	n := r.size()
	total := otlpwire.SizeBytes(otlpwire.ScopeSpansSpans, n)
	s := e.lockShard(r)
	s.recorded++
	c, why := e.roomFor(s, total)
	if c == nil {
		s.mu.Unlock()
		why(&e.counts).Add(1)
		return
	}
	c.buf = r.append(otlpwire.AppendHeader(c.buf, otlpwire.ScopeSpansSpans, n))
	c.spans++
	s.mu.Unlock()
}

// lockShard locks the shard that r's trace belongs to, so that the spans of a request travel together, or, if that one is
// being written to, the next that is not.
func (e *Exporter) lockShard(r *Record) *shard {
	i := binary.LittleEndian.Uint32(r.context.TraceID[12:])
	for k := range uint32(len(e.shards)) {
		if s := &e.shards[(i+k)&e.mask]; s.mu.TryLock() {
			return s
		}
	}
	s := &e.shards[i&e.mask]
	s.mu.Lock()
	return s
}

// roomFor returns a chunk with n bytes of room, or nil and what to count. s.mu is held.
func (e *Exporter) roomFor(s *shard, n int) (*chunk, reason) {
	if s.closed {
		return nil, droppedShutdown
	}
	if n > e.settings.ChunkBytes-e.envelope.room {
		return nil, droppedTooLarge
	}
	if s.open != nil && len(s.open.buf)+n > cap(s.open.buf) {
		e.full <- s.open
		s.open = nil
	}
	if s.open == nil {
		s.open = e.newChunk()
	}
	return s.open, droppedQueueFull
}

func (e *Exporter) newChunk() *chunk {
	select {
	case c := <-e.free:
		return c
	default:
	}
	if e.allocated.Add(1) > e.maxChunks {
		e.allocated.Add(-1)
		return nil
	}
	return &chunk{buf: make([]byte, e.envelope.room, e.settings.ChunkBytes)}
}

func (e *Exporter) recycle(c *chunk) {
	c.buf, c.spans = c.buf[:e.envelope.room], 0
	e.free <- c
}

func (e *Exporter) runSweeper() {
	tick := time.NewTicker(e.settings.Interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			e.sweep(false)
		case done := <-e.flushes:
			e.flush()
			close(done)
		case <-e.stop:
			e.sweep(true)
			close(e.full)
			return
		}
	}
}

// sweep queues all open chunks, several in one where they fit. With last it closes the shards.
func (e *Exporter) sweep(last bool) {
	var gathered *chunk
	for i := range e.shards {
		c := e.shards[i].take(last)
		switch {
		case c == nil:
		case gathered == nil:
			gathered = c
		case len(gathered.buf)+len(c.buf)-e.envelope.room <= cap(gathered.buf):
			gathered.buf = append(gathered.buf, c.buf[e.envelope.room:]...)
			gathered.spans += c.spans
			e.recycle(c)
		default:
			e.full <- gathered
			gathered = c
		}
	}
	if gathered != nil {
		e.full <- gathered
	}
}

// flush queues all open chunks and waits until every sender is done with what was queued before. There is one flush at a
// time, since the sweeper does nothing else meanwhile.
func (e *Exporter) flush() {
	e.sweep(false)
	var barrier sync.WaitGroup
	barrier.Add(e.settings.Senders)
	for range e.settings.Senders {
		e.full <- &chunk{barrier: &barrier}
	}
	barrier.Wait()
}

// Flush waits until all spans that ended before are delivered, or given up. With a collector that does not answer it ends
// with ctx, and the exporter goes on trying. After Shutdown it returns at once.
func (e *Exporter) Flush(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case e.flushes <- done:
	case <-e.stop:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *shard) take(last bool) *chunk {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.open
	s.open, s.closed = nil, s.closed || last
	return c
}

// Shutdown sends what was recorded, for as long as ctx allows, and ends the exporter's goroutines. What could not be sent
// is counted as failed; spans that end later are counted as dropped. It may be called twice.
func (e *Exporter) Shutdown(ctx context.Context) error {
	e.stopped.Do(func() { close(e.stop) })
	unhurry := context.AfterFunc(ctx, e.giveUp)
	defer unhurry()
	e.sweeper.Wait()
	e.senders.Wait()
	if e.sending.Err() != nil {
		return ctx.Err()
	}
	e.giveUp()
	return nil
}
