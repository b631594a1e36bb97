package tailsamplingprocessor

import (
	"time"

	"github.com/cenkalti/backoff/v7"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/tailgate-otel/tailgate/internal/tracelog"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/internal/engine"
)

// sender turns the kept traces of one lane back into spans and hands them on, batch by batch. It owns its buffers.
type sender struct {
	*sampler
	lane *lane
	out  []byte
}

// run sends until the lane's wake channel is closed and nothing is left, or the time of the shutdown is over.
func (s *sender) run() {
	for range s.lane.wake {
		s.sendAll()
	}
	s.sendAll()
}

// sendAll empties the lane's queue.
func (s *sender) sendAll() {
	s.lane.busySince.Store(int64(max(s.now().Mono, 1)))
	defer s.lane.busySince.Store(0)
	for {
		s.lane.mu.Lock()
		s.lane.collect()
		batch := takeSpans(&s.lane.queue, s.cfg.Delivery.BatchSpans)
		view := s.lane.shard.View()
		s.lane.mu.Unlock()
		if len(batch) == 0 || !s.deliver(view, batch) {
			return
		}
		s.lane.mu.Lock()
		s.lane.shard.Done(s.now(), batch)
		s.lane.unlock()
		s.space.broadcast()
	}
}

// takeSpans takes traces with about want spans from the queue, one trace at least.
func takeSpans(queue *[]engine.Decision, want int) []engine.Decision {
	n, spans := 0, 0
	for n < len(*queue) && (n == 0 || spans+int((*queue)[n].Spans) <= want) {
		spans += int((*queue)[n].Spans)
		n++
	}
	batch := (*queue)[:n:n]
	if *queue = (*queue)[n:]; len(*queue) == 0 {
		*queue = nil
	}
	return batch
}

// piece is what is handed on of one trace: all of it, or a part of a large one.
type piece struct {
	decision  *engine.Decision
	positions []tracelog.Pos
}

// deliver hands a batch on and reports whether it is done with, one way or the other. Only the end of a shutdown leaves
// it undone.
func (s *sender) deliver(view tracelog.View, batch []engine.Decision) bool {
	pieces := make([]piece, 0, len(batch))
	for i := range batch {
		pieces = append(pieces, piece{&batch[i], s.find(view, &batch[i])})
	}
	for len(pieces[0].positions) > s.cfg.Delivery.BatchSpans { // then it is alone
		first := piece{pieces[0].decision, pieces[0].positions[:s.cfg.Delivery.BatchSpans]}
		if !s.offer(view, []piece{first}) {
			return false
		}
		pieces[0].positions = pieces[0].positions[s.cfg.Delivery.BatchSpans:]
	}
	return s.offer(view, pieces)
}

// find returns the records of a trace; of a rescued one, also those that it left in the log when it was dropped. Records
// that the engine does not know of, or has counted as dropped, come back this way; those that are not there are lost.
func (s *sender) find(view tracelog.View, d *engine.Decision) []tracelog.Pos {
	positions, err := d.Positions(view)
	if n := len(positions) - int(d.Spans); n >= 0 {
		s.lane.rescued.Add(uint64(n))
	} else {
		s.lane.failed.Add(uint64(-n))
		s.logger.Error("records of a kept trace are damaged", traceID(d.ID), zap.Int("spans", -n), zap.Error(err))
	}
	return positions
}

// offer hands pieces on until they are accepted, refused for good, or the time for retries is over.
func (s *sender) offer(view tracelog.View, pieces []piece) bool {
	spans := 0
	for _, p := range pieces {
		spans += len(p.positions)
	}
	wait := newBackoff(&s.cfg.Delivery.Retry)
	for {
		td, unreadable := s.assemble(view, pieces) // anew each time: whoever refused it may have changed it
		err := s.next.ConsumeTraces(s.delivery, td)
		if err == nil {
			s.overload.delivered(s.now().Mono)
			s.lane.delivered.Add(uint64(spans - unreadable))
			s.lane.failed.Add(uint64(unreadable))
			return true
		}
		permanent := consumererror.IsPermanent(err)
		if pause, again := wait.next(); again && !permanent {
			s.telemetry.retries.Add(1)
			s.logger.Warn("kept traces were not accepted, they wait in the buffer", zap.Int("spans", spans),
				zap.Duration("retry_in", pause), zap.Error(err))
			if s.sleep(pause) {
				continue
			}
		}
		over := s.delivery.Err() != nil
		if over && s.durable && !permanent { // the next start takes them up
			return false
		}
		s.lane.failed.Add(uint64(spans))
		if over {
			s.lane.abandoned.Add(uint64(spans))
		}
		s.logger.Error("kept traces were not accepted", zap.Int("spans", spans), zap.Error(err))
		return true
	}
}

// assemble decodes pieces into one request and leaves the sampler's marks on them.
func (s *sender) assemble(view tracelog.View, pieces []piece) (td ptrace.Traces, unreadable int) {
	s.out = s.out[:0]
	resources := make([]int, len(pieces))
	for i, p := range pieces {
		var n tracelog.Written
		s.out, n = view.AppendOTLP(s.out, p.decision.ID, p.positions)
		resources[i] = n.Resources
		unreadable += n.Unreadable
	}
	td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(s.out)
	if err != nil { // damaged in a way that the reader of records cannot see
		s.logger.Error("kept traces cannot be decoded", zap.Error(err))
		td, unreadable = ptrace.NewTraces(), 0
		for _, p := range pieces {
			unreadable += len(p.positions)
		}
		return td, unreadable
	}
	if unreadable > 0 {
		s.logger.Error("records of kept traces are damaged", zap.Int("spans", unreadable))
	}
	next := 0
	for i, p := range pieces {
		s.mark(td, next, next+resources[i], p.decision)
		next += resources[i]
	}
	return td, unreadable
}

// sleep waits and reports false when the time of the shutdown is over.
func (s *sender) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.delivery.Done():
		return false
	}
}

// pauses are the waits between tries.
type pauses struct {
	cfg     *configretry.BackOffConfig
	backoff backoff.ExponentialBackOff
	since   time.Time
}

func newBackoff(cfg *configretry.BackOffConfig) *pauses {
	p := &pauses{cfg: cfg, since: time.Now(), backoff: backoff.ExponentialBackOff{
		InitialInterval: cfg.InitialInterval, RandomizationFactor: cfg.RandomizationFactor,
		Multiplier: cfg.Multiplier, MaxInterval: cfg.MaxInterval,
	}}
	p.backoff.Reset()
	return p
}

// next returns the next wait, and false when there is none.
func (p *pauses) next() (time.Duration, bool) {
	d := p.backoff.NextBackOff()
	over := p.cfg.MaxElapsedTime > 0 && time.Since(p.since)+d > p.cfg.MaxElapsedTime
	return d, p.cfg.Enabled && !over
}
