package tailsamplingprocessor

import (
	"context"
	"fmt"
	"math"
	"time"

	"go.uber.org/zap"

	"github.com/tailgate-otel/tailgate/internal/segstore"
	"github.com/tailgate-otel/tailgate/internal/tracelog"
)

// open opens the store and returns what a former life has left in it.
func (p *sampler) open() ([]segstore.Existing, error) {
	store, former, err := p.openStore(int64(p.cfg.MaxBuffer))
	p.store = &budget{store, &p.overhead}
	return former, err
}

func (p *sampler) openStore(limit int64) (segstore.Store, []segstore.Existing, error) {
	storage := p.cfg.Storage.Get()
	if storage == nil {
		return p.newMemory(limit), nil, nil
	}
	dir, former, err := segstore.OpenDir(storage.Directory, limit)
	switch {
	case err == nil:
		p.durable = true
		return dir, former, nil
	case storage.OnFailure == onFailureMemory:
		p.logger.Warn("storage cannot be used, traces are buffered in memory and do not survive the process", zap.Error(err))
		return p.newMemory(limit), nil, nil
	default:
		return nil, nil, fmt.Errorf("storage::directory: %w (storage::on_failure: memory would go on without)", err)
	}
}

// restore gives the lanes the segments that they have left.
func (p *sampler) restore(former []segstore.Existing) {
	if len(former) == 0 {
		return
	}
	byLane := make([][]tracelog.Former, len(p.lanes))
	for _, f := range former {
		switch {
		case f.Err != nil:
			p.telemetry.damaged.Add(1)
			p.logger.Error("a file of the storage directory is no segment, it was set aside", zap.Error(f.Err))
		case f.Shard >= len(byLane) || f.Seq > math.MaxUint32:
			p.telemetry.damaged.Add(1)
			p.logger.Error("a segment is of no lane of this sampler, its spans are lost", zap.Int("lane", f.Shard), zap.Uint64("segment", f.Seq))
			p.store.Free(f.Shard, f.Seq, f.Mem)
		default:
			byLane[f.Shard] = append(byLane[f.Shard], tracelog.Former{Seq: f.Seq, Mem: f.Mem})
		}
	}
	traces, spans, kept := 0, 0, 0
	for i, l := range p.lanes {
		l.mu.Lock()
		r := l.shard.Restore(p.now(), i, byLane[i])
		l.unlock()
		p.telemetry.damaged.Add(uint64(r.Torn))
		traces, spans, kept = traces+r.Traces, spans+r.Spans, kept+r.Kept
	}
	p.logger.Info("took up the buffer of the last run", zap.Int("segments", len(former)), zap.Int("open_traces", traces),
		zap.Int("kept_traces", kept), zap.Int("spans", spans), zap.Uint64("damaged_segments", p.telemetry.damaged.Load()))
}

// shutdownGrace is how long a next consumer may take to notice that its context has ended.
const shutdownGrace = time.Second

// drain waits until everything kept is handed on, or ctx ends, and returns the spans that were not.
func (p *sampler) drain(ctx context.Context) (lost int, done bool) {
	stop := context.AfterFunc(ctx, p.endDelivery)
	defer stop()
	for _, l := range p.lanes {
		close(l.wake)
	}
	finished := make(chan struct{})
	go func() {
		p.senders.Wait()
		close(finished)
	}()
	select {
	case <-finished:
		done = true
	case <-ctx.Done():
		select {
		case <-finished:
			done = true
		case <-time.After(shutdownGrace):
		}
	}
	p.endDelivery()
	for _, l := range p.lanes {
		l.mu.Lock()
		lost += int(l.shard.Stats().SpansKept) + int(l.rescued.Load()) - int(l.delivered.Load()) - int(l.failed.Load())
		lost += int(l.abandoned.Load())
		l.mu.Unlock()
	}
	return lost, done
}
