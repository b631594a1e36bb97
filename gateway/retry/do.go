package retry

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Try is which try of a request this is.
type Try struct {
	Number int // from 0
	Hedge  bool
}

// Attempt makes one try. It returns soon after its context ends. The answer may be valid beside a failure (a 503 is a
// response as well); it stays valid until the context of Do ends, which the caller sees to when it has read the answer.
// Two tries run at once when one is a hedge.
type Attempt[T any] func(context.Context, Try) (T, Failure)

// Result is how a request ended.
type Result[T any] struct {
	Answer  T
	Failure Failure // of the last try; its zero value if the answer is good
	Reason  Reason  // why there was no further try
	Tries   int
	Hedged  bool // one of the tries was a hedge
	loser   <-chan struct{}
}

// Wait returns when no try of the request runs any more. A caller whose attempts touch what it wants to reuse waits
// before it does; tries that lost were cancelled before Do returned.
func (r *Result[T]) Wait() {
	if r.loser != nil {
		<-r.loser
	}
}

// call is one request on its way through Do.
type call[T any] struct {
	ctx     context.Context
	policy  *Policy
	state   *State
	request Request
	attempt Attempt[T]
	discard func(T)
	res     Result[T]
}

// Do tries r until there is a good answer or no further try is allowed. discard gets each answer that is not returned,
// also empty ones; it may be called on another goroutine until Result.Wait returns.
func Do[T any](ctx context.Context, p *Policy, s *State, r Request, attempt Attempt[T], discard func(T)) Result[T] {
	s.tokens.deposit(p)
	c := call[T]{ctx: ctx, policy: p, state: s, request: r, attempt: attempt, discard: discard}
	for c.again() {
	}
	return c.res
}

// again makes a try and says whether there is to be another one.
func (c *call[T]) again() bool {
	c.try()
	switch {
	case c.res.Failure.Class == OK:
		c.res.Reason = Answered
		return false
	case c.ctx.Err() != nil:
		c.res.Reason = ended(c.ctx)
		return false
	}
	d := c.policy.Next(c.request, c.res.Tries, c.res.Failure, left(c.ctx), rand.Float64())
	if d.Reason == Again && d.Paid && !c.state.tokens.withdraw(c.policy, time.Now()) {
		d.Reason = Exhausted
	}
	if c.res.Reason = d.Reason; d.Reason != Again {
		return false
	}
	c.discard(c.res.Answer)
	c.res.Answer = *new(T)
	if !sleep(c.ctx, d.Wait) {
		c.res.Failure, c.res.Reason = Failure{Class: Final, Err: context.Cause(c.ctx)}, ended(c.ctx)
		return false
	}
	return true
}

// try makes a try, or a try and its hedge.
func (c *call[T]) try() {
	if c.res.Tries == 0 {
		if after, ok := c.policy.hedgeAfter(c.request, c.state, left(c.ctx)); ok {
			c.res = c.race(after)
			return
		}
	}
	c.res.Tries++
	c.res.Answer, c.res.Failure = c.measured(Try{Number: c.res.Tries - 1})
}

// measured makes a try and learns from its latency, if anybody wants to know. Failures teach nothing: a refused
// connection is fast.
func (c *call[T]) measured(try Try) (T, Failure) {
	if c.policy.s.HedgePercentile == 0 {
		return c.attempt(c.ctx, try)
	}
	began := time.Now()
	answer, f := c.attempt(c.ctx, try)
	if now := time.Now(); f.Class == OK {
		c.state.latency.observe(now.Sub(began), now)
	}
	return answer, f
}

// ended says why ctx is over.
func ended(ctx context.Context) Reason {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return Deadline
	}
	return Gone
}

// left is the time until the deadline of ctx; negative: it has none.
func left(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return -1
	}
	return max(0, time.Until(end))
}

func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
