package decisionmemory

import "unsafe"

// A table is a cuckoo hash table (Pagh and Rodler 2001; four slots to a bucket: Dietzfelbinger and Weidling 2005) from
// hash to fate. A slot is 20 bytes and free when its generation is dead, so forgetting a generation touches no slot.
//
// Open addressing with linear probing lost: it needs tombstones or a rewrite for each forgotten key, and at this load its
// searches for absent keys, which is what each new trace asks for, average over a hundred slots instead of eight.
type table struct {
	pages     []*tablePage // allocated when first written
	buckets   uint64
	level     int // as of filter
	limit     int // how many live keys it takes
	live      int
	allocated int    // pages
	swept     uint64 // the bucket to sweep next
	due       uint64 // how many are still to be swept before the next generation begins
	alive     *[generations]bool
	kick      walk
}

// A bucket holds four keys; arrays instead of an array of slots, because a slot of its own would be padded to 24 bytes.
type bucket struct {
	hash   [slots]uint64
	fate   [slots]fate
	policy [slots]uint32
}

type tablePage [tablePageBuckets]bucket

const (
	slots            = 4
	tablePageBuckets = 4096 / 80 // 16 bytes of each page are lost
)

// An entry is what a slot holds.
type entry struct {
	hash   uint64
	fate   fate
	policy uint32
}

// A fate is a threshold (56 bits), whether there is one (1 bit), and the generation (7 bits; zero in a free slot).
type fate uint64

const (
	generations  = 128
	hasThreshold = 1 << 7
)

func newEntry(h uint64, g generation, d Kept) entry {
	f := fate(d.Threshold)<<8 | fate(g)
	if d.HasThreshold {
		f |= hasThreshold
	}
	return entry{h, f, uint32(d.Policy)<<16 | uint32(d.SubPolicy)}
}

func (e entry) kept() Kept {
	return Kept{
		Policy:       uint16(e.policy >> 16),
		SubPolicy:    uint16(e.policy),
		Threshold:    uint64(e.fate >> 8),
		HasThreshold: e.fate&hasThreshold != 0,
	}
}

func (f fate) generation() generation { return generation(f % generations) }

func newTable(buckets uint64, level, limit int, alive *[generations]bool) *table {
	pages := (buckets + tablePageBuckets - 1) / tablePageBuckets
	return &table{pages: make([]*tablePage, pages), buckets: buckets, level: level, limit: limit, alive: alive}
}

// homes returns the two buckets a key can be in.
func (t *table) homes(h uint64) (i, j uint64) {
	return reduce(h, t.buckets), reduce(h*golden, t.buckets)
}

// find returns where a live key is.
func (t *table) find(h uint64) (b *bucket, slot int, ok bool) {
	i, j := t.homes(h)
	for _, at := range [...]uint64{i, j} {
		if b = t.bucket(at); b == nil {
			continue
		}
		for slot := range slots {
			if b.hash[slot] == h && t.alive[b.fate[slot].generation()] {
				return b, slot, true
			}
		}
	}
	return nil, 0, false
}

// insert adds an entry whose key is not there. False: there is no room and no other key was lost.
func (t *table) insert(e entry) bool {
	i, j := t.homes(e.hash)
	if !t.put(i, e) && !t.put(j, e) && !t.push(j, e) {
		return false
	}
	t.live++
	return true
}

// push makes room in full bucket i for e by moving others to their other bucket, or undoes what it moved.
func (t *table) push(i uint64, e entry) bool {
	var path [maxKicks]struct{ bucket, slot uint64 }
	for n := range path {
		slot := t.kick.next() % slots
		path[n].bucket, path[n].slot = i, slot
		e = t.swap(i, slot, e)
		home, other := t.homes(e.hash)
		if i == other {
			other = home
		}
		i = other
		if t.put(i, e) {
			return true
		}
	}
	for n := len(path) - 1; n >= 0; n-- {
		e = t.swap(path[n].bucket, path[n].slot, e)
	}
	return false
}

// sweep wipes the dead slots of the next buckets that are due, at most n, so that a generation's number can be used
// again. It goes round and round.
func (t *table) sweep(n uint64) {
	n = min(n, t.due)
	t.due -= n
	for range n {
		if b := t.bucket(t.swept); b != nil {
			for slot := range slots {
				if !t.alive[b.fate[slot].generation()] {
					b.fate[slot] = 0
				}
			}
		}
		if t.swept++; t.swept == t.buckets {
			t.swept = 0
		}
	}
}

// bucket returns bucket i, or nil if nothing was ever written near it.
func (t *table) bucket(i uint64) *bucket {
	if p := t.pages[i/tablePageBuckets]; p != nil {
		return &p[i%tablePageBuckets]
	}
	return nil
}

func (t *table) put(i uint64, e entry) bool {
	b := t.bucket(i)
	if b == nil {
		t.pages[i/tablePageBuckets] = new(tablePage)
		t.allocated++
		b = t.bucket(i)
	}
	for slot := range slots {
		if !t.alive[b.fate[slot].generation()] {
			b.set(uint64(slot), e)
			return true
		}
	}
	return false
}

func (t *table) swap(i, slot uint64, e entry) (old entry) {
	b := t.bucket(i)
	old = b.get(slot)
	b.set(slot, e)
	return old
}

func (b *bucket) get(slot uint64) entry { return entry{b.hash[slot], b.fate[slot], b.policy[slot]} }

func (b *bucket) set(slot uint64, e entry) {
	b.hash[slot], b.fate[slot], b.policy[slot] = e.hash, e.fate, e.policy
}

func (t *table) bytes() int {
	return int(unsafe.Sizeof(*t)) + t.allocated*4096 + len(t.pages)*int(unsafe.Sizeof(uintptr(0)))
}
