package engine

// index finds the entry of a trace id. It is open addressing over hashes and entry numbers, in 32 tables that grow and
// shrink one at a time: doubling a table of 8,192 takes 60 µs, doubling one of 250,000 would hold the shard's lock for 2 ms.
type index struct {
	tables [1 << stripeBits]stripe
	len    int
}

const stripeBits = 5

type stripe struct {
	slots []uint64 // lower half of the hash | entry number + 1; 0: free
	used  int
}

func (x *index) stripe(h uint64) *stripe { return &x.tables[h>>(64-stripeBits)] }

// find calls same for the entries that may be meant, until it says yes, and returns that entry, or -1.
func (x *index) find(h uint64, same func(n int32) bool) int32 {
	t := x.stripe(h)
	if len(t.slots) == 0 {
		return -1
	}
	mask := uint64(len(t.slots) - 1)
	for i := home(h, mask); t.slots[i] != 0; i = (i + 1) & mask {
		if t.slots[i]>>32 == h&0xffffffff {
			if n := int32(uint32(t.slots[i])) - 1; same(n) {
				return n
			}
		}
	}
	return -1
}

// home is where a hash would like to stand. The slot remembers the lower half of the hash, so that a table can grow
// without the entries; the place comes from there too, the stripe from the top.
func home(h, mask uint64) uint64 { return h & mask }

func (x *index) insert(h uint64, n int32) {
	t := x.stripe(h)
	if (t.used+1)*4 > len(t.slots)*3 {
		t.resize(max(minStripe, 2*len(t.slots)))
	}
	t.put(h&0xffffffff<<32 | uint64(uint32(n+1)))
	t.used++
	x.len++
}

func (t *stripe) put(slot uint64) {
	mask := uint64(len(t.slots) - 1)
	i := home(slot>>32, mask)
	for t.slots[i] != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = slot
}

const minStripe = 64

func (t *stripe) resize(slots int) {
	old := t.slots
	t.slots = make([]uint64, slots)
	for _, slot := range old {
		if slot != 0 {
			t.put(slot)
		}
	}
}

// delete removes entry n, if it is there, and closes the gap, so that no tombstones pile up.
func (x *index) delete(h uint64, n int32) {
	t := x.stripe(h)
	if t.used == 0 {
		return
	}
	mask := uint64(len(t.slots) - 1)
	want := h&0xffffffff<<32 | uint64(uint32(n+1))
	i := home(h, mask)
	for t.slots[i] != want {
		if t.slots[i] == 0 {
			return
		}
		i = (i + 1) & mask
	}
	for j := i; ; {
		j = (j + 1) & mask
		if t.slots[j] == 0 {
			break
		}
		if k := home(t.slots[j]>>32, mask); (j-k)&mask >= (j-i)&mask {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = 0
	t.used--
	x.len--
	if t.used*8 < len(t.slots) && len(t.slots) > minStripe {
		t.resize(len(t.slots) / 2)
	}
}

func (x *index) bytes() (n int64) {
	for i := range x.tables {
		n += int64(len(x.tables[i].slots)) * 8
	}
	return n
}
