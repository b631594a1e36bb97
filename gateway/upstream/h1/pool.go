package h1

import (
	"context"
	"slices"
	"sync"
	"time"
)

// sweepInterval is how often idle connections are looked at: one that the endpoint closed holds its descriptor for that
// long. The look costs 0.7 µs for each.
const sweepInterval = 5 * time.Second

// pool owns the connections that no exchange owns. The idle one used last is used next, so that a pool larger than the load
// needs shrinks by its idle timeout.
type pool struct {
	s *Settings

	background context.Context // of the dials that no request waits for
	stop       context.CancelFunc
	sweeps     sync.WaitGroup

	mu      sync.Mutex // guards what follows; not held while dialing or closing
	idle    []*conn    // the one idle for longest first
	open    int        // connections idle, in use, or being dialed
	waiting []*waiter  // the one that waits for longest first; only while open == MaxConns and nothing is idle
	sweeper *time.Timer
	closed  bool
	count   Stats
}

// waiter is a request that waits for a connection.
type waiter struct {
	granted chan grant // capacity 1: who grants does not wait
}

// grant is a connection, or without one the right to dial, or the end of the pool.
type grant struct {
	conn *conn
	err  error
}

func newPool(s *Settings) *pool {
	p := &pool{s: s}
	p.background, p.stop = context.WithCancel(context.Background())
	return p
}

// get returns an idle connection, a new one, or one that another request gave back. fresh passes over the idle ones: the
// caller has met dead ones among them.
func (p *pool) get(ctx context.Context, t *Timings, fresh bool) (*conn, *Error) {
	c, wait, err := p.idleOrPlace(fresh)
	if wait != nil {
		c, err = p.wait(ctx, wait, t)
	}
	switch {
	case err != nil:
		return nil, (&Error{Phase: PhaseWait, Err: err}).Ended(ctx)
	case c != nil:
		t.Reused = c.served
		return c, nil
	}
	t.Reused = false
	return p.dial(ctx, t)
}

// idleOrPlace returns one of: a connection, a waiter in the queue, an error, or nothing, which is the right to dial.
func (p *pool) idleOrPlace(fresh bool) (*conn, *waiter, error) {
	var now time.Time
	p.mu.Lock()
	defer p.mu.Unlock()
	for !fresh && len(p.idle) > 0 {
		if now.IsZero() {
			now = time.Now()
		}
		c := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if p.usable(c, now) {
			p.count.Reused++
			return c, nil, nil
		}
		p.drop(c)
	}
	switch {
	case p.closed:
		return nil, nil, ErrClosed
	case p.s.MaxConns == 0 || p.open < p.s.MaxConns:
		p.open++
		return nil, nil, nil
	case fresh && len(p.idle) > 0: // an idle one makes room
		c := p.idle[0]
		p.idle = slices.Delete(p.idle, 0, 1)
		p.drop(c)
		p.open++
		return nil, nil, nil
	case len(p.waiting) >= p.s.MaxWaiting:
		p.count.Exhausted++
		return nil, nil, ErrExhausted
	}
	w := &waiter{granted: make(chan grant, 1)}
	p.waiting = append(p.waiting, w)
	return nil, w, nil
}

// usable looks at an idle connection and counts why it is not. mu held.
func (p *pool) usable(c *conn, now time.Time) bool {
	switch {
	case now.Sub(c.idleSince) >= p.s.IdleTimeout, p.old(c, now):
		p.count.Expired++
		return false
	case c.stale():
		p.count.Stale++
		return false
	}
	return true
}

func (p *pool) old(c *conn, now time.Time) bool {
	return p.s.MaxAge > 0 && now.Sub(c.born) >= p.s.MaxAge
}

// drop closes a connection that was idle. mu held: an idle connection has nothing unsent, so that closing does not wait.
func (p *pool) drop(c *conn) {
	p.open--
	c.close()
}

func (p *pool) wait(ctx context.Context, w *waiter, t *Timings) (*conn, error) {
	start := time.Now()
	timer := time.NewTimer(p.s.WaitTimeout)
	defer timer.Stop()
	defer func() { t.Wait += time.Since(start) }()
	select {
	case g := <-w.granted:
		return g.conn, g.err
	case <-ctx.Done():
		p.leave(w)
		return nil, ctx.Err()
	case <-timer.C:
		p.leave(w)
		p.mu.Lock()
		p.count.Exhausted++
		p.mu.Unlock()
		return nil, ErrExhausted
	}
}

// leave takes a waiter out of the queue, or passes on what it was granted in the meantime.
func (p *pool) leave(w *waiter) {
	p.mu.Lock()
	if i := slices.Index(p.waiting, w); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	switch g := <-w.granted; {
	case g.err != nil:
	case g.conn != nil:
		p.put(g.conn)
	default:
		p.gone()
	}
}

// dial uses the right to dial.
func (p *pool) dial(ctx context.Context, t *Timings) (*conn, *Error) {
	c, err := p.s.dial(ctx, t)
	p.mu.Lock()
	if err != nil {
		p.count.DialFailed++
	} else {
		p.count.Dialed++
	}
	p.mu.Unlock()
	if err != nil {
		p.gone()
	}
	return c, err
}

// put takes a connection back: for who waits, or to be idle.
func (p *pool) put(c *conn) {
	now := time.Now()
	c.idleSince = now
	c.in.rest()
	p.mu.Lock()
	switch {
	case p.closed:
		p.drop(c)
	case p.old(c, now):
		p.count.Expired++
		c.close()
		p.place()
	case len(p.waiting) > 0:
		p.count.Reused++
		p.grant(grant{conn: c})
	default:
		p.idle = append(p.idle, c)
		if len(p.idle) > p.s.MaxIdle {
			first := p.idle[0]
			p.idle = slices.Delete(p.idle, 0, 1)
			p.drop(first)
		}
		p.sweepLater()
	}
	p.mu.Unlock()
}

// gone notes that a connection is no more.
func (p *pool) gone() {
	p.mu.Lock()
	p.place()
	p.mu.Unlock()
}

// place passes the place of a connection that is no more to who waits. mu held.
func (p *pool) place() {
	if len(p.waiting) > 0 {
		p.grant(grant{})
		return
	}
	p.open--
}

// grant gives g to who waits for longest. mu held.
func (p *pool) grant(g grant) {
	w := p.waiting[0]
	p.waiting = slices.Delete(p.waiting, 0, 1)
	w.granted <- g
}

func (p *pool) stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.count
	s.Idle, s.Open, s.Waiting = len(p.idle), p.open, len(p.waiting)
	return s
}

func (p *pool) closeIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.idle {
		p.drop(c)
	}
	p.idle = nil
}

func (p *pool) close() {
	p.stop()
	p.mu.Lock()
	p.closed = true
	if p.sweeper != nil && p.sweeper.Stop() {
		p.sweeps.Done()
	}
	p.sweeper = nil
	for len(p.waiting) > 0 {
		p.grant(grant{err: ErrClosed})
	}
	p.mu.Unlock()
	p.closeIdle()
	p.sweeps.Wait()
}
