// Package decisionmemory remembers what became of a trace after its spans are gone, so that a span which arrives late
// gets the answer its trace got.
//
// Kept traces are few and their answer carries data (policy, threshold): they live in an exact table at 22 bytes each.
// Dropped traces are many and their answer is one bit: they live in cuckoo filters at 2.2 bytes each, which in at most
// 2.5 of 10,000 cases take a trace they never saw for a dropped one. A caller that must never lose a span to such a
// mistake asks its own always-keep rules first.
//
// Memory is bounded by Settings and grows with use: an idle Memory holds a few kilobytes. When full, the oldest
// decisions are pushed out first, never the newest refused. No call does more than a small, fixed amount of work:
// growing opens a larger store beside the smaller ones, which die of age; nothing is ever copied from one to the other,
// and storage is allocated and cleared in pages of 4 KiB as they are first written.
//
// The package starts no goroutine and reads no clock. A Memory is not safe for concurrent use: the lock of the shard it
// belongs to guards it. All big arrays are free of pointers, so that the garbage collector never looks into them.
package decisionmemory

import (
	"math/rand/v2"
	"time"
	"unsafe"
)

// Settings bounds a Memory. All bounds are lower bounds of what is remembered; Bytes tells what they cost.
type Settings struct {
	// Kept and Dropped are how many of the latest decisions of either kind are remembered at least. Zero: none.
	Kept, Dropped int

	// TTL is how long a decision is remembered at least, unless Kept or Dropped newer ones push it out. Keeps are
	// forgotten after at most 17/16 of it, drops after at most twice of it. Zero: until pushed out.
	TTL time.Duration
}

// Kept is why a trace was kept and with which probability.
type Kept struct {
	Policy, SubPolicy uint16
	// Threshold is the rejection threshold of OpenTelemetry's consistent sampling, 56 bits; higher bits are cut.
	Threshold uint64
	// HasThreshold tells a threshold of zero from none.
	HasThreshold bool
}

// Answer is what a Memory knows of a trace.
type Answer uint8

const (
	Unknown    Answer = iota // never decided, or forgotten
	WasKept                  // exact: two traces are mixed up only if 64 bits of hash agree
	WasDropped               // may be mistaken, see the package comment
)

// Memory holds the decisions of one shard.
type Memory struct {
	hash  hasher
	clock clock
	keeps keeps
	drops drops
}

// New returns an empty Memory. Its hash is seeded at random, so that nobody outside can choose trace ids that collide.
func New(s Settings) *Memory {
	return newSeeded(s, hasher{rand.Uint64(), rand.Uint64(), rand.Uint64()})
}

func newSeeded(s Settings, h hasher) *Memory {
	return &Memory{hash: h, keeps: newKeeps(s.Kept, s.TTL), drops: newDrops(s.Dropped, s.TTL)}
}

// Keep remembers that trace id was kept. A later Keep of the same trace replaces the earlier.
func (m *Memory) Keep(now time.Time, id [16]byte, d Kept) {
	if m.keeps.limit > 0 {
		m.keeps.add(m.clock.advance(now), m.hash.sum(id), d)
	}
}

// Drop remembers that trace id was dropped. A trace that was also kept stays kept for as long as the keep is remembered.
func (m *Memory) Drop(now time.Time, id [16]byte) {
	if m.drops.limit > 0 {
		m.drops.add(m.clock.advance(now), m.hash.sum(id))
	}
}

// Lookup tells what became of trace id. The second result is zero unless the answer is WasKept.
func (m *Memory) Lookup(now time.Time, id [16]byte) (Answer, Kept) {
	at, h := m.clock.advance(now), m.hash.sum(id)
	if d, ok := m.keeps.find(at, h); ok {
		return WasKept, d
	}
	if m.drops.contains(at, h) {
		return WasDropped, Kept{}
	}
	return Unknown, Kept{}
}

// Forget takes back the Drop of a trace, because it was rescued. It must only be called for traces that were dropped:
// of one that was not, it may take away the mark of another, as often as a filter is mistaken. For the same reason a
// dropped trace that shares its mark with a rescued one is forgotten too.
func (m *Memory) Forget(id [16]byte) { m.drops.remove(m.hash.sum(id)) }

// Len returns how many decisions of either kind are held at the time of the latest call.
func (m *Memory) Len() (kept, dropped int) {
	return m.keeps.len(m.clock.now), m.drops.len(m.clock.now)
}

// Bytes returns how much memory is held, all told.
func (m *Memory) Bytes() int {
	return int(unsafe.Sizeof(*m)) + m.keeps.bytes() + m.drops.bytes()
}
