package tracelog

import "hash/maphash"

// table finds what stands earlier in the open segment. 2,048 buckets of one cache line with four slots each; a bucket
// that is full of slots in use forgets nothing and learns nothing, so values that never come again cannot push out
// those that do.
type table struct {
	seed    maphash.Seed
	buckets []bucket
}

const (
	tableBits = 11
	slotWays  = 4
)

type bucket [slotWays]slot

type slot struct {
	hash uint64
	off  uint32 // 0: free
	note uint32 // bit 31: hit since the last sweep of the bucket; below: what the owner remembers, 0 = nothing yet
}

const slotUsed = 1 << 31

// Hashes of strings end in 0, of attributes in 1, so that a slot is only ever compared with its own kind.
const (
	stringHash = 0
	attrHash   = 1
)

func newTable() table {
	return table{seed: maphash.MakeSeed(), buckets: make([]bucket, 1<<tableBits)}
}

func (t *table) reset() { clear(t.buckets) }

func (t *table) bytes() int { return len(t.buckets) * slotWays * 16 }

func (t *table) bucket(h uint64) *bucket { return &t.buckets[h>>(64-tableBits)] }

// add remembers off under h and returns its slot, or nil when the bucket is full of slots in use.
func (t *table) add(h uint64, off int) *slot {
	b := t.bucket(h)
	victim := -1
	for i := range b {
		if b[i].off == 0 {
			victim = i
			break
		}
		if victim < 0 && b[i].note&slotUsed == 0 {
			victim = i
		}
	}
	if victim < 0 {
		for i := range b {
			b[i].note &^= slotUsed
		}
		return nil
	}
	b[victim] = slot{hash: h, off: uint32(off)}
	return &b[victim]
}

// mix makes one hash of two.
func mix(a, b uint64) uint64 {
	h := (a ^ b>>32 ^ b<<32) * 0x9e3779b97f4a7c15
	return h ^ h>>32
}

func kindOf(h, kind uint64) uint64 { return h&^1 | kind }
