package tailsamplingprocessor

import "github.com/tailgate-otel/tailgate/internal/segstore"

// garbage is a lane's way to the store. What the lane frees goes back when its lock is free again, because wiping or
// unmapping 2 MiB, or removing a file, takes longer than all else that is done under the lock.
type garbage struct {
	segstore.Store
	freed []freed // guarded by the lane's lock
}

type freed struct {
	shard int
	seq   uint64
	mem   []byte
}

// Alloc implements segstore.Store. A log that takes back its newest segment uses the number again: that one goes first.
func (g *garbage) Alloc(shard int, seq uint64, size int) ([]byte, error) {
	if n := len(g.freed) - 1; n >= 0 && g.freed[n].seq == seq {
		g.giveBack(g.freed[n:])
		g.freed = g.freed[:n]
	}
	return g.Store.Alloc(shard, seq, size)
}

// Free implements segstore.Store.
func (g *garbage) Free(shard int, seq uint64, mem []byte) {
	g.freed = append(g.freed, freed{shard, seq, mem})
}

// take returns what was freed since the last take. The lane's lock is held.
func (g *garbage) take() []freed {
	f := g.freed
	g.freed = nil
	return f
}

// giveBack gives it to the store. The lane's lock is not held.
func (g *garbage) giveBack(f []freed) {
	for _, s := range f {
		g.Store.Free(s.shard, s.seq, s.mem)
	}
}
