package segstore

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
)

// maxSpare is how many freed segments a store keeps mapped, wiped and ready. A log in its steady state frees about one
// segment for each it takes, so a few catch nearly all; more would only keep memory from the system after a storm. It
// is worth it because the first write to a page costs more than all later ones: BenchmarkSegment has 60 µs/MiB for a
// segment that is used again and 1,100 for a fresh one, in a Dir 190 and 2,000 (1 MiB, two busy cores).
const maxSpare = 4

// Memory is a Store in anonymous memory: fast, and gone with the process.
type Memory struct {
	limit int64

	mu      sync.Mutex // guards all below; never held while a segment is wiped or unmapped on its way from Free
	used    int64
	live    map[key][]byte
	spares  [][]byte // zero; used and spares together stay within limit
	leaving int      // segments being wiped or unmapped, still counted in used
	closed  bool
}

// NewMemory returns a Memory that hands out at most limit bytes.
func NewMemory(limit int64) *Memory {
	return &Memory{limit: limit, live: map[key][]byte{}}
}

// Alloc implements Store.
func (m *Memory) Alloc(shard int, seq uint64, size int) ([]byte, error) {
	k := key{shard, seq}
	size, err := pages(k, size)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return nil, fmt.Errorf("segment %s: %w", k, os.ErrClosed)
	case m.live[k] != nil:
		return nil, fmt.Errorf("segment %s: %w", k, os.ErrExist)
	case int64(size) > m.limit-m.used:
		return nil, full(k, size, m.used, m.limit)
	}
	mem := m.takeSpare(size)
	if mem == nil {
		if err := m.makeRoom(size); err != nil {
			return nil, fmt.Errorf("segment %s: unmap spare segments: %w", k, err)
		}
		if mem, err = mapMemory(size); err != nil {
			return nil, fmt.Errorf("segment %s: map %d bytes: %w", k, size, err)
		}
	}
	m.live[k] = mem
	m.used += int64(size)
	return mem, nil
}

// takeSpare returns a spare segment of exactly size bytes, or nil. mu held.
func (m *Memory) takeSpare(size int) []byte {
	for i, mem := range m.spares {
		if len(mem) == size {
			m.spares = slices.Delete(m.spares, i, i+1)
			return mem
		}
	}
	return nil
}

// makeRoom unmaps spare segments until size more bytes are within the limit. mu held.
func (m *Memory) makeRoom(size int) error {
	held := m.used
	for _, mem := range m.spares {
		held += int64(len(mem))
	}
	for int64(size) > m.limit-held && len(m.spares) > 0 {
		last := len(m.spares) - 1
		if err := release(m.spares[last]); err != nil {
			return err
		}
		held -= int64(len(m.spares[last]))
		m.spares = slices.Delete(m.spares, last, last+1)
	}
	return nil
}

// Free implements Store.
func (m *Memory) Free(shard int, seq uint64, _ []byte) {
	mem, spare := m.takeLive(key{shard, seq})
	if mem == nil {
		return
	}
	if !spare {
		spare = release(mem) != nil // then it is kept after all
	}
	if spare {
		clear(mem)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leaving--
	m.used -= int64(len(mem))
	switch {
	case spare && !m.closed:
		m.spares = append(m.spares, mem)
	case spare:
		_ = release(mem) // closed meanwhile: if it fails the end of the process does it
	}
}

// takeLive takes a segment out of the caller's hands and tells whether to keep it as a spare.
func (m *Memory) takeLive(k key) (mem []byte, spare bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if mem = m.live[k]; mem == nil {
		return nil, false
	}
	delete(m.live, k)
	spare = len(m.spares)+m.leaving < maxSpare
	m.leaving++
	return mem, spare
}

// Used implements Store.
func (m *Memory) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

// Limit implements Store.
func (m *Memory) Limit() int64 { return m.limit }

// Close implements Store.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var errs []error
	for _, mem := range m.live {
		m.used -= int64(len(mem))
		errs = append(errs, release(mem))
	}
	for _, mem := range m.spares {
		errs = append(errs, release(mem))
	}
	m.live, m.spares, m.closed = nil, nil, true
	return errors.Join(errs...)
}

// pages rounds a size up to whole pages.
func pages(k key, size int) (int, error) {
	page := os.Getpagesize()
	if size <= 0 || size > maxSize {
		return 0, fmt.Errorf("segment %s: size of %d bytes is not between 1 and %d", k, size, maxSize)
	}
	return (size + page - 1) / page * page, nil
}

// maxSize bounds a segment so that offsets into it fit 32 bits.
const maxSize = 1 << 30
