package engine

import (
	"math/rand/v2"
	"testing"
)

// indexTwin is an index as a map.
type indexTwin map[int32]uint64 // hash by entry

func (w indexTwin) find(h uint64, same func(int32) bool) int32 {
	for n, hash := range w {
		if hash == h && same(n) {
			return n
		}
	}
	return none
}

// TestIndexAgainstTwin inserts, finds and deletes at random. Hashes come from few values, so that whole runs of a table
// share a home, wrap around its end, and differ only in the bits that no slot remembers.
func TestIndexAgainstTwin(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		x, w := index{}, indexTwin{}
		hashes := make([]uint64, 1+r.IntN(300))
		for i := range hashes {
			switch r.IntN(4) {
			case 0:
				hashes[i] = r.Uint64()
			case 1: // the same home, at the end of every table
				hashes[i] = r.Uint64N(8)<<32 | 0xffffffff
			case 2: // the same stripe, few homes
				hashes[i] = r.Uint64N(70)
			case 3: // the same lower half
				hashes[i] = r.Uint64()<<32 | 5
			}
		}
		var entries []int32
		for step := range 4000 {
			h := hashes[r.IntN(len(hashes))]
			if grow := 5 + step%1000/500; r.IntN(10) < grow || len(entries) == 0 {
				n := int32(step)
				x.insert(h, n)
				w[n] = h
				entries = append(entries, n)
			} else {
				i := r.IntN(len(entries))
				n := entries[i]
				entries[i] = entries[len(entries)-1]
				entries = entries[:len(entries)-1]
				x.delete(w[n], n)
				delete(w, n)
			}
			if x.len != len(w) {
				t.Fatalf("seed %d, step %d: %d entries, want %d", seed, step, x.len, len(w))
			}
			checkIndex(t, &x, w, r, h)
		}
		for n, h := range w {
			if got := x.find(h, func(m int32) bool { return m == n }); got != n {
				t.Fatalf("seed %d: entry %d of hash %#x is lost", seed, n, h)
			}
			x.delete(h, n)
		}
		for i := range x.tables {
			for _, slot := range x.tables[i].slots {
				if slot != 0 {
					t.Fatalf("seed %d: slot %#x stayed behind", seed, slot)
				}
			}
		}
	}
}

// checkIndex asks for an entry that is there, and for one that is not.
func checkIndex(t *testing.T, x *index, w indexTwin, r *rand.Rand, h uint64) {
	t.Helper()
	for n, hash := range w { // any
		if got := x.find(hash, func(m int32) bool { return m == n }); got != n {
			t.Fatalf("entry %d of hash %#x: found %d", n, hash, got)
		}
		break
	}
	asked := map[int32]bool{}
	x.find(h, func(n int32) bool { asked[n] = true; return false })
	for n, hash := range w {
		if hash == h && !asked[n] {
			t.Fatalf("entry %d of hash %#x was not offered", n, h)
		}
	}
	none := r.Uint64() | 1<<40
	if got, want := x.find(none, func(int32) bool { return false }), w.find(none, func(int32) bool { return false }); got != want {
		t.Fatalf("hash %#x: found %d, want %d", none, got, want)
	}
	x.delete(h, 1<<30) // is not there, takes nothing away
}

// The tables stay at most three quarters full and never grow by the number of deletes.
func TestIndexStaysSmall(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	x := index{}
	var hashes []uint64
	for n := range int32(2000) {
		hashes = append(hashes, r.Uint64())
		x.insert(hashes[n], n)
	}
	before := x.bytes()
	for range 200_000 {
		n := r.Int32N(2000)
		x.delete(hashes[n], n)
		hashes[n] = r.Uint64()
		x.insert(hashes[n], n)
	}
	if got := x.bytes(); got > 2*before { // a stripe may have had more at one time than at the start
		t.Errorf("grew from %d to %d bytes with 2,000 entries", before, got)
	}
	if perEntry := x.bytes() / 2000; perEntry > 22 { // 8 bytes at a load between 3/8 and 3/4
		t.Errorf("%d bytes per entry", perEntry)
	}
}
