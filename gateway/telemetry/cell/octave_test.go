package cell

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestOctave compares the tables with the logarithm: at every bound and beside it, at powers of two, and at random.
func TestOctave(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	for scale := 1; scale <= maxOctaveScale; scale++ {
		o := octaveOf(scale)
		if len(o.bounds) < 1<<scale {
			t.Errorf("scale %d: %d bounds", scale, len(o.bounds))
		}
		check := func(v float64) {
			t.Helper()
			if got, want := o.index(v, scale), bucketIndex(v, scale); got != want {
				t.Errorf("scale %d, %v: bucket %d, want %d", scale, v, got, want)
			}
		}
		check(0x1p-1022)
		check(math.MaxFloat64)
		for range 2000 {
			exponent := uint64(1+rnd.IntN(2046)) << mantissaBits
			check(math.Float64frombits(exponent))
			check(math.Float64frombits(exponent | rnd.Uint64()&mantissaMask))
			bound := o.bounds[rnd.IntN(len(o.bounds)-1)]
			for _, m := range []uint64{bound - 1, bound, (bound + 1) & mantissaMask} {
				check(math.Float64frombits(exponent | m))
			}
		}
	}
	for _, scale := range []int{maxOctaveScale + 1, maxScale} {
		if octaveOf(scale) != nil {
			t.Errorf("scale %d has a table", scale)
		}
	}
}

// TestRetiredWindowsCount: what is added to a window after it was replaced is not lost.
func TestRetiredWindowsCount(t *testing.T) {
	var e exponential
	for range maxEarly {
		e.count(1)
	}
	old := e.current.Load()
	e.count(1e9)
	if e.current.Load() == old || len(e.retired) != 1 {
		t.Fatal("the window was not replaced")
	}
	if !old.count(1) {
		t.Fatal("the old window has no room")
	}
	scale, b, n := e.collect(reader{})
	if n != maxEarly+2 || b.Counts[0] != maxEarly+1 || b.Counts[len(b.Counts)-1] != 1 || len(b.Counts) > maxBuckets || scale != 2 {
		t.Errorf("scale %d, %d values in %v", scale, n, b)
	}
}
