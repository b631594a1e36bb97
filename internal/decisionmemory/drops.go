package decisionmemory

import (
	"slices"
	"time"
)

// drops remembers dropped traces in a row of filters: the last is being filled, the others wait to be forgotten.
//
// A filter of level 0 takes limit keys, so in the steady state there are two of them, and the last limit keys are always
// in one or the other. Growth starts at a 64th of that size: the next level has twice the buckets and takes four
// times the keys. A small filter is thus closed at a lower load than the next (at level k, fullLoad/2^k), which keeps
// two sums finite although nothing is thrown away before limit newer keys have come:
//
//	false positives  1.22e-4 x fullLoad x (1 + 1/2 + 1/4 + …) < 1.22e-4 x 0.9375 x 2 = 2.29e-4, as for two full filters
//	memory           2 bytes x limit/fullLoad x (1 + 1/2 + 1/4 + …) < 4.27 bytes x limit, as for two full filters
//
// With a TTL a filter is also closed at that age, and followed by one of half the size if that would have been enough;
// the smaller one is closed at half the load, so the first sum holds. The second can reach 2.5 instead of 2 while
// a storm follows a silence. Per remembered drop, both filters full: 2/fullLoad = 2.13 bytes.
type drops struct {
	limit   int
	ttl     time.Duration
	buckets uint64    // of level 0
	row     []*filter // oldest first
	spare   *filter   // of the level of the last, to be filled next
}

const (
	// fullLoad is how full a filter gets. The paper fills buckets of four to 95 % before the first failure; at 15/16
	// insertions stay short.
	fullLoad = 15.0 / 16
	// levels is how often a store can double: one that never fills its first costs a 64th of the full size.
	levels = 6
)

func newDrops(limit int, ttl time.Duration) drops {
	limit = max(limit, 0)
	return drops{limit: limit, ttl: ttl, buckets: uint64(float64(limit)/fullLoad)/lanes + 1}
}

func (d *drops) add(now time.Duration, h uint64) {
	f := d.current(now)
	if !f.contains(h) && !f.insert(h) {
		f = d.open(now, f.level)
		f.insert(h)
	}
	f.last = now
}

func (d *drops) contains(now time.Duration, h uint64) bool {
	for _, f := range slices.Backward(d.row) {
		if d.expired(f, now) {
			return false // the older ones are too
		}
		if f.contains(h) {
			return true
		}
	}
	return false
}

func (d *drops) remove(h uint64) {
	for _, f := range d.row {
		f.remove(h)
	}
}

// current returns the filter to write to.
func (d *drops) current(now time.Duration) *filter {
	if len(d.row) == 0 {
		return d.open(now, d.smallest())
	}
	f := d.row[len(d.row)-1]
	switch {
	case f.count >= f.limit:
		return d.open(now, max(f.level-1, 0))
	case d.ttl > 0 && now-f.first >= d.ttl:
		level := f.level
		if f.count <= d.takes(level+1) {
			level = min(level+1, d.smallest())
		}
		return d.open(now, level)
	}
	return f
}

// open starts a filter of a level and forgets those that are no longer needed.
func (d *drops) open(now time.Duration, level int) *filter {
	d.forget(now)
	f := d.spare
	if d.spare = nil; f == nil || f.level != level {
		f = newFilter(d.buckets>>level+1, level, d.takes(level))
	}
	f.first, f.last = now, now
	d.row = append(d.row, f)
	return f
}

// forget drops the filters that are too old or have limit newer keys after them.
func (d *drops) forget(now time.Duration) {
	newer := 0
	for n := len(d.row) - 1; n >= 0; n-- {
		if f := d.row[n]; newer < d.limit && !d.expired(f, now) {
			newer += f.count
			continue
		}
		d.spare = d.row[n]
		d.spare.clear()
		d.row = slices.Delete(d.row, 0, n+1)
		return
	}
}

func (d *drops) expired(f *filter, now time.Duration) bool { return d.ttl > 0 && now-f.last >= d.ttl }

// takes returns how many keys a filter of a level takes.
func (d *drops) takes(level int) int { return max(d.limit>>(2*level), 1) }

// smallest returns the level to start from: the last that still fills a page.
func (d *drops) smallest() int {
	level := 0
	for level < levels && d.buckets>>(level+1) >= filterPageBuckets {
		level++
	}
	return level
}

func (d *drops) len(now time.Duration) int {
	n := 0
	for _, f := range d.row {
		if !d.expired(f, now) {
			n += f.count
		}
	}
	return n
}

func (d *drops) bytes() int {
	n := 0
	for _, f := range d.row {
		n += f.bytes()
	}
	if d.spare != nil {
		n += d.spare.bytes()
	}
	return n
}
