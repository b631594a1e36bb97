package segstore_test

import (
	"bytes"
	"os"
	"strconv"
	"testing"

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
	const size, count, slack = 1 << 20, 64, 8 << 20
	s := segstore.NewMemory(count * size)
	defer s.Close()
	before := residentBytes(t)
	var held [count][]byte
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
