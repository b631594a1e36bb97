package engine

import (
	"math/rand/v2"
	"testing"
	"time"
)

// A shard sees the hashes of one lane only: bits 32 to 35 of them are alike. The memory must not depend on those.
func TestDecidedRemembersALanesTraces(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	d := newDecided()
	var hashes []uint64
	for range 4000 {
		h := r.Uint64()&^(15<<32) | 3<<32
		hashes = append(hashes, h)
		d.add(h, 7*time.Second)
	}
	known := 0
	for _, h := range hashes {
		if age, ok := d.age(h, 9*time.Second); ok {
			known++
			if age != 2*time.Second {
				t.Fatalf("decided 2s ago, not %s", age)
			}
		}
	}
	if known < 3400 { // of 4,000 in 16,384 places about 460 fall on one taken later
		t.Errorf("%d of the newest 4,000 are known", known)
	}
	if _, ok := d.age(r.Uint64(), 0); ok {
		t.Error("the age of a trace that was never decided is known")
	}
}
