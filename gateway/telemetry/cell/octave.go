package cell

import (
	"math"
	"sync"
)

// octave is bucketIndex as a table, for one scale. All powers of two are divided alike, so where a value falls within its
// own depends on its mantissa only: a guess by the mantissa's first bits, and one comparison. It takes 3 ns where
// the logarithm takes 20.
type octave struct {
	first  int                   // index of mantissa 0 relative to that of the power of two
	guess  [1 << guessBits]uint8 // how many bounds are not above the least mantissa with these first bits
	bounds []uint64              // least mantissas of the following buckets, ascending; one more at the end
}

const (
	mantissaBits = 52
	mantissaMask = 1<<mantissaBits - 1
	guessBits    = 7
	exponentBias = 1022 // of math.Frexp, whose fraction is below 1

	// maxOctaveScale is the finest scale with a table: its narrowest bucket, 2^(1/64)-1 = 1.09 % wide, is wider than a
	// 128th, so that at most one bound lies among the mantissas of one guess. A histogram comes down to it when its
	// values are spread over a factor of 5.7 (160/64 octaves).
	maxOctaveScale = 6
)

// index equals bucketIndex for v > 0 at the octave's scale. (For v below 2^-1022, whose mantissa is not normalised, it would
// not; a nanosecond is 2^-30.)
func (o *octave) index(v float64, scale int) int {
	bits := math.Float64bits(v)
	mantissa := bits & mantissaMask
	sub := int(o.guess[mantissa>>(mantissaBits-guessBits)])
	if mantissa >= o.bounds[sub] {
		sub++
	}
	return (int(bits>>mantissaBits)-exponentBias)<<scale + o.first + sub
}

// octaveOf returns the table of a scale, nil if it has none. Tables are constants, computed when first asked for.
func octaveOf(scale int) *octave {
	if scale > maxOctaveScale {
		return nil
	}
	return octaves[scale-1]()
}

var octaves = func() (o [maxOctaveScale]func() *octave) {
	for i := range o {
		o[i] = sync.OnceValue(func() *octave { return newOctave(i + 1) })
	}
	return o
}()

// newOctave finds the bounds by asking bucketIndex, so that both put every value into the same bucket.
func newOctave(scale int) *octave {
	within := func(mantissa uint64) int {
		// The octave [0.5, 1), whose exponent by Frexp is 0.
		return bucketIndex(math.Float64frombits(exponentBias<<mantissaBits|mantissa), scale)
	}
	o := &octave{first: within(0)}
	for at := uint64(0); within(mantissaMask) > within(at); {
		low, high := at, uint64(mantissaMask) // within(low) == within(at) < within(high)
		for high-low > 1 {
			if middle := (low + high) / 2; within(middle) > within(at) {
				high = middle
			} else {
				low = middle
			}
		}
		o.bounds = append(o.bounds, high)
		at = high
	}
	o.bounds = append(o.bounds, math.MaxUint64)
	sub := 0
	for i := range o.guess {
		for o.bounds[sub] <= uint64(i)<<(mantissaBits-guessBits) {
			sub++
		}
		o.guess[i] = uint8(sub)
	}
	return o
}
