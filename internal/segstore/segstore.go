// Package segstore provides the segments in which the span log keeps its bytes: pieces of memory outside the Go heap,
// either anonymous (Memory) or each backed by a file of a directory (Dir), whose contents then outlive the process.
//
// It knows nothing of what is in a segment. Who owns what: a segment belongs to the caller from Alloc, or from OpenDir
// if it is of a former life, until Free; after Free or Close touching it is a fault that ends the process.
//
// Segments of a multiple of 2 MiB are the cheapest, because they are made of huge pages where the system has them.
//
// Each store has a budget in bytes. When it is used up, Alloc fails with ErrFull and changes nothing; to free something
// and to try again is up to the caller. The package starts no goroutine and logs nothing. All methods may be called
// from several goroutines at once.
//
// The collector's memory limiter and GOMEMLIMIT do not see this memory: subtract the budget of a Memory from both. That
// of a Dir is page cache, which the kernel writes out and takes back as it needs.
package segstore

import (
	"errors"
	"fmt"
)

// ErrFull says that there is no room for another segment: the budget is used up or the disk is full (then the error
// also is syscall.ENOSPC or EDQUOT).
var ErrFull = errors.New("segment store is full")

// A Store hands out segments. A segment has a name, shard and seq, that is not used twice at the same time.
type Store interface {
	// Alloc returns a segment of at least size bytes, all zero, at a page boundary. ErrFull: see there.
	Alloc(shard int, seq uint64, size int) (mem []byte, err error)

	// Free takes a segment back; nobody reads it any more. mem is what Alloc or OpenDir returned. Freeing what the
	// store does not hold, or again what was freed, does nothing.
	Free(shard int, seq uint64, mem []byte)

	// Used returns the bytes of the segments in the caller's hands, rounded up to pages, and Limit the budget. Up to
	// four freed segments are kept to be used again; they are not in Used, and both together stay within Limit.
	Used() int64
	Limit() int64

	// Close takes all segments back, and all that follows fails with os.ErrClosed. A Dir keeps its files.
	Close() error
}

// A segment's key is its name.
type key struct {
	shard int
	seq   uint64
}

func (k key) String() string { return fmt.Sprintf("%d-%d", k.shard, k.seq) }

// full explains an ErrFull of the budget.
func full(k key, size int, used, limit int64) error {
	return fmt.Errorf("segment %s: %w: %d bytes more than the %d in use exceed the limit of %d; raise the limit or free segments",
		k, ErrFull, size, used, limit)
}
