package span

import "sync/atomic"

// Stats say what became of spans since the start. Recorded is the sum of all the others, Retries apart, and of what is on
// its way.
type Stats struct {
	Recorded uint64 // ended and sampled
	Exported uint64 // taken by the receiver
	Rejected uint64 // refused by the receiver in an answer that took the others
	Failed   uint64 // given up after the last try
	// Dropped spans never reached a request: all chunks were full, the span is larger than a chunk, or the exporter is shut
	// down.
	DroppedQueueFull, DroppedTooLarge, DroppedShutdown uint64

	Retries uint64 // requests that were sent again
	Bytes   int64  // memory of all chunks
}

type counts struct {
	exported, rejected, failed   atomic.Uint64
	queueFull, tooLarge, atClose atomic.Uint64
	retries                      atomic.Uint64
}

// reason picks the counter of a dropped span.
type reason func(*counts) *atomic.Uint64

func droppedQueueFull(c *counts) *atomic.Uint64 { return &c.queueFull }
func droppedTooLarge(c *counts) *atomic.Uint64  { return &c.tooLarge }
func droppedShutdown(c *counts) *atomic.Uint64  { return &c.atClose }

// Stats returns the counts of this moment.
func (e *Exporter) Stats() Stats {
	s := Stats{
		Exported: e.counts.exported.Load(), Rejected: e.counts.rejected.Load(), Failed: e.counts.failed.Load(),
		DroppedQueueFull: e.counts.queueFull.Load(), DroppedTooLarge: e.counts.tooLarge.Load(), DroppedShutdown: e.counts.atClose.Load(),
		Retries: e.counts.retries.Load(), Bytes: e.allocated.Load() * int64(e.settings.ChunkBytes),
	}
	// Last, so that Recorded is never less than the sum of the others.
	for i := range e.shards {
		e.shards[i].mu.Lock()
		s.Recorded += e.shards[i].recorded
		e.shards[i].mu.Unlock()
	}
	return s
}
