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
	first    tracelog.Pos // oldest record
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

	older, newer         int32 // neighbours in order of arrival
	timerPrev, timerNext int32
	slot                 int32  // of the wheel, none: not in it
	touch                int32  // index in Shard.touched, if touchedIn is the current visit
	generation           uint32 // of the program that facts and bits were folded with
	service              uint32 // of the root
	state                state
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

// entries is a slab of open traces that grows in chunks and never moves them.
type entries struct {
	chunks [][]entry
	bits   [][]uint64 // words per entry, beside each chunk
	words  int
	free   []int32
	used   int32
}

const chunkSize = 1024

func (s *entries) at(n int32) *entry { return &s.chunks[n/chunkSize][n%chunkSize] }

func (s *entries) bitsOf(n int32) []uint64 {
	i := int(n%chunkSize) * s.words
	return s.bits[n/chunkSize][i : i+s.words : i+s.words]
}

// take returns a free entry with zero bits; the entry itself is the caller's to fill.
func (s *entries) take() int32 {
	if k := len(s.free); k > 0 {
		n := s.free[k-1]
		s.free = s.free[:k-1]
		clear(s.bitsOf(n))
		return n
	}
	if int(s.used) == len(s.chunks)*chunkSize {
		s.chunks = append(s.chunks, make([]entry, chunkSize))
		s.bits = append(s.bits, make([]uint64, chunkSize*s.words))
	}
	s.used++
	return s.used - 1
}

func (s *entries) release(n int32) { s.free = append(s.free, n) }

// setWords changes the number of words per entry and clears them all.
func (s *entries) setWords(words int) {
	s.words = words
	for i := range s.bits {
		s.bits[i] = make([]uint64, chunkSize*words)
	}
}

const entrySize = 192 // bytes, see TestEntrySize

func (s *entries) bytes() int64 {
	return int64(len(s.chunks))*chunkSize*int64(entrySize+8*s.words) + int64(cap(s.free))*4
}
