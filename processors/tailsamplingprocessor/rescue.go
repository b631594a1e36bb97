package tailsamplingprocessor

import (
	"github.com/tailgate-otel/tailgate/internal/tracefate"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/internal/engine"
)

// laneOf is the lane that a trace is in.
func (p *sampler) laneOf(id [16]byte) *lane {
	return p.lanes[engine.Hash(id)>>32&uint64(len(p.lanes)-1)]
}

// Fate implements tracefate.Sampler.
func (p *sampler) Fate(id [16]byte) tracefate.Fate {
	l := p.laneOf(id)
	if l.lock() != nil {
		return tracefate.Unknown
	}
	defer l.mu.Unlock()
	switch l.shard.Explain(p.now(), id).State {
	case engine.StateOpen:
		return tracefate.Open
	case engine.StateKept:
		return tracefate.Kept
	case engine.StateDropped:
		return tracefate.Dropped
	}
	return tracefate.Unknown
}

// Keep implements tracefate.Sampler.
func (p *sampler) Keep(id [16]byte) bool {
	switch p.Fate(id) {
	case tracefate.Kept:
		return true
	case tracefate.Unknown:
		return false
	}
	return p.rescue(id)
}

// rescue keeps a trace of which spans are in the buffer, open or dropped, and reports whether there are any.
func (p *sampler) rescue(id [16]byte) bool {
	l := p.laneOf(id)
	if l.lock() != nil {
		return false
	}
	open := l.shard.Explain(p.now(), id).State == engine.StateOpen
	view, giveBack := l.borrow()
	defer giveBack()
	if !open {
		l.mu.Unlock()
		if len(view.Find(id)) == 0 {
			return false
		}
		if l.lock() != nil {
			return false
		}
	}
	l.shard.Rescue(p.now(), id) // refuses what was kept meanwhile
	l.unlock()
	return true
}
