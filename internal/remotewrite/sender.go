package remotewrite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/fileutil"

	"github.com/tailgate-otel/tailgate/internal/remotewrite/frame"
	"github.com/tailgate-otel/tailgate/internal/remotewrite/journal"
)

// lanes is how finely series are divided: a lane is always with one shard, and each has a position of its own. It
// bounds the shards, and is more than Prometheus' default of 50 for them.
const lanes = 64

// forgetAfter is how long a series is remembered after its last sample, or up to twice that. It is the range of a TSDB
// head, after which the lead may forget it too.
const forgetAfter = 2 * time.Hour

// ErrClosed is returned by Commit after Close.
var ErrClosed = errors.New("the remote-write sender is closed")

// Lead is the local storage that commits each sample before the sender sees it.
type Lead interface {
	// Labels returns the labels of a series that the lead gave ref to, before external labels and relabelling.
	Labels(ref storage.SeriesRef) (labels.Labels, bool)
	storage.Queryable
	storage.ExemplarQueryable
}

// Sender queues and sends. It is safe for concurrent use; an appender of it is not.
type Sender struct {
	cfg      Config
	lead     Lead
	log      *slog.Logger
	metrics  *metrics
	client   client
	protocol protocol
	refusals refusals

	lock     fileutil.Releaser
	journal  *journal.Journal
	encoder  frame.Encoder // the journal's lock guards it
	cache    *cache
	progress *progress
	ledger   *ledger
	limit    sync.Mutex    // held while segments are given up, and by the pump while it takes a frame
	released atomic.Uint32 // segments before this one are gone

	batches sync.Pool // *frame.Batch
	spare   sync.Pool // *batch

	ctx          context.Context // while it lasts, requests are begun
	giveUp       context.CancelFunc
	posting      context.Context // of requests; it outlasts ctx unless Close runs out of time
	abort        context.CancelFunc
	closed       atomic.Bool
	stop         chan struct{} // closed when Close begins
	holesChanged chan struct{} // capacity 1
	pumped       chan struct{} // closed when the pump and the shards have ended
	kept         sync.WaitGroup
	closeOnce    sync.Once
	closeErr     error

	failingSaid, refusedSaid throttle
}

// Open goes on where a former process stopped and starts to send. lead is nil for a sender that stands alone; reg may
// be nil. The lead must outlive the sender.
func Open(cfg Config, lead Lead, reg prometheus.Registerer, log *slog.Logger) (*Sender, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("remote write %s: %w", cfg.Name, err)
	}
	s := &Sender{
		cfg:          cfg,
		lead:         lead,
		log:          log.With(slog.String("remote_name", cfg.Name)),
		client:       client{http: cfg.Client, url: cfg.URL, timeout: cfg.Timeout},
		cache:        newCache(&cfg, lead),
		batches:      sync.Pool{New: func() any { return new(frame.Batch) }},
		spare:        sync.Pool{New: func() any { return new(batch) }},
		stop:         make(chan struct{}),
		holesChanged: make(chan struct{}, 1),
		pumped:       make(chan struct{}),
	}
	s.protocol.message = cfg.Message
	if err := s.openFiles(); err != nil {
		return nil, fmt.Errorf("remote write %s: %w", cfg.Name, err)
	}
	s.metrics = newMetrics(&s.cfg, reg)
	s.metrics.watch(&s.cfg, s.journal, s.ledger)
	if err := s.metrics.err(); err != nil {
		s.metrics.unregister()
		return nil, fmt.Errorf("remote write %s: %w", cfg.Name, errors.Join(err, s.closeFiles()))
	}
	s.posting, s.abort = context.WithCancel(context.Background())
	s.ctx, s.giveUp = context.WithCancel(s.posting)
	p := &pump{s: s, resume: s.progress.lanes, reshardAt: time.Now().Add(reshardEvery)}
	for _, at := range p.resume {
		if p.resumeUntil.Before(at) {
			p.resumeUntil = at
		}
	}
	s.keepLimit()
	go p.run(s.ctx)
	s.kept.Go(s.housekeep)
	return s, nil
}

func (s *Sender) openFiles() error {
	dir := s.cfg.Directory
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	lock, _, err := fileutil.Flock(filepath.Join(dir, "lock"))
	if err != nil {
		return fmt.Errorf("directory: %s is in use by another remote-write sender: give each remote its own, "+
			"and stop the other process: %w", dir, err)
	}
	s.lock = lock
	file, at, err := openPositions(filepath.Join(dir, "positions"))
	if err != nil {
		return errors.Join(err, lock.Release())
	}
	s.progress = &progress{lanes: at, open: make([]int, 1), file: file, changed: make(chan struct{}, 1)}
	oldest := s.progress.settle()
	s.ledger, err = openLedger(filepath.Join(dir, "holes.json"), oldest)
	if err == nil {
		s.journal, err = journal.Open(dir, journal.Options{
			SegmentBytes: s.cfg.segmentBytes(), From: oldest, Sync: s.cfg.SyncEvery > 0,
		})
	}
	if err != nil {
		return errors.Join(err, file.file.Close(), lock.Release())
	}
	return nil
}

func (s *Sender) closeFiles() error {
	return errors.Join(s.journal.Close(), s.progress.close(), s.lock.Release())
}

// AppenderV2 starts one batch. Its samples are queued by Commit, all or none.
func (s *Sender) AppenderV2(context.Context) storage.AppenderV2 {
	return &appender{sender: s, batch: s.batches.Get().(*frame.Batch)}
}

// Refused returns the latest refusals, newest first.
func (s *Sender) Refused() []Refusal { return s.refusals.list() }

// Close takes no more, sends what can be sent before ctx ends, and leaves the rest in the journal. If the server does not
// answer it does not wait for ctx. It can be called twice.
func (s *Sender) Close(ctx context.Context) error {
	s.closeOnce.Do(func() {
		s.closed.Store(true)
		close(s.stop)
		select {
		case <-s.pumped:
		case <-ctx.Done():
			s.abort()
			<-s.pumped
		}
		s.abort()
		s.kept.Wait()
		s.metrics.unregister()
		if err := s.closeFiles(); err != nil {
			s.closeErr = fmt.Errorf("close remote write %s: %w", s.cfg.Name, err)
		}
	})
	return s.closeErr
}

func (s *Sender) stopping() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// serve is one shard.
func (s *Sender) serve(queue <-chan *batch) {
	c := &courier{s: s}
	for b := range queue {
		if s.ctx.Err() != nil || !c.deliver(s.ctx, b) {
			s.abandon(b)
			continue
		}
		oldest, err := s.progress.finish(b.shard, b.end)
		if err != nil {
			s.diskError("note what was sent", err)
		}
		s.release(oldest)
		s.putBatch(b)
	}
}

// abandon leaves a batch to the next process: its lanes' positions stay where they are.
func (s *Sender) abandon(b *batch) { s.putBatch(b) }

func (s *Sender) takeBatch() *batch {
	b := s.spare.Get().(*batch)
	b.Batch.Reset()
	return b
}

func (s *Sender) putBatch(b *batch) {
	s.metrics.hold(b.count, -1)
	if b.step != nil {
		b.step.Done()
	}
	b.Batch.Reset()
	*b = batch{Batch: b.Batch}
	s.spare.Put(b)
}

// release removes the segments that every lane has behind it.
func (s *Sender) release(oldest journal.Position) {
	if before := s.released.Load(); oldest.Segment <= before || !s.released.CompareAndSwap(before, oldest.Segment) {
		return
	}
	if err := s.journal.Release(oldest); err != nil {
		s.diskError("remove what was sent", err)
	}
}

// keepLimit gives up the oldest segments while there is too much. What that costs is noted before they are removed: if
// the process dies in between, the segment is sent and read back, which is once too often and not once too few.
func (s *Sender) keepLimit() {
	if s.journal.Bytes() <= s.cfg.MaxBytes {
		return
	}
	s.limit.Lock()
	defer s.limit.Unlock()
	for s.journal.Bytes() > s.cfg.MaxBytes {
		lost, ok := s.journal.GiveUp()
		if !ok {
			return
		}
		s.metrics.segmentsGivenUp.Inc()
		if s.lead == nil {
			s.metrics.dropped(lost.Summary.Counts, reasonQueueFull)
		} else {
			s.lose(lost)
		}
		if err := s.journal.Remove(lost.Segment); err != nil {
			s.diskError("remove the oldest segment", err)
			return
		}
	}
}

// lose notes a hole.
func (s *Sender) lose(lost journal.Lost) {
	if err := s.ledger.lose(lost, s.progress.inFlight()); err != nil {
		s.diskError("note a hole", err)
	}
	select {
	case s.holesChanged <- struct{}{}:
	default:
	}
}

// housekeep does what has to be done now and then.
func (s *Sender) housekeep() {
	syncing := newTicker(s.cfg.SyncEvery)
	defer syncing.Stop()
	describing := newTicker(time.Duration(s.cfg.Metadata.SendInterval))
	defer describing.Stop()
	sweeping := newTicker(forgetAfter)
	defer sweeping.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-syncing.C:
			if err := s.journal.Sync(); err != nil {
				s.diskError("sync the queue", err)
			}
		case <-describing.C:
			if s.cfg.Metadata.Send && !s.protocol.v2() {
				s.describe()
			}
		case <-sweeping.C:
			s.cache.sweep()
		}
	}
}

// newTicker returns one that never ticks for an interval of 0.
func newTicker(d time.Duration) *time.Ticker {
	if d > 0 {
		return time.NewTicker(d)
	}
	t := time.NewTicker(time.Hour)
	t.Stop()
	return t
}
