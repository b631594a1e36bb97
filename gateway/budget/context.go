package budget

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// ErrExpired is the cause of a Context whose budget ran out.
var ErrExpired = errors.New("the deadline budget of the request is used up")

// Context is a context.Context that ends with its parent or with a budget. It arms a timer only when somebody asks for
// Done; until then it is one allocation, and Err compares two times.
type Context struct {
	parent context.Context
	budget Budget

	armed atomic.Pointer[armed] // nil until somebody waits
	mu    sync.Mutex            // guards the making of armed; no other lock is taken under it
}

type armed struct {
	context.Context
	cancel context.CancelFunc
}

// NewContext returns a context for b under parent. The caller calls Stop when nobody uses the context any more.
func NewContext(parent context.Context, b Budget) *Context {
	return &Context{parent: parent, budget: b}
}

// Deadline returns the earlier of the two ends.
func (c *Context) Deadline() (time.Time, bool) {
	own, limited := c.budget.Deadline()
	if theirs, ok := c.parent.Deadline(); ok && (!limited || theirs.Before(own)) {
		return theirs, true
	}
	return own, limited
}

// Done returns the channel that is closed at the end. The first call arms the timer.
func (c *Context) Done() <-chan struct{} {
	if a := c.armed.Load(); a != nil {
		return a.Done()
	}
	if _, limited := c.budget.Deadline(); !limited {
		return c.parent.Done()
	}
	return c.arm().Done()
}

// Err says how the context ended, or nil.
func (c *Context) Err() error {
	if a := c.armed.Load(); a != nil {
		return a.Err()
	}
	if err := c.parent.Err(); err != nil {
		return err
	}
	if end, limited := c.budget.Deadline(); limited && !time.Now().Before(end) {
		return c.arm().Err() // armed too late, it ends at once, and knows its cause
	}
	return nil
}

// Value asks the parent, by way of the armed context if there is one: so context.Cause finds ErrExpired.
func (c *Context) Value(key any) any {
	if a := c.armed.Load(); a != nil {
		return a.Value(key)
	}
	return c.parent.Value(key)
}

// Stop ends the context and frees its timer, if there is one. It may be called more than once.
func (c *Context) Stop() {
	if a := c.armed.Load(); a != nil {
		a.cancel()
	}
}

func (c *Context) arm() *armed {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.armed.Load(); a != nil {
		return a
	}
	end, _ := c.budget.Deadline()
	ctx, cancel := context.WithDeadlineCause(c.parent, end, ErrExpired)
	a := &armed{ctx, cancel}
	c.armed.Store(a)
	return a
}
