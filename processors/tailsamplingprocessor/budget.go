package tailsamplingprocessor

import (
	"fmt"
	"sync/atomic"

	"github.com/tailgate-otel/tailgate/internal/segstore"
)

// budget is a store whose limit is for what is held beside it as well: a segment is only handed out if the log, the
// indexes and the memories of decisions stay within max_buffer together.
type budget struct {
	segstore.Store
	overhead *atomic.Int64
}

// Alloc implements segstore.Store.
func (b *budget) Alloc(shard int, seq uint64, size int) ([]byte, error) {
	if !b.fits(size) {
		return nil, fmt.Errorf("segment %d-%d of %d bytes beside %d of log and %d of indexes: %w", shard, seq, size,
			b.Used(), b.overhead.Load(), segstore.ErrFull)
	}
	return b.Store.Alloc(shard, seq, size)
}

func (b *budget) fits(size int) bool {
	return b.Used()+int64(size)+b.overhead.Load() <= b.Limit()
}
