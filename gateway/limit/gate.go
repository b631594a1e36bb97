package limit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// GateSettings bound the requests in flight.
type GateSettings struct {
	// Limit of requests in flight. Where an Adaptive moves it, where it begins.
	Limit int
	// Queue is how many requests may wait for one to end. 0: none waits.
	Queue int
	// QueueTimeout is how long one may wait. 0: one second. Longer than clients wait for makes work for nobody.
	QueueTimeout time.Duration
}

// Validate reports what is wrong with s. Its errors begin with the name of the field.
func (s GateSettings) Validate() error {
	var errs []error
	if s.Limit < 1 {
		errs = append(errs, fmt.Errorf("Limit: must be positive, got %d", s.Limit))
	}
	if s.Queue < 0 {
		errs = append(errs, fmt.Errorf("Queue: must not be negative, got %d", s.Queue))
	}
	if s.QueueTimeout < 0 {
		errs = append(errs, fmt.Errorf("QueueTimeout: must not be negative, got %s", s.QueueTimeout))
	}
	return errors.Join(errs...)
}

// Gate bounds requests in flight. It is safe for concurrent use and outlives reloads: Set changes its numbers.
type Gate struct {
	mu       sync.Mutex // guards all below; no other lock is taken under it
	s        GateSettings
	inFlight int
	queue    queue
}

// NewGate returns a gate with checked settings.
func NewGate(s GateSettings) *Gate {
	g := &Gate{}
	g.Set(s)
	return g
}

// Set changes the settings, which must be valid. Requests in flight and in the queue stay; a larger limit lets some of the
// queue in.
func (g *Gate) Set(s GateSettings) {
	if s.QueueTimeout == 0 {
		s.QueueTimeout = time.Second
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.s = s
	g.letIn()
}

// SetLimit changes the limit alone.
func (g *Gate) SetLimit(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.s.Limit = n
	g.letIn()
}

// Enter admits a request, at once or after a wait in the queue. An admitted one calls Leave when it has ended. The wait
// ends early with ctx.
func (g *Gate) Enter(ctx context.Context) Refusal {
	g.mu.Lock()
	if g.inFlight < g.s.Limit && g.queue.len == 0 {
		g.inFlight++
		g.mu.Unlock()
		return Refusal{}
	}
	if g.queue.len >= g.s.Queue {
		g.mu.Unlock()
		return Refusal{Reason: QueueFull, RetryAfter: time.Second}
	}
	w := &waiter{admitted: make(chan struct{})}
	g.queue.push(w)
	timeout := g.s.QueueTimeout
	g.mu.Unlock()
	return g.wait(ctx, w, timeout)
}

func (g *Gate) wait(ctx context.Context, w *waiter, timeout time.Duration) Refusal {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	refusal := Refusal{Reason: QueueTimeout, RetryAfter: time.Second}
	select {
	case <-w.admitted:
		return Refusal{}
	case <-timer.C:
	case <-ctx.Done():
		refusal = Refusal{Reason: ClientGone}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !w.queued { // admitted while we gave up: too late to refuse, and the place is there
		return Refusal{}
	}
	g.queue.remove(w)
	return refusal
}

// Leave ends an admitted request and hands its place to the longest waiting one.
func (g *Gate) Leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight--
	g.letIn()
}

// letIn admits waiting requests while there is room. mu held.
func (g *Gate) letIn() {
	for g.inFlight < g.s.Limit && g.queue.len > 0 {
		w := g.queue.head
		g.queue.remove(w)
		g.inFlight++
		close(w.admitted)
	}
}

// GateState is what a gate holds now.
type GateState struct{ Limit, InFlight, Queued int }

// State returns what the gate holds.
func (g *Gate) State() GateState {
	g.mu.Lock()
	defer g.mu.Unlock()
	return GateState{Limit: g.s.Limit, InFlight: g.inFlight, Queued: g.queue.len}
}

// waiter is a request in the queue of a gate.
type waiter struct {
	admitted   chan struct{} // closed when it is let in
	queued     bool
	prev, next *waiter
}

// queue is a list whose members can leave from its middle. The gate's mutex guards it.
type queue struct {
	head, tail *waiter
	len        int
}

func (q *queue) push(w *waiter) {
	w.queued, w.prev = true, q.tail
	if q.tail != nil {
		q.tail.next = w
	} else {
		q.head = w
	}
	q.tail = w
	q.len++
}

func (q *queue) remove(w *waiter) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		q.head = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		q.tail = w.prev
	}
	w.queued, w.prev, w.next = false, nil, nil
	q.len--
}
