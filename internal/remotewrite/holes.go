package remotewrite

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/tailgate-otel/tailgate/internal/remotewrite/journal"
)

// ledger remembers, on disk, the ranges of time that have to be read back from the lead.
type ledger struct {
	path string

	mu       sync.Mutex // guards all below
	state    ledgerState
	step     *covered        // being read back
	deferred []journal.Range // lost during the step, too late to have been read
	last     *journal.Lost
}

type ledgerState struct {
	// Holes are ascending and do not touch.
	Holes []journal.Range `json:"holes,omitempty"`
	// InMemory was read from the segment Segment or an older one, which are gone, and not delivered yet. It becomes holes
	// if the process dies before.
	InMemory []journal.Range `json:"in_memory,omitempty"`
	Segment  uint32          `json:"segment,omitempty"`
	// Covered has been read back, although frames that hold some of it are still to come.
	Covered []covered `json:"covered,omitempty"`
}

// covered is a range that was read from the lead after everything before Until had been written to it: samples of that
// range in frames before Until need not be sent.
type covered struct {
	journal.Range
	Until journal.Position `json:"until"`
}

// openLedger reads what a former process has left. oldest is the position of the lane that is furthest behind.
func openLedger(path string, oldest journal.Position) (*ledger, error) {
	l := &ledger{path: path}
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read holes: %w", err)
	}
	if err := json.Unmarshal(b, &l.state); err != nil {
		return nil, fmt.Errorf("read holes from %s: %w; remove the file to go on without reading back", path, err)
	}
	if oldest.Segment <= l.state.Segment {
		for _, r := range l.state.InMemory {
			l.state.Holes = insert(l.state.Holes, r)
		}
	}
	l.state.InMemory, l.state.Segment = nil, 0
	return l, l.save()
}

// lose notes what a segment held that was given up, and what of it is in memory.
func (l *ledger) lose(lost journal.Lost, inMemory journal.Summary) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh := lost.Summary.Fresh
	if before := l.last; before != nil && lost.Whole && before.Segment+1 == lost.Segment && !fresh.Empty() {
		if to := before.Summary.Fresh; !to.Empty() {
			// Nothing came between the two: one hole is read back in fewer steps.
			fresh.Include(min(to.To+1, fresh.From))
		}
	}
	l.last = &lost
	for _, r := range []journal.Range{fresh, lost.Summary.Late} {
		if l.step != nil && lost.Segment >= l.step.Until.Segment && !r.Empty() {
			l.deferred = append(l.deferred, r)
		}
		l.state.Holes = insert(l.state.Holes, r)
	}
	l.state.InMemory = nil
	inMemory.Add(lost.Reading)
	for _, r := range []journal.Range{inMemory.Fresh, inMemory.Late} {
		l.state.InMemory = insert(l.state.InMemory, r)
	}
	l.state.Segment = lost.Segment
	return l.save()
}

// begin returns the next range to read back, of step milliseconds at most.
func (l *ledger) begin(step int64, until journal.Position) (journal.Range, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.state.Holes) == 0 {
		return journal.NoTime(), false
	}
	r := l.state.Holes[0]
	if r.To-r.From >= step {
		r.To = r.From + step - 1
	}
	l.step, l.deferred = &covered{Range: r, Until: until}, nil
	return r, true
}

// end says that what begin returned has been delivered.
func (l *ledger) end() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Holes = without(l.state.Holes, l.step.Range)
	for _, r := range l.deferred {
		l.state.Holes = insert(l.state.Holes, r)
	}
	i, _ := slices.BinarySearchFunc(l.state.Covered, l.step.From, func(c covered, t int64) int { return cmpTime(c.From, t) })
	l.state.Covered = slices.Insert(l.state.Covered, i, *l.step)
	l.step, l.deferred = nil, nil
	return l.save()
}

func cmpTime(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// cover returns the ranges that samples of a frame at a position may lie in, ascending, and forgets the others.
func (l *ledger) cover(at journal.Position) []covered {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Covered = slices.DeleteFunc(l.state.Covered, func(c covered) bool { return !at.Before(c.Until) })
	return slices.Clone(l.state.Covered)
}

// among says whether t lies in one of the ranges.
func among(ranges []covered, t int64) bool {
	i, exact := slices.BinarySearchFunc(ranges, t, func(c covered, t int64) int { return cmpTime(c.From, t) })
	if exact {
		return true
	}
	return i > 0 && ranges[i-1].Contains(t)
}

// holes returns how many there are and how many milliseconds they cover.
func (l *ledger) holes() (n int, millis int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.state.Holes {
		millis += r.To - r.From + 1
	}
	return len(l.state.Holes), millis
}

// save replaces the file. mu held.
func (l *ledger) save() error {
	b, err := json.Marshal(l.state)
	if err != nil {
		return fmt.Errorf("write holes: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(l.path), filepath.Base(l.path)+".*.tmp")
	if err != nil {
		return fmt.Errorf("write holes: %w", err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), l.path)
	}
	if err != nil {
		return fmt.Errorf("write holes: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

// insert adds r to ascending ranges and joins those that touch.
func insert(ranges []journal.Range, r journal.Range) []journal.Range {
	if r.Empty() {
		return ranges
	}
	var out []journal.Range
	for _, s := range ranges {
		switch {
		case s.To+1 < r.From:
			out = append(out, s)
		case r.To+1 < s.From:
			out = append(out, r)
			r = s
		default:
			r = journal.Range{From: min(r.From, s.From), To: max(r.To, s.To)}
		}
	}
	return append(out, r)
}

// without takes r out of ascending ranges.
func without(ranges []journal.Range, r journal.Range) []journal.Range {
	var out []journal.Range
	for _, s := range ranges {
		if s.To < r.From || r.To < s.From {
			out = append(out, s)
			continue
		}
		if s.From < r.From {
			out = append(out, journal.Range{From: s.From, To: r.From - 1})
		}
		if r.To < s.To {
			out = append(out, journal.Range{From: r.To + 1, To: s.To})
		}
	}
	return out
}
