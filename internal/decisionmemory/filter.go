package decisionmemory

import (
	"time"
	"unsafe"
)

// A filter is a cuckoo filter (Fan et al., CoNEXT 2014): for each key a fingerprint of 16 bits in one of two buckets of
// four. Each lane of 16 bits in a bucket is a fingerprint, or zero.
//
// A bucket's number is the high bits of the hash, the fingerprint the low ones. A wrong answer needs one of the 8 lanes
// looked at to hold the same fingerprint by chance: 8 x load / 2^16 = 1.22e-4 x load.
//
// Pages are allocated when first written. A page is empty unless it carries the filter's epoch, so clearing the
// filter is one increment and each page is wiped when next written.
type filter struct {
	pages       []*filterPage
	epochs      []uint32 // per page
	epoch       uint32   // never 0
	buckets     uint64
	level       int // buckets is that of level 0 >> level
	limit       int // how many keys it takes before the next filter is opened
	count       int
	allocated   int // pages
	kick        walk
	first, last time.Duration // when its oldest and newest key came
}

type filterPage [filterPageBuckets]uint64

const (
	filterPageBuckets = 4096 / 8
	laneBits          = 16
	lanes             = 64 / laneBits
	everyLane         = 0x0001_0001_0001_0001
	topOfLane         = 0x8000_8000_8000_8000
)

func newFilter(buckets uint64, level, limit int) *filter {
	pages := (buckets + filterPageBuckets - 1) / filterPageBuckets
	return &filter{
		pages:  make([]*filterPage, pages),
		epochs: make([]uint32, pages),
		epoch:  1, buckets: buckets, level: level, limit: limit,
	}
}

// clear empties the filter and keeps its pages for use.
func (f *filter) clear() {
	f.count = 0
	if f.epoch++; f.epoch == 0 { // after 2^32 rotations
		clear(f.epochs)
		f.epoch = 1
	}
}

func (f *filter) contains(h uint64) bool {
	i, fp := reduce(h, f.buckets), fingerprint(h)
	return hasLane(f.bucket(i), fp) || hasLane(f.bucket(f.other(i, fp)), fp)
}

// insert adds a key. False: there is no room and nothing was changed.
func (f *filter) insert(h uint64) bool {
	i, fp := reduce(h, f.buckets), fingerprint(h)
	j := f.other(i, fp)
	if !f.put(i, fp) && !f.put(j, fp) && !f.push(j, fp) {
		return false
	}
	f.count++
	return true
}

func (f *filter) remove(h uint64) {
	i, fp := reduce(h, f.buckets), fingerprint(h)
	if f.take(i, fp) || f.take(f.other(i, fp), fp) {
		f.count--
	}
}

// push makes room in full bucket i for fp by moving others to their other bucket, or undoes what it moved.
func (f *filter) push(i uint64, fp uint16) bool {
	var path [maxKicks]struct{ bucket, lane uint64 }
	for n := range path {
		lane := f.kick.next() % lanes
		path[n].bucket, path[n].lane = i, lane
		fp = f.swap(i, lane, fp)
		i = f.other(i, fp)
		if f.put(i, fp) {
			return true
		}
	}
	for n := len(path) - 1; n >= 0; n-- {
		fp = f.swap(path[n].bucket, path[n].lane, fp)
	}
	return false
}

func fingerprint(h uint64) uint16 {
	return max(uint16(h), 1) // zero is the empty lane
}

// other returns the other bucket of a fingerprint that is in bucket i. The two add up to a number that depends on the
// fingerprint alone, so other is its own inverse for any number of buckets; the paper's xor needs a power of two.
func (f *filter) other(i uint64, fp uint16) uint64 {
	sum := reduce(uint64(fp)*golden, f.buckets)
	if sum < i {
		sum += f.buckets
	}
	return sum - i
}

func (f *filter) bucket(i uint64) uint64 {
	p := i / filterPageBuckets
	if f.epochs[p] != f.epoch {
		return 0
	}
	return f.pages[p][i%filterPageBuckets]
}

// writable returns bucket i to be changed, and sees to it that its page is there and clean.
func (f *filter) writable(i uint64) *uint64 {
	p := i / filterPageBuckets
	if f.epochs[p] != f.epoch {
		if f.pages[p] == nil {
			f.pages[p] = new(filterPage)
			f.allocated++
		} else {
			clear(f.pages[p][:])
		}
		f.epochs[p] = f.epoch
	}
	return &f.pages[p][i%filterPageBuckets]
}

func (f *filter) put(i uint64, fp uint16) bool {
	b := f.writable(i)
	for shift := 0; shift < 64; shift += laneBits {
		if uint16(*b>>shift) == 0 {
			*b |= uint64(fp) << shift
			return true
		}
	}
	return false
}

func (f *filter) take(i uint64, fp uint16) bool {
	if !hasLane(f.bucket(i), fp) {
		return false
	}
	b := f.writable(i)
	for shift := 0; shift < 64; shift += laneBits {
		if uint16(*b>>shift) == fp {
			*b &^= 0xffff << shift
			break
		}
	}
	return true
}

func (f *filter) swap(i, lane uint64, fp uint16) (old uint16) {
	b, shift := f.writable(i), lane*laneBits
	old = uint16(*b >> shift)
	*b ^= uint64(old^fp) << shift
	return old
}

// hasLane compares all four lanes at once: lanes equal to fp become zero, and a zero lane is the only thing that lets
// the subtraction borrow into a top bit that was clear (Mycroft's test for a zero byte).
func hasLane(bucket uint64, fp uint16) bool {
	x := bucket ^ uint64(fp)*everyLane
	return (x-everyLane)&^x&topOfLane != 0
}

func (f *filter) bytes() int {
	return int(unsafe.Sizeof(*f)) + f.allocated*int(unsafe.Sizeof(filterPage{})) +
		len(f.pages)*int(unsafe.Sizeof(uintptr(0))) + len(f.epochs)*4
}
