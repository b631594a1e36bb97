package decisionmemory

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A twin remembers everything for ever and knows what a Memory must, may and must not remember.
type twin struct {
	settings Settings
	elapsed  time.Duration
	keeps    map[int]decision
	drops    map[int]decision
	keepLog  []int // ids, oldest first; one decided again moves to the end
	dropLog  []int
	marks    map[uint16]bool // fingerprints of rescued traces
}

type decision struct {
	at   time.Duration
	kept Kept
}

func (w *twin) keep(id int, d Kept) {
	if _, ok := w.keeps[id]; ok {
		w.keepLog = slices.DeleteFunc(w.keepLog, func(x int) bool { return x == id })
	}
	w.keepLog = append(w.keepLog, id)
	w.keeps[id] = decision{w.elapsed, d}
}

func (w *twin) drop(id int) {
	if _, ok := w.drops[id]; ok {
		w.dropLog = slices.DeleteFunc(w.dropLog, func(x int) bool { return x == id })
	}
	w.dropLog = append(w.dropLog, id)
	w.drops[id] = decision{at: w.elapsed}
}

func (w *twin) forget(id int) {
	w.marks[fingerprint(testHash.sum(number(id)))] = true
	delete(w.drops, id)
	w.dropLog = slices.DeleteFunc(w.dropLog, func(x int) bool { return x == id })
}

// remembered tells whether a decision must (true, true), may (false, true) or must not (false, false) be remembered.
func (w *twin) remembered(id int, m map[int]decision, log []int, limit int, maxTTL time.Duration) (must, may bool) {
	d, ok := m[id]
	if !ok {
		return false, false
	}
	age, ttl := w.elapsed-d.at, w.settings.TTL
	young := ttl == 0 || age < ttl
	must = young && slices.Contains(log[max(0, len(log)-limit):], id)
	return must, must || ttl == 0 || age < maxTTL
}

// check compares one answer. A drop of a trace nobody dropped is counted, not refused; a drop may be lost with another
// of the same mark (one pair in 65,536) that was rescued.
func (w *twin) check(id int, got Answer, d Kept) (mistaken bool, err error) {
	ttl := w.settings.TTL
	mustKeep, mayKeep := w.remembered(id, w.keeps, w.keepLog, w.settings.Kept, ttl+ttl/ttlParts)
	mustDrop, mayDrop := w.remembered(id, w.drops, w.dropLog, w.settings.Dropped, 2*ttl)
	switch {
	case mustKeep && got != WasKept:
		return false, fmt.Errorf("trace %d was kept, the answer is %d", id, got)
	case got == WasKept && !mayKeep:
		return false, fmt.Errorf("trace %d was kept too long ago or never", id)
	case got == WasKept && d != w.keeps[id].kept:
		return false, fmt.Errorf("trace %d was kept with %+v, the answer is %+v", id, w.keeps[id].kept, d)
	case mustDrop && got == Unknown && !w.marks[fingerprint(testHash.sum(number(id)))]:
		return false, fmt.Errorf("trace %d was dropped, the answer is unknown", id)
	}
	return got == WasDropped && !mayDrop, nil
}

func TestAgainstTwin(t *testing.T) {
	for _, s := range []Settings{
		{Kept: 1, Dropped: 1},
		{Kept: 7, Dropped: 50},
		{Kept: 50, Dropped: 7, TTL: time.Minute},
		{Kept: 1000, Dropped: 3000},
		{Kept: 1000, Dropped: 1000, TTL: time.Minute},
		{Kept: 3000, Dropped: 5000, TTL: time.Hour},
		{Kept: 1 << 20, Dropped: 1 << 20, TTL: time.Minute},
	} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("kept=%d/dropped=%d/ttl=%s/seed=%d", s.Kept, s.Dropped, s.TTL, seed), func(t *testing.T) {
				compare(t, s, rand.New(rand.NewPCG(seed, 7)))
			})
		}
	}
}

func compare(t *testing.T, s Settings, r *rand.Rand) {
	const steps, asked = 8_000, 8
	m := newSeeded(s, testHash)
	w := &twin{settings: s, keeps: map[int]decision{}, drops: map[int]decision{}, marks: map[uint16]bool{}}
	now, ids, mistaken := start, 1, 0
	for step := range steps {
		pause := time.Duration(r.ExpFloat64() * float64(10*time.Millisecond))
		switch r.IntN(1000) {
		case 0: // set back: no time passes
			now = now.Add(-time.Hour)
			pause = 0
		case 1: // silence
			pause = time.Duration(r.Int64N(int64(2 * time.Minute)))
		}
		now, w.elapsed = now.Add(pause), w.elapsed+pause

		id := ids
		if r.IntN(20) == 0 {
			id = r.IntN(ids) // decided again
		} else {
			ids++
		}
		switch r.IntN(10) {
		case 0, 1, 2:
			d := Kept{uint16(r.Uint32()), uint16(r.Uint32()), r.Uint64() >> 8, r.IntN(2) == 0}
			m.Keep(now, number(id), d)
			w.keep(id, d)
		case 3:
			if _, ok := w.drops[id]; ok {
				m.Forget(number(id))
				w.forget(id)
			}
		default:
			m.Drop(now, number(id))
			w.drop(id)
		}
		for range asked {
			id := ids - r.IntN(min(ids, 2*max(s.Kept, s.Dropped))) // some never decided
			got, d := m.Lookup(now, number(id))
			wrong, err := w.check(id, got, d)
			if err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
			if wrong {
				mistaken++
			}
		}
		checkSums(t, m)
	}
	// Far more than 2.5e-4 by chance would be a bug; a small sample of repeated questions cannot tell it apart closer.
	if limit := steps * asked / 1000; mistaken > limit {
		t.Errorf("%d of %d answers took a trace for dropped that was not, want at most %d", mistaken, steps*asked, limit)
	}
}

// checkSums checks what the parts must agree on.
func checkSums(t *testing.T, m *Memory) {
	t.Helper()
	k := &m.keeps
	inTables, inCohorts, alive := 0, 0, 0
	for _, table := range k.row {
		inTables += table.live
	}
	for g, c := range k.cohorts {
		inCohorts += c.count
		if k.alive[g] {
			alive++
		}
	}
	if inTables != k.live || inCohorts != k.live || alive > maxAlive {
		t.Fatalf("%d keys live: %d in tables, %d in %d generations", k.live, inTables, inCohorts, alive)
	}
}
