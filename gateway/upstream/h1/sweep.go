package h1

import (
	"context"
	"time"
)

// sweepLater starts the timer that looks after idle connections, unless it runs. Every start is one sweep, which close
// waits for. mu held.
func (p *pool) sweepLater() {
	if p.sweeper != nil || p.closed {
		return
	}
	p.sweeps.Add(1)
	p.sweeper = time.AfterFunc(min(sweepInterval, p.s.IdleTimeout), p.sweep)
}

// sweep closes what is of no use any more and dials what is missing.
func (p *pool) sweep() {
	defer p.sweeps.Done()
	p.tidy(time.Now())
	missing := p.warm(p.background) // a failure shows in the counts, and the next sweep tries again
	p.mu.Lock()
	p.sweeper = nil
	if len(p.idle) > 0 || missing != nil {
		p.sweepLater()
	}
	p.mu.Unlock()
}

func (p *pool) tidy(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := p.idle[:0]
	for _, c := range p.idle {
		if p.usable(c, now) {
			kept = append(kept, c)
		} else {
			p.drop(c)
		}
	}
	clear(p.idle[len(kept):])
	p.idle = kept
}

// warm dials until MinIdle connections are idle, or all that there may be are open.
func (p *pool) warm(ctx context.Context) error {
	for p.cold() {
		c, err := p.dial(ctx, new(Timings))
		if err != nil {
			p.mu.Lock()
			p.sweepLater() // which tries again
			p.mu.Unlock()
			return err
		}
		p.put(c)
	}
	return nil
}

// cold says whether an idle connection is missing, and takes a place for it.
func (p *pool) cold() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) >= min(p.s.MinIdle, p.s.MaxIdle) || p.s.MaxConns > 0 && p.open >= p.s.MaxConns {
		return false
	}
	p.open++
	return true
}
