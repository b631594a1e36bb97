package segstore_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/tailgate-otel/tailgate/internal/segstore"
	"github.com/tailgate-otel/tailgate/internal/segstore/segstoretest"
)

var page = os.Getpagesize()

// stores makes one of each kind with the same limit.
var stores = map[string]func(t *testing.T, limit int64) segstore.Store{
	"memory": func(_ *testing.T, limit int64) segstore.Store { return segstore.NewMemory(limit) },
	"dir": func(t *testing.T, limit int64) segstore.Store {
		if runtime.GOOS != "linux" {
			t.Skip("segments on disk need Linux")
		}
		d, found := open(t, t.TempDir(), limit)
		if len(found) != 0 {
			t.Fatalf("a new directory holds %v", found)
		}
		return d
	},
	"faulty": func(_ *testing.T, limit int64) segstore.Store {
		return segstoretest.New(segstore.NewMemory(limit))
	},
}

func open(t *testing.T, dir string, limit int64) (*segstore.Dir, []segstore.Existing) {
	t.Helper()
	d, found, err := segstore.OpenDir(dir, limit)
	if err != nil {
		t.Fatal(err)
	}
	return d, found
}

func forEach(t *testing.T, limit int64, test func(t *testing.T, s segstore.Store)) {
	for name, make := range stores {
		t.Run(name, func(t *testing.T) {
			s := make(t, limit)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			test(t, s)
		})
	}
}

func alloc(t *testing.T, s segstore.Store, shard int, seq uint64, size int) []byte {
	t.Helper()
	mem, err := s.Alloc(shard, seq, size)
	if err != nil {
		t.Fatal(err)
	}
	return mem
}

func TestSegmentsAreZeroAlignedAndLargeEnough(t *testing.T) {
	forEach(t, 1<<20, func(t *testing.T, s segstore.Store) {
		for seq := range uint64(40) { // most of them in memory that was used before
			size := 1 + int(seq%3)*page
			mem := alloc(t, s, 1, seq, size)
			if len(mem) < size || uintptr(unsafe.Pointer(&mem[0]))%uintptr(page) != 0 {
				t.Fatalf("asked for %d bytes, got %d at %p", size, len(mem), mem)
			}
			for i := range mem {
				if mem[i] != 0 {
					t.Fatalf("segment %d: byte %d is %d", seq, i, mem[i])
				}
				mem[i] = 0xff
			}
			if want := int64(len(mem)); s.Used() != want {
				t.Fatalf("%d bytes are used, want %d", s.Used(), want)
			}
			s.Free(1, seq, mem)
		}
		if s.Used() != 0 {
			t.Errorf("%d bytes are used after all is freed", s.Used())
		}
	})
}

func TestBudget(t *testing.T) {
	forEach(t, int64(3*page), func(t *testing.T, s segstore.Store) {
		a, b := alloc(t, s, 0, 1, page), alloc(t, s, 0, 2, page)
		if _, err := s.Alloc(0, 3, page+1); !errors.Is(err, segstore.ErrFull) {
			t.Fatalf("two pages where one is left: %v", err)
		}
		alloc(t, s, 1, 1, page)
		if s.Used() != s.Limit() {
			t.Errorf("%d of %d bytes are used, want all", s.Used(), s.Limit())
		}
		if _, err := s.Alloc(1, 2, 1); !errors.Is(err, segstore.ErrFull) {
			t.Fatalf("one byte where none is left: %v", err)
		}
		s.Free(0, 1, a)
		s.Free(0, 2, b)
		alloc(t, s, 0, 4, 2*page) // in the room of two that were of another size
	})
}

func TestMisuse(t *testing.T) {
	forEach(t, 1<<20, func(t *testing.T, s segstore.Store) {
		mem := alloc(t, s, 0, 1, page)
		if _, err := s.Alloc(0, 1, page); !errors.Is(err, os.ErrExist) {
			t.Errorf("a name that is taken: %v", err)
		}
		for _, size := range []int{-1, 0, 1<<30 + 1} {
			if _, err := s.Alloc(0, 9, size); err == nil || errors.Is(err, segstore.ErrFull) {
				t.Errorf("a size of %d: %v", size, err)
			}
		}
		s.Free(0, 2, mem) // never allocated
		if s.Used() != int64(page) {
			t.Errorf("%d bytes are used after a segment was freed that is not there", s.Used())
		}
		s.Free(0, 1, mem)
		s.Free(0, 1, mem) // twice
		if s.Used() != 0 {
			t.Errorf("%d bytes are used after freeing twice", s.Used())
		}
		alloc(t, s, 0, 1, page) // the name is free again
	})
}

func TestClosed(t *testing.T) {
	forEach(t, 1<<20, func(t *testing.T, s segstore.Store) {
		mem := alloc(t, s, 0, 1, page)
		for range 2 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		s.Free(0, 1, mem)
		if _, err := s.Alloc(0, 2, page); !errors.Is(err, os.ErrClosed) {
			t.Errorf("alloc after close: %v", err)
		}
		if s.Used() != 0 {
			t.Errorf("%d bytes are used after close", s.Used())
		}
	})
}

// Eight shards take what they can get and give back half of it, over and over: never more than the limit is out, and
// nothing is lost.
func TestBudgetIsSharedByAllShards(t *testing.T) {
	const shards, rounds = 8, 200
	limit := int64(20 * page)
	forEach(t, limit, func(t *testing.T, s segstore.Store) {
		var out, refused atomic.Int64
		var wg sync.WaitGroup
		for shard := range shards {
			wg.Go(func() {
				var held [][2]any
				for seq := range uint64(rounds) {
					mem, err := s.Alloc(shard, seq, page)
					switch {
					case err == nil:
						if got := out.Add(int64(page)); got > limit {
							t.Errorf("%d bytes are out, the limit is %d", got, limit)
						}
						mem[0]++
						if mem[0] != 1 {
							t.Errorf("segment %d-%d was not zero, or is shared", shard, seq)
						}
						held = append(held, [2]any{seq, mem})
					case errors.Is(err, segstore.ErrFull):
						refused.Add(1)
					default:
						t.Error(err)
					}
					if (err != nil || seq%2 == 1) && len(held) > 0 {
						out.Add(-int64(page))
						s.Free(shard, held[0][0].(uint64), held[0][1].([]byte))
						held = held[1:]
					}
				}
				for _, h := range held {
					out.Add(-int64(page))
					s.Free(shard, h[0].(uint64), h[1].([]byte))
				}
			})
		}
		wg.Wait()
		if refused.Load() == 0 {
			t.Error("nobody was ever refused: the test tests nothing")
		}
		if s.Used() != 0 {
			t.Errorf("%d bytes are used after all is freed", s.Used())
		}
		for seq := range uint64(20) { // the whole budget is there again
			alloc(t, s, 99, seq, page)
		}
	})
}

// A store can be closed under the hands of those who allocate and free.
func TestCloseMeanwhile(t *testing.T) {
	forEach(t, 1<<20, func(t *testing.T, s segstore.Store) {
		var wg sync.WaitGroup
		var allocated atomic.Int64
		for shard := range 4 {
			wg.Go(func() {
				for seq := uint64(0); ; seq++ {
					mem, err := s.Alloc(shard, seq, page)
					if errors.Is(err, os.ErrClosed) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					if allocated.Add(1) == 100 {
						if err := s.Close(); err != nil {
							t.Error(err)
						}
					}
					s.Free(shard, seq, mem)
				}
			})
		}
		wg.Wait()
		if s.Used() != 0 {
			t.Errorf("%d bytes are used after close", s.Used())
		}
	})
}

func TestFaulty(t *testing.T) {
	f := segstoretest.New(segstore.NewMemory(1 << 20))
	defer f.Close()
	broken := errors.New("broken")
	f.FailAfter(2, broken)
	a := alloc(t, f, 0, 1, page)
	alloc(t, f, 0, 2, page)
	for range 2 {
		if _, err := f.Alloc(0, 3, page); !errors.Is(err, broken) {
			t.Errorf("the third: %v", err)
		}
	}
	f.FailAfter(0, nil)
	alloc(t, f, 0, 3, page)
	f.Free(0, 1, a)
	if f.Held() != 2 {
		t.Errorf("%d are held, want 2", f.Held())
	}
}

// What it costs to write a segment for the first time, with everything it takes to get and to free it.
func BenchmarkSegment(b *testing.B) {
	const mib = 1 << 20
	for _, kind := range []string{"memory", "dir"} {
		for _, size := range []int{1 * mib, 2 * mib, 4 * mib} {
			// Up to four freed segments wait to be used again; of 64 nearly all come fresh from the system.
			for name, atOnce := range map[string]int{"reused": 1, "fresh": 64} {
				b.Run(fmt.Sprintf("%s/MiB=%d/%s", kind, size/mib, name), func(b *testing.B) {
					s := segstore.Store(segstore.NewMemory(1 << 30))
					if kind == "dir" {
						d, _, err := segstore.OpenDir(b.TempDir(), 1<<30)
						if err != nil {
							b.Fatal(err)
						}
						s = d
					}
					defer s.Close()
					for b.Loop() {
						writeAndFree(b, s, atOnce, size)
					}
					b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*atOnce*size/mib), "µs/MiB")
				})
			}
		}
	}
}

func writeAndFree(b *testing.B, s segstore.Store, atOnce, size int) {
	held := make([][]byte, atOnce)
	for i := range held {
		mem, err := s.Alloc(0, uint64(i), size)
		if err != nil {
			b.Fatal(err)
		}
		for at := 0; at < size; at += 64 {
			mem[at] = 1
		}
		held[i] = mem
	}
	for i, mem := range held {
		s.Free(0, uint64(i), mem)
	}
}
