package retry

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// hedge is the second try of a race. The first runs on the goroutine of Do, the hedge on that of a timer.
type hedge[T any] struct {
	cancelFirst context.CancelFunc
	done        chan struct{} // closed when the hedge is over, or is not to be

	mu      sync.Mutex         // guards what follows; nothing is called under it but cancel functions
	settled bool               // the first try is over: no hedge is to begin, and a running one has lost
	cancel  context.CancelFunc // of the running hedge; nil: none was sent
	won     bool
	answer  T // if it won
}

// race makes the first try, and a second one beside it if that takes longer than after. The first good answer wins, and
// the other try is cancelled. If the first try fails while the hedge runs, the hedge is waited for: it is the next try.
// If both fail, the failure of the first counts.
//
// It works on a copy of the call: what the timer's goroutine reaches lives on the heap, and calls without a hedge do not
// pay for that.
func (c call[T]) race(after time.Duration) Result[T] {
	ctx, cancel := context.WithCancel(c.ctx)
	h := &hedge[T]{cancelFirst: cancel, done: make(chan struct{})}
	timer := time.AfterFunc(after, func() { c.runHedge(h) })
	defer timer.Stop() // for panics
	began := time.Now()
	c.res.Tries = 1
	c.res.Answer, c.res.Failure = c.attempt(ctx, Try{})
	if now := time.Now(); c.res.Failure.Class == OK || now.Sub(began) >= after {
		// A try that lost took at least as long as this. Leaving it out would make the quantile shrink with every hedge.
		c.state.latency.observe(now.Sub(began), now)
	}
	if timer.Stop() {
		return c.res
	}
	c.res.loser = h.done
	if c.firstSettles(h) {
		return c.res
	}
	<-h.done
	if h.won {
		c.discard(c.res.Answer)
		c.res.Answer, c.res.Failure = h.answer, Failure{}
	}
	return c.res
}

// firstSettles says whether the first try's end is the end of the race.
func (c *call[T]) firstSettles(h *hedge[T]) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cancel != nil {
		c.res.Tries, c.res.Hedged = 2, true
	}
	h.settled = h.cancel == nil || c.res.Failure.Class == OK && !h.won
	if h.settled && h.cancel != nil {
		h.cancel()
	}
	return h.settled
}

// runHedge makes the second try, if the route's retry budget has something left for it.
func (c *call[T]) runHedge(h *hedge[T]) {
	defer close(h.done)
	if c.ctx.Err() != nil || !c.state.tokens.withdraw(c.policy, time.Now()) {
		return
	}
	ctx, cancel := context.WithCancel(c.ctx)
	h.mu.Lock()
	if h.settled {
		h.mu.Unlock()
		cancel()
		return
	}
	h.cancel = cancel
	h.mu.Unlock()
	answer, f := c.guarded(ctx)
	h.mu.Lock()
	h.won = !h.settled && f.Class == OK
	if h.won {
		h.answer = answer
		h.cancelFirst()
	}
	h.mu.Unlock()
	if !h.won { // nobody changes it any more
		c.discard(answer)
		cancel()
	}
}

// guarded makes a panic of the hedge its failure: nobody above it on its goroutine would catch it.
func (c *call[T]) guarded(ctx context.Context) (answer T, f Failure) {
	defer func() {
		if v := recover(); v != nil {
			f = Failure{Class: Final, Err: fmt.Errorf("panic in a hedged try: %v\n%s", v, debug.Stack())}
		}
	}()
	return c.attempt(ctx, Try{Number: 1, Hedge: true})
}
