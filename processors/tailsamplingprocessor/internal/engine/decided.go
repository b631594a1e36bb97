package engine

import "time"

// decided remembers when the newest decisions were taken, to tell how late a late span is. It may forget: each place is
// for whichever trace came last.
type decided struct{ slots []uint64 } // lower half of the hash | whether it was turned away | second

const decidedSlots = 1 << 14 // 128 KiB per shard; late spans come within seconds of their decision

func newDecided() decided { return decided{make([]uint64, decidedSlots)} }

// place is taken from bits that neither tell lanes apart, which are alike in all traces of a shard, nor are compared.
func place(h uint64) uint64 { return h >> 40 % decidedSlots }

func (d *decided) add(h uint64, now time.Duration) {
	d.slots[place(h)] = h<<32 | uint64(now/time.Second)&^turnedFlag
}

const turnedFlag = 1 << 31

// turn adds a trace that was turned away, of which no span was looked at by the policies.
func (d *decided) turn(h uint64, now time.Duration) {
	d.add(h, now)
	d.slots[place(h)] |= turnedFlag
}

// turned reports whether the trace was turned away.
func (d *decided) turned(h uint64) bool {
	s := d.slots[place(h)]
	return s>>32 == h&0xffffffff && s&turnedFlag != 0
}

// age returns how long ago the trace was decided.
func (d *decided) age(h uint64, now time.Duration) (time.Duration, bool) {
	s := d.slots[place(h)]
	if s>>32 != h&0xffffffff {
		return 0, false
	}
	return now - time.Duration(s&(turnedFlag-1))*time.Second, true
}

func (d *decided) bytes() int64 { return decidedSlots * 8 }
