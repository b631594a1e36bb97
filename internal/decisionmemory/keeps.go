package decisionmemory

import (
	"slices"
	"time"
)

// A generation numbers the keys that came at about the same time and are forgotten together, 1 to 127 and again from 1.
type generation uint8

// A cohort is what is known of a generation as a whole.
type cohort struct {
	table       *table // where all its keys are
	count       int    // of live keys
	first, last time.Duration
}

// keeps remembers kept traces in a table that is filled for good: a generation is a 32nd of the limit or a 16th of the
// TTL, and the oldest one dies when without it there are still limit keys. So the last limit keys are always there, and
// at most 33/32 of that:
//
//	memory  20 bytes x 33/32 / keepLoad x 4096/4080 = 22.1 bytes x limit
//
// It starts with a table of a 64th of the full size. A full table is followed by one of twice the size; the old one takes
// no more keys and goes when the last of its generations dies. A table found much too large is replaced by one of
// half the size in the same way. While that lasts, memory can be 2.5 times the above.
type keeps struct {
	limit   int
	part    int // keys of a generation
	ttl     time.Duration
	buckets uint64   // of level 0
	row     []*table // oldest first; only the last is written to
	live    int

	oldest, newest generation // zero before the first
	alive          [generations]bool
	cohorts        [generations]cohort
}

const (
	// keepLoad is how full a table gets. Buckets of four have room for all up to 98 %; at 94 % insertions stay short.
	keepLoad = 0.94

	limitParts = 32
	ttlParts   = 16

	// sweepParts is how many new generations it takes to sweep a table once. A number comes back after 127 of them, so
	// those between its death and its return suffice for a sweep as long as at most maxAlive live. Fewer do: 33 that
	// ended by count, 18 by age, and 8 with their table.
	sweepParts = 64
	// sweepStep is how many buckets a Keep sweeps of what is due: done in a 100th of a generation that ends by count.
	// All at once, when a generation begins, took 70 µs with a million keys; that is left for those that end by age.
	sweepStep = 16
	maxAlive  = generations - 1 - sweepParts
)

func newKeeps(limit int, ttl time.Duration) keeps {
	limit = max(limit, 0)
	part := (limit + limitParts - 1) / limitParts
	return keeps{limit: limit, part: part, ttl: ttl, buckets: uint64(float64(limit+part)/keepLoad)/slots + 1}
}

func (k *keeps) add(now time.Duration, h uint64, d Kept) {
	k.remove(h)
	t := k.current(now)
	if !t.insert(newEntry(h, k.newest, d)) {
		t = k.open(now, t.level)
		t.insert(newEntry(h, k.newest, d))
	}
	t.sweep(sweepStep)
	k.live++
	k.cohorts[k.newest].count++
	k.cohorts[k.newest].last = now
	if k.oldest != k.newest && k.live-k.cohorts[k.oldest].count >= k.limit {
		k.forgetOldest()
	}
}

func (k *keeps) find(now time.Duration, h uint64) (Kept, bool) {
	for _, t := range slices.Backward(k.row) {
		if b, slot, ok := t.find(h); ok {
			return b.get(uint64(slot)).kept(), !k.expired(b.fate[slot].generation(), now)
		}
	}
	return Kept{}, false
}

func (k *keeps) remove(h uint64) {
	for _, t := range k.row {
		if b, slot, ok := t.find(h); ok {
			k.cohorts[b.fate[slot].generation()].count--
			b.fate[slot] = 0
			t.live--
			k.live--
			return
		}
	}
}

// current returns the table to write to and sees to it that newest is the generation to write.
func (k *keeps) current(now time.Duration) *table {
	if len(k.row) == 0 {
		return k.open(now, k.smallest())
	}
	t, c := k.row[len(k.row)-1], &k.cohorts[k.newest]
	switch old := k.ttl > 0 && now-c.first >= k.ttl/ttlParts; {
	case t.live >= t.limit:
		return k.open(now, max(t.level-1, 0))
	case old && len(k.row) == 1 && t.level < k.smallest() && k.live <= k.takes(t.level+2):
		return k.open(now, t.level+1)
	case old, c.count >= k.part:
		k.begin(now, t)
	}
	return t
}

// open starts a table of a level, and a generation in it.
func (k *keeps) open(now time.Duration, level int) *table {
	t := newTable(k.buckets>>level+1, level, k.takes(level), &k.alive)
	k.begin(now, t)
	k.row = append(k.row, t)
	return t
}

// begin starts a generation in t and lets the dead go.
func (k *keeps) begin(now time.Duration, t *table) {
	for k.oldest != k.newest && k.expired(k.oldest, now) {
		k.forgetOldest()
	}
	k.row = slices.DeleteFunc(k.row, func(old *table) bool { return old != t && old.live == 0 })
	for _, old := range k.row {
		old.sweep(old.due)
		old.due = old.buckets/sweepParts + 1
	}
	k.newest = next(k.newest)
	if k.oldest == 0 {
		k.oldest = k.newest
	}
	k.alive[k.newest] = true
	k.cohorts[k.newest] = cohort{table: t, first: now, last: now}
}

func (k *keeps) forgetOldest() {
	c := &k.cohorts[k.oldest]
	c.table.live -= c.count
	k.live -= c.count
	k.alive[k.oldest] = false
	*c = cohort{}
	k.oldest = next(k.oldest)
}

func next(g generation) generation { return g%(generations-1) + 1 }

func (k *keeps) expired(g generation, now time.Duration) bool {
	return k.ttl > 0 && now-k.cohorts[g].last >= k.ttl
}

// takes returns how many live keys a table of a level takes. One of level 0 is never full: the oldest die before.
func (k *keeps) takes(level int) int {
	return int(float64(k.buckets>>level+1) * slots * keepLoad)
}

// smallest returns the level to start from: the last that still fills a page.
func (k *keeps) smallest() int {
	level := 0
	for level < levels && k.buckets>>(level+1) >= tablePageBuckets {
		level++
	}
	return level
}

func (k *keeps) len(now time.Duration) int {
	n := 0
	for g, c := range k.cohorts {
		if k.alive[g] && !k.expired(generation(g), now) {
			n += c.count
		}
	}
	return n
}

func (k *keeps) bytes() int {
	n := 0
	for _, t := range k.row {
		n += t.bytes()
	}
	return n
}
