package decisionmemory

import (
	"encoding/binary"
	"math/bits"
)

// A hasher turns trace ids into 64 bits of which each depends on all 128 of the id: many ids in the wild are padded with
// zeros, and all come from strangers. Its three words are the secret that keeps collisions from being chosen.
//
// It multiplies and folds as wyhash and the runtime's own fallback do. hash/maphash is as fast but takes no seed, so a
// test that fails could not be repeated.
type hasher struct{ a, b, c uint64 }

func (h hasher) sum(id [16]byte) uint64 {
	lo := binary.LittleEndian.Uint64(id[:8])
	hi := binary.LittleEndian.Uint64(id[8:])
	return fold(fold(lo^h.a, hi^h.b)^h.c, golden)
}

// golden is 2^64 divided by the golden ratio, made odd (Knuth, TAOCP 3, section 6.4).
const golden = 0x9e3779b97f4a7c15

func fold(x, y uint64) uint64 {
	hi, lo := bits.Mul64(x, y)
	return hi ^ lo
}

// reduce maps a hash to [0, n) by its high bits, without a division (Lemire, "Fast random integer generation in an
// interval", 2019). n need not be a power of two, so tables are exactly as large as asked for.
func reduce(h, n uint64) uint64 {
	hi, _ := bits.Mul64(h, n)
	return hi
}

// A walk picks the slots a cuckoo insertion pushes from (xorshift64, Marsaglia 2003). It needs no secret.
type walk uint64

// maxKicks is after how many moves a cuckoo insertion gives up and calls the store full. Below the load limits that are
// set here that does not happen; at 1 M entries 256 moves take some 20 µs.
const maxKicks = 256

func (w *walk) next() uint64 {
	if *w == 0 {
		*w = golden
	}
	*w ^= *w << 13
	*w ^= *w >> 7
	*w ^= *w << 17
	return uint64(*w) >> 32
}
