package engine

import (
	"time"

	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/tracelog"
)

const none = int32(-1)

// entry is an open trace. It has no pointers, so that the garbage collector does not look at the table.
type entry struct {
	id       [16]byte
	hash     uint64
	head     tracelog.Pos // newest record
	first    tracelog.Pos // oldest record, or a place before it
	arrival  time.Duration
	newest   time.Duration // arrival of the newest span
	rootAt   time.Duration // arrival of the root, if facts say that there is one
	deadline time.Duration
	facts    policy.Facts

	// What the sizes of contrib's fragments need: the request and resource that the trace's newest fragment belongs to,
	// its size so far, and that of its newest scope.
	fragment     uint64
	touchedIn    uint64 // visit that touch is of
	scope        uint32
	fragmentSize uint32
	scopeSize    uint32

	older, newer         int32 // neighbours in order of oldest records
	timerPrev, timerNext int32
	slot                 int32  // of the wheel, none: not in it
	touch                int32  // index in Shard.touched, if touchedIn is the current visit
	generation           uint32 // of the program that facts and bits were folded with
	service              uint32 // of the root
	state                state
	gate                 Level // that it came in by; 0: in any case
}

type state uint8

const (
	open     state = iota
	lateKeep       // spans of a trace that was kept: they follow at the end of the request
	lateDrop       // spans of a trace that was dropped: forgotten at the end of the request, unless they must be kept
	promised       // span-ingest: sampled, if no drop policy objects before the deadline
	gone           // decided; the entry is free
)

// undecided tells traces from spans that follow a decision.
func (st state) undecided() bool { return st == open || st == promised }

// entries is a slab of open traces. It grows in chunks and never moves an entry. The lowest chunk with room is filled
// first, so that after a burst the upper chunks run empty, at the latest when their traces are decided, and go.
type entries struct {
	chunks []*chunk
	words  int
	roomy  int // no chunk below has room
}

type chunk struct {
	entries []entry
	bits    []uint64 // words per entry
	free    int32    // first of the free entries, linked by newer; none: full
	live    int
}

const chunkSize = 1024

func (s *entries) at(n int32) *entry { return &s.chunks[n/chunkSize].entries[n%chunkSize] }

// has reports whether n is an entry, be it free: what was one may have gone with its chunk.
func (s *entries) has(n int32) bool { return int(n/chunkSize) < len(s.chunks) }

func (s *entries) bitsOf(n int32) []uint64 {
	i := int(n%chunkSize) * s.words
	return s.chunks[n/chunkSize].bits[i : i+s.words : i+s.words]
}

// take returns a free entry with zero bits; the entry itself is the caller's to fill.
func (s *entries) take() int32 {
	for s.roomy < len(s.chunks) && s.chunks[s.roomy].free == none {
		s.roomy++
	}
	if s.roomy == len(s.chunks) {
		s.chunks = append(s.chunks, s.newChunk(s.roomy))
	}
	c := s.chunks[s.roomy]
	n := c.free
	c.free = s.at(n).newer
	c.live++
	clear(s.bitsOf(n))
	return n
}

func (s *entries) newChunk(number int) *chunk {
	c := &chunk{entries: make([]entry, chunkSize), bits: make([]uint64, chunkSize*s.words), free: none}
	for i := chunkSize - 1; i >= 0; i-- {
		c.entries[i].newer, c.entries[i].state = c.free, gone
		c.free = int32(number*chunkSize + i)
	}
	return c
}

// release gives an entry back. One empty chunk stays, so that a number of traces around a chunk's end does not make
// chunks come and go.
func (s *entries) release(n int32) {
	number := int(n / chunkSize)
	c := s.chunks[number]
	s.at(n).newer = c.free
	c.free = n
	c.live--
	s.roomy = min(s.roomy, number)
	for k := len(s.chunks); k > 1 && s.chunks[k-1].live == 0 && s.chunks[k-2].live == 0; k-- {
		s.chunks = s.chunks[:k-1]
	}
}

// setWords changes the number of words per entry and clears them all.
func (s *entries) setWords(words int) {
	s.words = words
	for _, c := range s.chunks {
		c.bits = make([]uint64, chunkSize*words)
	}
}

const entrySize = 192 // bytes, see TestEntrySize

func (s *entries) bytes() int64 {
	return int64(len(s.chunks)) * chunkSize * int64(entrySize+8*s.words)
}
