package exposition

import (
	"slices"
	"sync/atomic"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// metric is what stands under one set of labels in a family: a single value, a classic histogram with its buckets, a
// summary, a native histogram, or both kinds of histogram.
//
// A histogram of 14 bounds takes 17 slots of 16 bytes, 17 parts of 32 bytes and this record of 136: 952 bytes, 56 per series,
// plus the labels twice (as identity and as text).
type metric struct {
	family *family
	labels labels.Labels // without name, le and quantile
	text   string        // the labels as the text formats show them, without braces
	legacy bool          // no label name needs quotes
	hash   uint64
	next   *metric // another metric with the same hash

	seen    atomic.Int64 // milliseconds of the clock; written under the read lock too
	removed bool

	time, start int64  // of the newest point; milliseconds
	epoch       uint32 // counts points; parts of an older epoch are not shown
	parts       []part // in the order in which they are shown
	native      *native
}

// part is one float series of a metric.
type part struct {
	bound    *bound
	value    float64
	exemplar *exemplar.Exemplar
	slot     uint32
	epoch    uint32 // of the metric, when the value was set; 0: never
}

// role is what a part means to its metric. The order is the one on the page.
type role uint8

const (
	roleValue role = iota
	roleBucket
	roleQuantile
	roleSum
	roleCount
	roles
)

// suffixes are what a role adds to the name of the family.
var suffixes = [roles]string{roleBucket: "_bucket", roleSum: "_sum", roleCount: "_count"}

// bound is a role and, for buckets and quantiles, where it stands; with the closing of a sample's label set.
type bound struct {
	role        role
	at          float64
	text        string // `le="1"} `
	openMetrics string // `le="1.0"} `
}

// Parts without a position share one bound each.
var (
	theValue = &bound{role: roleValue, text: "} ", openMetrics: "} "}
	theSum   = &bound{role: roleSum, text: "} ", openMetrics: "} "}
	theCount = &bound{role: roleCount, text: "} ", openMetrics: "} "}
)

func compareBounds(a, b *bound) int {
	switch {
	case a.role != b.role:
		return int(a.role) - int(b.role)
	case a.at < b.at:
		return -1
	case a.at > b.at:
		return 1
	}
	return 0
}

// native is the native histogram of a metric.
type native struct {
	slot      uint32
	epoch     uint32
	ints      *histogram.Histogram // one of the two, owned by us once it was appended
	floats    *histogram.FloatHistogram
	exemplars []exemplar.Exemplar // the newest, by time
}

// maxNativeExemplars is what Prometheus' own client keeps per native histogram.
const maxNativeExemplars = 10

// table maps references to parts. A reference is the generation of a slot and its index, so that one to a series that
// is gone is told from one to the series that took its place.
type table struct {
	slots []slot
	free  []uint32
}

type slot struct {
	metric     *metric // nil: free
	part       int32   // index in metric.parts, or nativePart
	generation uint32
}

const nativePart = -1

func (t *table) take(m *metric, part int32) (index uint32) {
	if n := len(t.free); n > 0 {
		index, t.free = t.free[n-1], t.free[:n-1]
	} else {
		index = uint32(len(t.slots))
		t.slots = append(t.slots, slot{generation: 1})
	}
	s := &t.slots[index]
	s.metric, s.part = m, part
	return index
}

func (t *table) release(index uint32) {
	if index == noSlot {
		return
	}
	s := &t.slots[index]
	s.metric = nil
	s.generation++
	t.free = append(t.free, index)
}

// ref returns the reference of the slot's present tenant.
func (t *table) ref(index uint32) storage.SeriesRef {
	return storage.SeriesRef(uint64(t.slots[index].generation)<<32 | uint64(index))
}

// find returns the slot that ref means, or nil when its series is gone.
func (t *table) find(ref storage.SeriesRef) *slot {
	index, generation := uint32(ref), uint32(ref>>32)
	if int(index) >= len(t.slots) {
		return nil
	}
	if s := &t.slots[index]; s.generation == generation && s.metric != nil {
		return s
	}
	return nil
}

func (t *table) used() int { return len(t.slots) - len(t.free) }

// point begins a new epoch when t is the time of a point that the metric has not seen yet.
func (m *metric) point(t, start int64) {
	if m.epoch == 0 || t != m.time {
		m.epoch++
		m.time = t
	}
	if start != 0 {
		m.start = start
	}
}

// set stores a float sample. The caller has called point.
func (p *part) set(m *metric, v float64, exemplars []exemplar.Exemplar) {
	p.value, p.epoch = v, m.epoch
	for i := range exemplars {
		switch e := &exemplars[i]; {
		case p.exemplar == nil:
			p.exemplar = new(*e)
		case e.Ts >= p.exemplar.Ts:
			*p.exemplar = *e
		}
	}
}

// add keeps the newest exemplars, in the order of their times.
func (n *native) add(exemplars []exemplar.Exemplar) {
	for _, e := range exemplars {
		i, _ := slices.BinarySearchFunc(n.exemplars, e.Ts, func(have exemplar.Exemplar, ts int64) int {
			if have.Ts <= ts {
				return -1 // behind those of the same time
			}
			return 1
		})
		if i > 0 && n.exemplars[i-1].Equals(e) {
			continue // sent again with the next point
		}
		if len(n.exemplars) < maxNativeExemplars {
			n.exemplars = slices.Insert(n.exemplars, i, e)
			continue
		}
		if i > 0 {
			copy(n.exemplars, n.exemplars[1:i])
			n.exemplars[i-1] = e
		}
	}
}

// find returns the index of the part at b, or where it would have to stand.
func (m *metric) find(b *bound) (int, bool) {
	return slices.BinarySearchFunc(m.parts, b, func(p part, b *bound) int { return compareBounds(p.bound, b) })
}

// prune drops the parts that the newest point did not have.
func (x *Exposition) prune(m *metric) {
	kept := m.parts[:0]
	for _, p := range m.parts {
		if p.epoch != m.epoch {
			x.table.release(p.slot)
			continue
		}
		kept = append(kept, p)
	}
	clear(m.parts[len(kept):])
	m.parts = kept
	x.renumber(m, 0)
	if m.native != nil && m.native.epoch != m.epoch {
		x.table.release(m.native.slot)
		m.native = nil
	}
	if len(m.parts) == 0 && m.native == nil {
		x.remove(m)
	}
}

// remove forgets m with all its references.
func (x *Exposition) remove(m *metric) {
	if m.removed {
		return
	}
	for _, p := range m.parts {
		x.table.release(p.slot)
	}
	if m.native != nil {
		x.table.release(m.native.slot)
	}
	m.removed = true
	m.family.gone++
	if first := x.metrics[m.hash]; first == m {
		if m.next == nil {
			delete(x.metrics, m.hash)
		} else {
			x.metrics[m.hash] = m.next
		}
		return
	}
	for before := x.metrics[m.hash]; before != nil; before = before.next {
		if before.next == m {
			before.next = m.next
			return
		}
	}
}
