package segstore_test

import (
	"bytes"
	"os"
	"strconv"
	"testing"
	"unsafe"

	"github.com/tailgate-otel/tailgate/internal/segstore"
)

// residentBytes returns how much of the process is in memory.
func residentBytes(t *testing.T) int {
	t.Helper()
	all, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(all) {
		if f := bytes.Fields(line); len(f) == 3 && string(f[0]) == "Rss:" {
			kib, err := strconv.Atoi(string(f[1]))
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no Rss in smaps_rollup")
	return 0
}

// What is freed goes back to the system, all but a few spares; and what is only allocated is not resident yet.
func TestMemoryGoesBack(t *testing.T) {
	t.Run("MiB=1", func(t *testing.T) { testMemoryGoesBack(t, 1<<20, 64) })
	t.Run("MiB=2", func(t *testing.T) { testMemoryGoesBack(t, 2<<20, 32) }) // of huge pages, where there are any
}

func testMemoryGoesBack(t *testing.T, size, count int) {
	slack := 4*size + 4<<20 // the spares, and what the runtime does meanwhile
	s := segstore.NewMemory(int64(count * size))
	defer s.Close()
	before := residentBytes(t)
	held := make([][]byte, count)
	for i := range held {
		held[i] = alloc(t, s, 0, uint64(i), size)
	}
	if grown := residentBytes(t) - before; grown > slack {
		t.Errorf("untouched segments take %d bytes", grown)
	}
	for _, mem := range held {
		for at := 0; at < size; at += page {
			mem[at] = 1
		}
	}
	if grown := residentBytes(t) - before; grown < count*size-slack {
		t.Fatalf("touched segments take %d bytes, want some %d: the test measures nothing", grown, count*size)
	}
	for i, mem := range held {
		s.Free(0, uint64(i), mem)
	}
	if grown := residentBytes(t) - before; grown > slack {
		t.Errorf("freed segments still take %d bytes", grown)
	}
}

// Segments of whole huge pages begin where one can.
func TestHugePagesFit(t *testing.T) {
	const hugePage = 2 << 20
	s := segstore.NewMemory(1 << 30)
	defer s.Close()
	for seq := range uint64(10) {
		alloc(t, s, 0, seq, page) // so that the next does not follow the last
		mem := alloc(t, s, 1, seq, hugePage*int(1+seq%3))
		if at := uintptr(unsafe.Pointer(&mem[0])); at%hugePage != 0 {
			t.Fatalf("%d bytes at %#x are not aligned", len(mem), at)
		}
		mem[0], mem[len(mem)-1] = 1, 1
	}
}
