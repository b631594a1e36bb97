package decisionmemory

import (
	"math/rand/v2"
	"testing"
)

// Both stores say when they are full, and lose nothing by being asked for more.
func TestFullStoreLosesNothing(t *testing.T) {
	const buckets = 700 // more than a page of either
	alive := [generations]bool{1: true}
	f := newFilter(buckets, 0, 0)
	tab := newTable(buckets, 0, 0, &alive)
	for _, s := range []struct {
		name     string
		least    float64 // load the first refusal may come at
		insert   func(h uint64) bool
		contains func(h uint64) bool
	}{
		{"filter", fullLoad, f.insert, f.contains},
		{"table", keepLoad, func(h uint64) bool { return tab.insert(newEntry(h, 1, Kept{Threshold: h >> 8})) },
			func(h uint64) bool {
				b, slot, ok := tab.find(h)
				return ok && b.get(uint64(slot)).kept().Threshold == h>>8
			}},
	} {
		t.Run(s.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			var in []uint64
			refused := 0
			for refused < 20 {
				if h := r.Uint64(); s.insert(h) {
					in = append(in, h)
				} else if refused++; refused == 1 && float64(len(in)) < s.least*buckets*4 {
					t.Errorf("refused at a load of %.3f, want at least %.3f", float64(len(in))/(buckets*4), s.least)
				}
			}
			for _, h := range in {
				if !s.contains(h) {
					t.Fatalf("lost %#x, one of %d", h, len(in))
				}
			}
		})
	}
}

// A key that a full store refuses goes to the next one, and the promise holds.
func TestRefusedKeyIsRemembered(t *testing.T) {
	m := newSeeded(Settings{Kept: 4000, Dropped: 4000}, testHash)
	m.keeps.buckets /= 2 // half of what the limit needs: level 0 fills up
	m.drops.buckets /= 2
	for n := range 4000 {
		m.Keep(start, number(n), Kept{Policy: uint16(n)})
		m.Drop(start, number(-1-n))
	}
	for n := range 4000 {
		if a, d := m.Lookup(start, number(n)); a != WasKept || d.Policy != uint16(n) {
			t.Fatalf("keep %d: %d %+v", n, a, d)
		}
		if a, _ := m.Lookup(start, number(-1-n)); a != WasDropped {
			t.Fatalf("drop %d: %d", n, a)
		}
	}
	checkSums(t, m)
}

// The other bucket's other bucket is the first, for any number of buckets and any fingerprint.
func TestOtherIsItsOwnInverse(t *testing.T) {
	for _, buckets := range []uint64{1, 2, 3, 512, 1000, 266_667} {
		f := newFilter(buckets, 0, 0)
		for fp := 1; fp < 1<<16; fp += 7 {
			i := uint64(fp) * 31 % buckets
			j := f.other(i, uint16(fp))
			if j >= buckets || f.other(j, uint16(fp)) != i {
				t.Fatalf("%d buckets, fingerprint %d: %d -> %d -> %d", buckets, fp, i, j, f.other(j, uint16(fp)))
			}
		}
	}
}

func TestHasLane(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 100_000 {
		var bucket uint64
		want := false
		fp := uint16(r.UintN(4) + 1) // few values, so that they meet
		for range lanes {
			lane := uint16(r.UintN(6))
			bucket = bucket<<laneBits | uint64(lane)
			want = want || lane == fp
		}
		if hasLane(bucket, fp) != want {
			t.Fatalf("bucket %#x, fingerprint %d: want %v", bucket, fp, want)
		}
	}
}

// A filter that is cleared is empty and forgets nothing it is told afterwards, also when its epochs run over.
func TestClearedFilterIsEmpty(t *testing.T) {
	f := newFilter(1000, 0, 0)
	f.epoch = 1<<32 - 3
	for round := range uint64(6) {
		for n := range uint64(1000) {
			if !f.insert(testHash.c * (round<<32 + n + 1)) {
				t.Fatal("full")
			}
		}
		f.clear()
		for i := range f.buckets {
			if f.bucket(i) != 0 {
				t.Fatalf("round %d: bucket %d is not empty", round, i)
			}
		}
	}
}

// The number of a dead generation is free of old keys by the time it comes back.
func TestGenerationsComeBackClean(t *testing.T) {
	const limit = 2000
	m := newSeeded(Settings{Kept: limit}, testHash)
	last := generation(0)
	for n, begun := 0, 0; begun < 3*generations; n++ {
		m.Keep(start, number(n), Kept{})
		k := &m.keeps
		if k.newest == last {
			continue
		}
		last = k.newest
		begun++
		for _, tab := range k.row {
			if got := holds(tab, k.newest); got > 1 {
				t.Fatalf("generation %d begins with %d keys", k.newest, got)
			}
		}
	}
}

func holds(tab *table, g generation) int {
	n := 0
	for i := range tab.buckets {
		if b := tab.bucket(i); b != nil {
			for slot := range slots {
				if b.fate[slot].generation() == g {
					n++
				}
			}
		}
	}
	return n
}
