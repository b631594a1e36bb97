// Package segstoretest provides a segment store that fails on demand.
package segstoretest

import (
	"sync"

	"github.com/tailgate-otel/tailgate/internal/segstore"
)

// Faulty passes everything on to another store, except that its Alloc fails when told to. It counts what is in the
// caller's hands, so that a test can tell a leak. It is safe for concurrent use if the other store is.
type Faulty struct {
	store segstore.Store

	mu    sync.Mutex
	err   error
	after int
	held  map[name]bool
}

type name struct {
	shard int
	seq   uint64
}

// New returns a Faulty that works as long as nothing else is asked of it.
func New(store segstore.Store) *Faulty { return &Faulty{store: store, held: map[name]bool{}} }

// FailAfter makes Alloc work n times more and then fail with err, until told otherwise. With a nil err it works again.
func (f *Faulty) FailAfter(n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.after, f.err = n, err
}

// Held returns how many segments were allocated and not freed.
func (f *Faulty) Held() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.held)
}

// Alloc implements segstore.Store.
func (f *Faulty) Alloc(shard int, seq uint64, size int) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		if f.after == 0 {
			return nil, f.err
		}
		f.after--
	}
	mem, err := f.store.Alloc(shard, seq, size)
	if err == nil {
		f.held[name{shard, seq}] = true
	}
	return mem, err
}

// Free implements segstore.Store.
func (f *Faulty) Free(shard int, seq uint64, mem []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.held, name{shard, seq})
	f.store.Free(shard, seq, mem)
}

// Used implements segstore.Store.
func (f *Faulty) Used() int64 { return f.store.Used() }

// Limit implements segstore.Store.
func (f *Faulty) Limit() int64 { return f.store.Limit() }

// Close implements segstore.Store.
func (f *Faulty) Close() error { return f.store.Close() }
