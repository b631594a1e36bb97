package remotewrite

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/tailgate-otel/tailgate/internal/remotewrite/frame"
	"github.com/tailgate-otel/tailgate/internal/remotewrite/journal"
)

// pump takes frames from the journal, or samples from the lead, and gives them to the shards. It is one goroutine.
type pump struct {
	s       *Sender
	decoder frame.Decoder
	segment uint32
	shards  *shards
	open    []*batch // by shard; nil: none
	flushAt time.Time

	newestRead int64 // timestamp
	stepMillis int64 // of the next step that is read back, if longer than configured

	// Until the pump is past all positions that a former process has left, it asks each lane for its own.
	resume      [lanes]journal.Position
	resumeUntil journal.Position

	reshardAt time.Time
	last      rates
}

// pause is how long the pump waits after a file or the lead could not be read.
const pause = time.Second

// run ends when the sender is closed and everything has been sent, or when ctx ends.
func (p *pump) run(ctx context.Context) {
	defer close(p.s.pumped)
	p.start(p.s.cfg.Queue.MinShards)
	for ctx.Err() == nil && p.turn(ctx) {
	}
	p.flush(ctx)
	p.shards.stop()
}

// turn does one thing, and says whether there is more to come.
func (p *pump) turn(ctx context.Context) bool {
	stopping := p.s.stopping()
	f, ok, holes, err := p.next()
	if holes {
		if stopping {
			return false // the holes are on disk, and what follows must not overtake them
		}
		if !p.readBack(ctx) {
			p.rest(ctx)
		}
		p.reshard(ctx)
		return true
	}
	switch damage := (*journal.DamageError)(nil); {
	case errors.As(err, &damage):
		p.damaged(damage)
	case err != nil:
		p.s.diskError("read the queue", err)
		p.rest(ctx)
	case ok:
		p.distribute(ctx, f)
		p.newestRead = max(p.newestRead, f.Summary.Fresh.To)
		p.s.release(p.s.progress.passed(f))
	case stopping:
		return false
	default:
		p.idle(ctx)
	}
	if len(p.open) > 0 && !p.flushAt.IsZero() && !time.Now().Before(p.flushAt) {
		p.flush(ctx)
	}
	p.reshard(ctx)
	return true
}

// next returns the next frame, unless there are holes. The lock keeps a hole from coming between the look and the frame,
// which would then overtake what has to be read back.
func (p *pump) next() (f journal.Frame, ok, holes bool, err error) {
	p.s.limit.Lock()
	defer p.s.limit.Unlock()
	if n, _ := p.s.ledger.holes(); n > 0 {
		return f, false, true, nil
	}
	f, ok, err = p.s.journal.Next()
	return f, ok, false, err
}

// idle waits until there is something to do.
func (p *pump) idle(ctx context.Context) {
	wake := p.reshardAt
	if !p.flushAt.IsZero() && p.flushAt.Before(wake) {
		wake = p.flushAt
	}
	timer := time.NewTimer(time.Until(wake))
	defer timer.Stop()
	select {
	case <-p.s.journal.Appended():
	case <-p.s.holesChanged:
	case <-timer.C:
	case <-p.s.stop:
	case <-ctx.Done():
	}
}

func (p *pump) rest(ctx context.Context) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.s.stop:
	case <-ctx.Done():
	}
}

// distribute gives the samples of a frame to the batches of their shards.
func (p *pump) distribute(ctx context.Context, f journal.Frame) {
	if f.At.Segment != p.segment {
		p.flush(ctx) // what is open refers to the old dictionary
		p.decoder.NewSegment()
		p.segment = f.At.Segment
	}
	resuming := f.At.Before(p.resumeUntil)
	skip := p.s.ledger.cover(f.At)
	p.decoder.Begin(f.Payload)
	for at := f.At; ; at.Entry++ {
		x, err := p.decoder.Next()
		if err != nil {
			p.s.diskError("understand the queue", err) // the checksum was right: this is a defect, not damage
			return
		}
		if x == nil {
			break
		}
		if resuming && at.Before(p.resume[x.Series.Lane]) || len(skip) > 0 && among(skip, x.T) {
			continue
		}
		end := at
		end.Entry++
		p.add(ctx, x, &p.decoder.Dictionary, end, nil)
	}
	for _, b := range p.open {
		if b != nil {
			b.end = f.End
		}
	}
}

// add puts one entry into the batch of its shard, and the batch on its way when it is full. end is the position behind
// the entry.
func (p *pump) add(ctx context.Context, x *frame.Entry, d *frame.Dictionary, end journal.Position, step *sync.WaitGroup) {
	shard := int(x.Series.Lane) % len(p.open)
	b := p.open[shard]
	if b == nil {
		b = p.s.takeBatch()
		b.shard, b.step = shard, step
		if step != nil {
			step.Add(1)
		}
		p.open[shard] = b
		p.s.progress.begin(shard)
		if p.flushAt.IsZero() {
			p.flushAt = time.Now().Add(time.Duration(p.s.cfg.Queue.BatchSendDeadline))
		}
	}
	b.Add(x)
	p.s.metrics.hold(countOf(x), 1)
	b.end = end
	if len(b.Items) >= p.s.cfg.Queue.MaxSamplesPerSend {
		p.submit(ctx, shard, d)
	}
}

func countOf(x *frame.Entry) journal.Counts {
	c := journal.Counts{Exemplars: len(x.Exemplars)}
	if x.Histogram != nil {
		c.Histograms = 1
	} else {
		c.Samples = 1
	}
	return c
}

// submit hands a batch to its shard, which owns it from then on. It waits while the shard has as many as it may.
func (p *pump) submit(ctx context.Context, shard int, d *frame.Dictionary) {
	b := p.open[shard]
	p.open[shard] = nil
	b.Dictionary = *d
	b.count = b.Count(b.Items)
	select {
	case p.shards.queues[shard] <- b:
	case <-ctx.Done():
		p.s.abandon(b)
	}
}

// flush hands over all batches that are open.
func (p *pump) flush(ctx context.Context) { p.flushFrom(ctx, &p.decoder.Dictionary) }

func (p *pump) flushFrom(ctx context.Context, d *frame.Dictionary) {
	for shard, b := range p.open {
		if b != nil {
			p.submit(ctx, shard, d)
		}
	}
	p.flushAt = time.Time{}
}

func (p *pump) damaged(d *journal.DamageError) {
	p.s.metrics.damaged.Inc()
	p.s.log.Error("a segment of the remote-write queue is damaged", slog.String("error", d.Error()))
	lost := d.Lost
	if p.s.lead == nil {
		p.s.metrics.dropped(lost.Counts, reasonDamaged)
		return
	}
	if d.Unknown {
		// From the newest sample that was read to the next one that will be, or to now. Where nothing was read, one step
		// has to do: nothing says when the process died.
		next := p.s.journal.Unread().Fresh.From
		next = min(next, time.Now().UnixMilli())
		lost.Fresh.Include(next)
		lost.Fresh.Include(min(next, cmp.Or(p.newestRead, next-p.s.cfg.ReadBackStep.Milliseconds())))
	}
	p.s.lose(journal.Lost{Segment: d.At.Segment, Summary: lost, Reading: journal.NoFrames()})
}

// start begins sending with n shards.
func (p *pump) start(n int) {
	p.s.progress.reshard(n)
	p.open = make([]*batch, n)
	p.shards = startShards(p.s, n)
	p.s.metrics.shards.Set(float64(n))
}

// These are Prometheus' own figures: shards follow the load slowly, not for less than a third, and what waits is to shrink
// by a twentieth each second.
const (
	reshardEvery   = 10 * time.Second
	shardTolerance = 0.3
	backlogShare   = 0.05
)

// rates are totals at one time.
type rates struct {
	at      time.Time
	in, out int64
	sending time.Duration
}

// reshard changes the number of shards to what the rates of the last interval ask for.
func (p *pump) reshard(ctx context.Context) {
	now := time.Now()
	if now.Before(p.reshardAt) {
		return
	}
	p.reshardAt = now.Add(reshardEvery)
	m := p.s.metrics
	next := rates{at: now, in: m.in.Load(), out: m.out.Load(), sending: time.Duration(m.sending.Load())}
	last := p.last
	p.last = next
	answering := now.UnixNano()-m.lastSent.Load() < int64(reshardEvery)
	if last.at.IsZero() || next.out == last.out || !answering || p.s.stopping() {
		return
	}
	n := p.desired(last, next)
	if n == len(p.open) {
		return
	}
	p.flush(ctx)
	if !p.drained(ctx) {
		return
	}
	p.s.log.Info("remote write changes its number of shards", slog.Int("from", len(p.open)), slog.Int("to", n))
	p.shards.stop()
	p.start(n)
}

// desired is how many shards it takes to send what comes in and some of what waits, at the time that a sample takes.
func (p *pump) desired(last, next rates) int {
	seconds := next.at.Sub(last.at).Seconds()
	perSample := (next.sending - last.sending).Seconds() / float64(next.out-last.out)
	unread := p.s.journal.Unread()
	waiting := float64(unread.Samples + unread.Histograms)
	want := perSample * (float64(next.in-last.in)/seconds + backlogShare*waiting)
	p.s.metrics.desired.Set(want)
	now := float64(len(p.open))
	want = math.Ceil(want)
	if want >= now*(1-shardTolerance) && want <= now*(1+shardTolerance) {
		return len(p.open)
	}
	n := min(max(int(want), p.s.cfg.Queue.MinShards), p.s.cfg.Queue.MaxShards)
	if n < len(p.open) && p.s.metrics.lag() > 10 {
		return len(p.open) // not while it is behind
	}
	return n
}

// drained waits until every shard has delivered what it has.
func (p *pump) drained(ctx context.Context) bool {
	for !p.s.progress.idle() {
		select {
		case <-p.s.progress.changed:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// shards are the goroutines that send.
type shards struct {
	queues []chan *batch
	joined sync.WaitGroup
}

func startShards(s *Sender, n int) *shards {
	sh := &shards{queues: make([]chan *batch, n)}
	// Prometheus' meaning of capacity: samples per shard that may wait in memory.
	depth := max(s.cfg.Queue.Capacity/s.cfg.Queue.MaxSamplesPerSend, 1)
	for i := range sh.queues {
		sh.queues[i] = make(chan *batch, depth)
		sh.joined.Go(func() { s.serve(sh.queues[i]) })
	}
	return sh
}

// stop ends the shards once they have delivered what they have, or the sender's context has ended.
func (sh *shards) stop() {
	for _, q := range sh.queues {
		close(q)
	}
	sh.joined.Wait()
}
