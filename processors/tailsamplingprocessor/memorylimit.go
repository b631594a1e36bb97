package tailsamplingprocessor

import (
	"math"
	"runtime/debug"
	"sync"
)

// reserved is what the buffers of all samplers may take outside the Go heap, where GOMEMLIMIT does not see them.
var reserved struct {
	sync.Mutex
	bytes int64
}

// reserveMemory lowers the limit of the heap, if there is one, by bytes, but to no less than a quarter. undo is nil if
// there is none.
func reserveMemory(bytes int64) (undo func()) {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		return nil
	}
	reserve(bytes)
	return func() { reserve(-bytes) }
}

func reserve(bytes int64) {
	reserved.Lock()
	defer reserved.Unlock()
	total := debug.SetMemoryLimit(-1) + reserved.bytes
	reserved.bytes += bytes
	debug.SetMemoryLimit(max(total-reserved.bytes, total/4))
}
