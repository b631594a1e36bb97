package retry

import (
	"sync/atomic"
	"time"
)

// State is what a route has learnt: its retry tokens and its latency. It outlives a reload: the caller keeps one per
// route by the route's name, and the Policy of each request says at which rate it fills. Its zero value is not ready, use
// NewState. It is safe for concurrent use and takes 1.6 KiB.
type State struct {
	tokens  tokens
	latency latency
}

// NewState returns the state of a route that has seen nothing: a few retries are allowed, hedging waits for experience.
func NewState(now time.Time) *State {
	s := &State{}
	s.tokens.refilled.Store(now.UnixNano())
	s.tokens.balance.Store(10 * token)
	s.latency.turned.Store(now.UnixNano())
	return s
}

// tokens is the retry budget of a route: a bucket that each request fills by a share and time fills by a floor, and that
// each retry empties by one. What is saved up is bounded by ten seconds of the floor, and at least ten: after a quiet
// night, no burst of retries comes. The share itself needs no saving, since requests and their retries come together.
type tokens struct {
	balance  atomic.Int64 // in units of 1/token
	refilled atomic.Int64 // unix nanoseconds up to which the floor has been paid in
}

const token = 1_000_000

func (p *Policy) mostTokens() int64 {
	return int64(max(10, 10*p.s.BudgetPerSecond) * token)
}

// deposit pays in for one request. A full bucket, which is the usual one, is only looked at. Several at once may overfill
// it by their shares.
func (t *tokens) deposit(p *Policy) {
	if p.s.BudgetShare > 0 && t.balance.Load() < p.mostTokens() {
		t.balance.Add(int64(p.s.BudgetShare * token))
	}
}

// withdraw takes a token, if there is one.
func (t *tokens) withdraw(p *Policy, now time.Time) bool {
	if p.s.BudgetShare <= 0 && p.s.BudgetPerSecond <= 0 {
		return false
	}
	t.refill(p, now)
	for {
		b := t.balance.Load()
		if b < token {
			return false
		}
		if t.balance.CompareAndSwap(b, b-token) {
			return true
		}
	}
}

func (t *tokens) refill(p *Policy, now time.Time) {
	last := t.refilled.Load()
	passed := min(now.UnixNano()-last, int64(10*time.Second)) // the bucket holds no more than that
	if passed <= 0 || p.s.BudgetPerSecond <= 0 || !t.refilled.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	most, add := p.mostTokens(), int64(float64(passed)/1e9*p.s.BudgetPerSecond*token)
	for {
		b := t.balance.Load()
		if b >= most || t.balance.CompareAndSwap(b, min(most, b+add)) {
			return
		}
	}
}
