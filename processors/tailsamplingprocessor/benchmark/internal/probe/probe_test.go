package probe

import (
	"runtime"
	"syscall"
	"testing"
	"time"
)

func TestHeldTellsHeapFromMappedMemory(t *testing.T) {
	const size = 64 << 20
	before := Held()

	heap := make([]byte, size)
	touch(heap)
	got := Held().Less(before)
	if got.Heap < size || got.Heap > size*11/10 || got.Outside > size/10 {
		t.Errorf("64 MiB of heap read as heap %d, outside %d", got.Heap, got.Outside)
	}
	runtime.KeepAlive(heap)

	before = Held()
	mapped, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Munmap(mapped); err != nil {
			t.Error(err)
		}
	}()
	touch(mapped)
	got = Held().Less(before)
	if got.Heap > size/10 || got.Outside < size*9/10 || got.Outside > size*11/10 {
		t.Errorf("64 MiB of mapped memory read as heap %d, outside %d", got.Heap, got.Outside)
	}
}

func TestGCShareNeedsACycle(t *testing.T) {
	before := ReadGC()
	if _, ok := before.Share(before); ok {
		t.Error("no cycle between two readings, and still a share")
	}
	for range 5 {
		runtime.GC()
	}
	if share, ok := ReadGC().Share(before); !ok || share <= 0 || share > 1 {
		t.Errorf("five forced collections: share %v, %v", share, ok)
	}
}

func TestAllocationsCounts(t *testing.T) {
	before := Allocations()
	kept := make([]*[64]byte, 1000)
	for i := range kept {
		kept[i] = new([64]byte)
	}
	if n := Allocations() - before; n < 1000 {
		t.Errorf("1000 objects counted as %d", n)
	}
	runtime.KeepAlive(kept)
}

func TestRSSWatchSeesAPeak(t *testing.T) {
	w := WatchRSS(RSS)
	peak := make([]byte, 64<<20)
	touch(peak)
	rss := RSS()
	runtime.KeepAlive(peak)
	average, highest := w.Stop()
	if average <= 0 || highest < average || rss < 64<<20 {
		t.Errorf("average %d, highest %d, rss %d", average, highest, rss)
	}
}

func TestQuantile(t *testing.T) {
	var l Latencies
	for i := 1000; i > 0; i-- {
		l = append(l, time.Duration(i))
	}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 500, 0.99: 990, 0.999: 999, 1: 1000} {
		if got := l.Quantile(q); got != want {
			t.Errorf("quantile %v: %d, want %d", q, got, want)
		}
	}
	if got := (Latencies)(nil).Quantile(0.5); got != 0 {
		t.Errorf("quantile of nothing: %d", got)
	}
}

func touch(b []byte) {
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
}
