package prometheusstoreextension

import (
	"context"
	"errors"
	"sync"
)

// gate counts the users of the database: HTTP requests and batches of samples. close lets no new ones in and waits for
// the last to leave, because a query or an append that touches a closed database reads unmapped memory.
type gate struct {
	mu     sync.Mutex // guards the two fields below; nothing else is locked while it is held
	users  int
	closed bool

	// empty is closed by the last user to leave a closed gate.
	empty chan struct{}
}

func newGate() *gate { return &gate{empty: make(chan struct{})} }

// enter reports whether the caller may use the database; if so, it must call leave.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.users++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.users--
	if g.closed && g.users == 0 {
		close(g.empty)
	}
}

var errStillInUse = errors.New("requests or batches are still in progress")

// close may be called again after it has failed.
func (g *gate) close(ctx context.Context) error {
	g.mu.Lock()
	if !g.closed && g.users == 0 {
		close(g.empty)
	}
	g.closed = true
	g.mu.Unlock()
	select {
	case <-g.empty:
		return nil
	case <-ctx.Done():
		return errStillInUse
	}
}
