package policy

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
)

// Mark is what one span attribute, or one whole resource, means to a program: the set of predicates that hold, and for
// an attribute also its key. 0 means nothing. A Mark belongs to the program that gave it.
type Mark uint32

// noKey is the key of a mark that is no span attribute's.
const noKey = -1

type markSet struct {
	key   int
	first maskedWord // most sets fit one word: no slice to follow
	more  []maskedWord
}

type maskedWord struct {
	word int
	mask uint64
}

func (s *markSet) apply(bits []uint64) {
	if s.first.mask == 0 {
		return
	}
	bits[s.first.word] |= s.first.mask
	for _, w := range s.more {
		bits[w.word] |= w.mask
	}
}

// marks interns sets of predicates. Reading takes no lock. A set is never removed: there are at most as many as
// combinations of predicates, and far fewer occur.
type marks struct {
	sets atomic.Pointer[[]markSet] // by Mark; elements below the published length never change

	mu    sync.Mutex // guards index and the growth of sets
	index map[string]Mark
}

func newMarks() *marks {
	m := &marks{index: map[string]Mark{}}
	sets := []markSet{{key: noKey}}
	m.sets.Store(&sets)
	return m
}

func (m *marks) get(mark Mark) *markSet { return &(*m.sets.Load())[mark] }

// intern returns the mark of a key and the set bits.
func (m *marks) intern(key int, bits []uint64) Mark {
	identity := binary.AppendVarint(nil, int64(key))
	set := markSet{key: key}
	for i, w := range bits {
		identity = binary.LittleEndian.AppendUint64(identity, w)
		switch {
		case w == 0:
		case set.first.mask == 0:
			set.first = maskedWord{i, w}
		default:
			set.more = append(set.more, maskedWord{i, w})
		}
	}
	if key == noKey && set.first.mask == 0 {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if mark, ok := m.index[string(identity)]; ok {
		return mark
	}
	sets := append(*m.sets.Load(), set) // readers of the old header do not look beyond its length
	m.sets.Store(&sets)
	mark := Mark(len(sets) - 1)
	m.index[string(identity)] = mark
	return mark
}

// Seen remembers which attribute keys of one span were met already: only the first of duplicate keys counts. The zero
// value is ready; Reset it for each span.
type Seen struct {
	low  uint64
	high []uint64 // keys from 64 on
}

// Reset forgets all keys.
func (s *Seen) Reset() {
	s.low = 0
	clear(s.high)
}

// first reports whether key is met for the first time since Reset, and remembers it.
func (s *Seen) first(key int) bool {
	word := &s.low
	if key >= 64 {
		i := key/64 - 1
		for len(s.high) <= i {
			s.high = append(s.high, 0)
		}
		word = &s.high[i]
	}
	mask := uint64(1) << (key % 64)
	if *word&mask != 0 {
		return false
	}
	*word |= mask
	return true
}

// SpanKey reports whether any policy asks for the span attribute key. Of other attributes no mark is needed.
func (p *Program) SpanKey(key string) bool {
	_, ok := p.keys[key]
	return ok
}

// MarkSpan returns what a span attribute means. It may run regular expressions: call it once per distinct attribute and
// remember the mark.
func (p *Program) MarkSpan(key string, v Value) Mark {
	k, ok := p.keys[key]
	if !ok {
		return 0
	}
	if k.marks == nil {
		return p.internSpan(k, v)
	}
	slot := &k.marks[k.holding(v)]
	if m := slot.Load(); m != 0 {
		return Mark(m)
	}
	m := p.internSpan(k, v)
	slot.Store(uint32(m))
	return m
}

func (p *Program) internSpan(k *keyPredicates, v Value) Mark {
	bits := make([]uint64, p.words)
	k.ask(v, true, bits)
	return p.marks.intern(k.index, bits)
}

// MarkResource returns what a resource with these attributes means. Call it once per distinct resource.
func (p *Program) MarkResource(attrs func(yield func(key string, v Value) bool)) Mark {
	if len(p.keys) == 0 {
		return 0
	}
	bits := make([]uint64, p.words)
	var seen Seen
	for key, v := range attrs {
		if k, ok := p.keys[key]; ok && seen.first(k.index) {
			k.ask(v, false, bits)
		}
	}
	return p.marks.intern(noKey, bits)
}

// ApplyResource turns on the bits of a resource that holds a span of the trace. Order does not matter, once per fragment
// is enough.
func (p *Program) ApplyResource(bits []uint64, m Mark) {
	if m != 0 {
		p.marks.get(m).apply(bits)
	}
}

// ApplySpan turns on the bits of one attribute of a span, unless an earlier attribute of the span had the same key.
// Marks of one span must come in the order of its attributes, those without a match included.
func (p *Program) ApplySpan(bits []uint64, seen *Seen, m Mark) {
	if m == 0 {
		return
	}
	set := p.marks.get(m)
	if seen.first(set.key) {
		set.apply(bits)
	}
}
