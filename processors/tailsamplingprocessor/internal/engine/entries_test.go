package engine

import (
	"slices"
	"testing"
	"unsafe"
)

func TestEntrySize(t *testing.T) {
	if got := unsafe.Sizeof(entry{}); got != entrySize {
		t.Errorf("an entry takes %d bytes, entrySize says %d", got, entrySize)
	}
}

// Entries do not move, are handed out again with clean bits, and know nothing of their neighbours'.
func TestEntriesKeepTheirPlace(t *testing.T) {
	s := entries{words: 2}
	var taken []int32
	for range 3*chunkSize + 1 {
		n := s.take()
		s.bitsOf(n)[0], s.bitsOf(n)[1] = uint64(n)+1, ^uint64(n)
		s.at(n).hash = uint64(n)
		taken = append(taken, n)
	}
	if want := int64(4*chunkSize) * (entrySize + 2*8); s.bytes() != want {
		t.Errorf("4 chunks take %d bytes, want %d", s.bytes(), want)
	}
	for i, n := range taken {
		if int(n) != i || s.at(n).hash != uint64(i) || s.bitsOf(n)[0] != uint64(i)+1 || s.bitsOf(n)[1] != ^uint64(i) {
			t.Fatalf("entry %d: number %d, hash %d, bits %v", i, n, s.at(n).hash, s.bitsOf(n))
		}
	}
	for _, n := range []int32{7, chunkSize, 2000} {
		s.release(n)
	}
	var again []int32
	for range 3 {
		n := s.take()
		again = append(again, n)
		if b := s.bitsOf(n); b[0]|b[1] != 0 {
			t.Errorf("entry %d was handed out again with bits %x", n, b)
		}
	}
	slices.Sort(again)
	if !slices.Equal(again, []int32{7, chunkSize, 2000}) {
		t.Errorf("handed out %v, want the ones released", again)
	}
	s.setWords(3)
	for _, n := range taken {
		if b := s.bitsOf(n); len(b) != 3 || b[0]|b[1]|b[2] != 0 {
			t.Fatalf("entry %d has bits %x after a change of words", n, b)
		}
	}
}

// After a burst the memory goes back as its traces go, although a few traces stay, and those do not move.
func TestEntriesShrink(t *testing.T) {
	s := entries{words: 1}
	var taken []int32
	for range 10 * chunkSize {
		taken = append(taken, s.take())
	}
	s.at(5).hash = 55
	for _, n := range taken {
		if n != 5 {
			s.release(n)
		}
	}
	if want := int64(2*chunkSize) * (entrySize + 8); s.bytes() != want {
		t.Errorf("one trace of 10 chunks takes %d bytes, want those of its chunk and a spare one, %d", s.bytes(), want)
	}
	if s.at(5).hash != 55 || s.has(9*chunkSize) {
		t.Error("the trace that stays has moved, or what is gone is still there")
	}
	for range 3 * chunkSize {
		if n := s.take(); n == 5 {
			t.Fatal("an entry in use was handed out")
		}
	}
}
