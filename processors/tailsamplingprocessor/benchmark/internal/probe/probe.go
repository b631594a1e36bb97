// Package probe reads what this process costs beside CPU: memory of the Go heap and outside it, work of the garbage
// collector. It starts no goroutine but for RSSWatch.
package probe

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/tailgate-otel/tailgate/internal/testkit/procstat"
)

// Allocations is the number of heap objects allocated so far. It stops the world for a moment: package runtime/metrics
// would not, but leaves out what sits in the caches of the processors.
func Allocations() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// GC says how much CPU the collector used, as of the end of the last cycle: the runtime adds up only then.
type GC struct {
	Cycles    uint64
	Collector float64 // CPU seconds
	Used      float64 // CPU seconds in all, idle time left out
}

// ReadGC reads the runtime's account.
func ReadGC() GC {
	s := []metrics.Sample{
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/cpu/classes/gc/total:cpu-seconds"},
		{Name: "/cpu/classes/total:cpu-seconds"},
		{Name: "/cpu/classes/idle:cpu-seconds"},
	}
	metrics.Read(s)
	return GC{s[0].Value.Uint64(), s[1].Value.Float64(), s[2].Value.Float64() - s[3].Value.Float64()}
}

// Share is the collector's part of the CPU used between two readings. ok is false when no cycle ended in between.
func (g GC) Share(before GC) (share float64, ok bool) {
	if g.Cycles == before.Cycles || g.Used <= before.Used {
		return 0, false
	}
	return (g.Collector - before.Collector) / (g.Used - before.Used), true
}

// Memory is what a process holds after garbage is gone.
type Memory struct {
	Heap int64 // live bytes of the Go heap
	// Outside is resident memory that the Go runtime does not know of: mapped segments, be they anonymous or files. It
	// is VmRSS less what the runtime has from the system and did not give back. The runtime also counts pages that it
	// never touched, so the value may be low by some MiB, even below zero; the difference of two readings is
	// accurate to 2 MiB or so.
	Outside int64
	RSS     int64
	FullGC  time.Duration // wall time of one forced collection
}

// Held collects twice, so that what finalizers held is gone too, gives free pages back and reads what is left. The
// second collection is timed: the first also sweeps what the workload left behind.
func Held() Memory {
	runtime.GC()
	start := time.Now()
	runtime.GC()
	fullGC := time.Since(start)
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	rss := RSS()
	return Memory{
		Heap:    int64(m.HeapAlloc),
		Outside: rss - int64(m.Sys-m.HeapReleased),
		RSS:     rss,
		FullGC:  fullGC,
	}
}

// Less returns what was added since before; the GC time stays.
func (m Memory) Less(before Memory) Memory {
	m.Heap -= before.Heap
	m.Outside -= before.Outside
	m.RSS -= before.RSS
	return m
}

// RSS is the resident memory of the process in bytes, mapped files included.
func RSS() int64 {
	rss, err := procstat.Process(os.Getpid()).RSS()
	if err != nil {
		panic(fmt.Sprintf("the benchmark reads memory from /proc and needs Linux: %v", err))
	}
	return rss
}

// RSSWatch samples RSS in a goroutine of its own until Stop.
type RSSWatch struct {
	read func() int64
	stop chan struct{}
	done chan struct{}
	sum  int64
	n    int64
	max  int64
}

// WatchRSS samples what read returns, RSS or that of another process, every 50 ms: a collection of contrib's heap at 100,000 open traces takes seconds, and the peaks that
// matter to a memory limit last as long.
func WatchRSS(read func() int64) *RSSWatch {
	w := &RSSWatch{read: read, stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			rss := w.read()
			w.sum, w.n, w.max = w.sum+rss, w.n+1, max(w.max, rss)
			select {
			case <-w.stop:
				return
			case <-tick.C:
			}
		}
	}()
	return w
}

// Stop ends the watch and returns the average and the highest sample.
func (w *RSSWatch) Stop() (average, highest int64) {
	close(w.stop)
	<-w.done
	return w.sum / w.n, w.max
}
