package tracelog

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/segstore"
)

// chains are traces of a log as their owner knows them: where each of their records is.
type chains struct {
	t     testing.TB
	log   *Log
	sums  *Sums
	where map[pcommon.TraceID][]Pos
	spans map[pcommon.TraceID][]string
	cut   map[pcommon.TraceID]bool // the next span begins a new chain, as after a decision
}

func newChains(t testing.TB, l *Log) *chains {
	return &chains{
		t: t, log: l, sums: NewSums(), where: map[pcommon.TraceID][]Pos{},
		spans: map[pcommon.TraceID][]string{}, cut: map[pcommon.TraceID]bool{},
	}
}

func (c *chains) add(td ptrace.Traces) error {
	for _, rs := range td.ResourceSpans().All() {
		r := c.sums.Resource(rs)
		for _, ss := range rs.ScopeSpans().All() {
			sc := c.sums.Scope(&r, ss)
			for _, span := range ss.Spans().All() {
				id := span.TraceID()
				var prev Pos
				if n := len(c.where[id]); n > 0 && !c.cut[id] {
					prev = c.where[id][n-1]
				}
				a, err := c.log.Append(1_700_000_000_000_000_000, &sc, prev, span)
				if err != nil {
					return err
				}
				delete(c.cut, id)
				c.where[id] = append(c.where[id], a.Pos)
			}
		}
	}
	flattenSpans(c.t, td, c.spans)
	return nil
}

// read turns the records back into one string per span.
func read(t testing.TB, v View, id pcommon.TraceID, at []Pos) []string {
	t.Helper()
	out, n := v.AppendOTLP(nil, id, at)
	td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(out)
	if err != nil || n.Unreadable > 0 {
		t.Errorf("trace %s: %v, %d unreadable", id, err, n.Unreadable)
		return nil
	}
	got := map[pcommon.TraceID][]string{}
	flattenSpans(t, td, got)
	return got[id]
}

// Find sees what the owner of the log knows, over several chains of one trace, with notes and huge spans in between, and
// when the oldest segments are gone.
func TestFindIsWhatTheOwnerKnows(t *testing.T) {
	for seed := range uint64(60) {
		g := &generator{rand.New(rand.NewPCG(seed, 9))}
		l := New(Settings{Store: &heap{}, Marker: marks{}, SegmentSize: 4 << 10})
		c := newChains(t, l)
		for range 12 {
			if err := c.add(g.traces()); err != nil {
				t.Fatal(err)
			}
			id := pcommon.TraceID{15: byte(g.IntN(6))}
			c.cut[id] = g.IntN(2) == 0
			if err := l.AppendNote(0, Note{ID: id, What: 1}); err != nil {
				t.Fatal(err)
			}
			if g.IntN(3) == 0 {
				l.Reclaim(l.End(), 1)
			}
		}
		for n := range byte(7) { // of the last one nothing was ever seen
			id := pcommon.TraceID{15: n}
			want := slices.DeleteFunc(slices.Clone(c.where[id]), func(p Pos) bool { return p < l.Oldest() })
			got := l.View().Find(id)
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, trace %d: found %v, want %v", seed, n, got, want)
			}
			spans := c.spans[id]
			if !slices.Equal(read(t, l.View(), id, got), spans[len(spans)-len(got):]) {
				t.Fatalf("seed %d, trace %d: the spans found are not those stored", seed, n)
			}
		}
	}
}

// A view stays as it was while the log grows and frees what nobody has pinned: whoever took it under the lock reads it
// without. The race detector watches memory of the Go heap only, the kernel that of segstore.
func TestViewsWhileTheLogGrows(t *testing.T) {
	memory := segstore.NewMemory(64 << 20)
	defer func() {
		if err := memory.Close(); err != nil {
			t.Error(err)
		}
	}()
	for name, store := range map[string]Store{"heap": &lockedHeap{}, "mapped": memory} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			l := New(Settings{Store: store, Marker: marks{}, SegmentSize: 4 << 10})
			c := newChains(t, l)
			jobs := make(chan job) // unbuffered: a reader is always a little behind
			var readers sync.WaitGroup
			for range 3 {
				readers.Go(func() {
					for j := range jobs {
						j.check(t)
					}
				})
			}
			g := &generator{rand.New(rand.NewPCG(1, 9))}
			for range 300 {
				mu.Lock()
				if err := c.add(g.traces()); err != nil {
					t.Error(err)
				}
				id := pcommon.TraceID{15: byte(g.IntN(6))}
				j := newJob(c, id)
				l.Reclaim(l.End(), 1<<30)
				mu.Unlock()
				if j != nil {
					jobs <- *j
				}
			}
			close(jobs)
			readers.Wait()
			l.Reclaim(l.End(), 1<<30)
			if n := l.Segments(); n != 1 {
				t.Errorf("%d segments stay when nobody reads any more", n)
			}
			l.Close()
		})
	}
}

// A job is to read a trace from a view that nobody holds still.
type job struct {
	view   View
	id     pcommon.TraceID
	pinned Pos
	where  []Pos
	spans  []string
}

// newJob pins the newest records of a trace, at most three segments of them; nil if there are none.
func newJob(c *chains, id pcommon.TraceID) *job {
	j := &job{view: c.log.View(), id: id, where: c.where[id], spans: c.spans[id]}
	for len(j.where) > 0 && (j.where[0] < c.log.Oldest() || j.where[0].Seq()+2 < c.log.End().Seq()) {
		j.where, j.spans = j.where[1:], j.spans[1:]
	}
	if len(j.where) == 0 {
		return nil
	}
	j.where = slices.Clone(j.where)
	j.pinned = c.log.Oldest() // Find reads all of the view
	c.log.Pin(j.pinned)
	return j
}

func (j *job) check(t *testing.T) {
	defer j.view.Unpin(j.pinned)
	found := j.view.Find(j.id)
	if len(found) < len(j.where) || !slices.Equal(found[len(found)-len(j.where):], j.where) {
		t.Errorf("trace %s: found %v, want %v and nothing after it", j.id, found, j.where)
	}
	if got := read(t, j.view, j.id, j.where); !slices.Equal(got, j.spans) {
		t.Errorf("trace %s: %d spans came back different", j.id, len(j.spans))
	}
	chain, err := j.view.Positions(nil, Trace{ID: j.id, Head: j.where[len(j.where)-1]})
	if err != nil && !errors.Is(err, ErrGone) {
		t.Errorf("trace %s: %v", j.id, err)
	}
	if n := min(len(chain), len(j.where)); !slices.Equal(chain[len(chain)-n:], j.where[len(j.where)-n:]) {
		t.Errorf("trace %s: the chain is %v, want %v", j.id, chain, j.where)
	}
}

// lockedHeap is a heap that several goroutines may use.
type lockedHeap struct {
	mu   sync.Mutex
	heap heap
}

func (h *lockedHeap) Alloc(shard int, seq uint64, size int) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.heap.Alloc(shard, seq, size)
}

func (h *lockedHeap) Free(shard int, seq uint64, mem []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heap.Free(shard, seq, mem)
}

// Any pin keeps its segment and all newer ones, and the last to go frees them.
func TestPinsAreCounted(t *testing.T) {
	store := &heap{}
	l := New(Settings{Store: store, Marker: marks{}, SegmentSize: 4 << 10})
	var at []Pos
	for i := range 6 {
		sc, span := one(fmt.Sprint(i, string(make([]byte, 3000))))
		a, err := l.Append(0, sc, 0, span)
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, a.Pos)
	}
	if l.Segments() != 6 {
		t.Fatalf("%d segments, want one per span", l.Segments())
	}
	for range 2 {
		l.Pin(at[2])
	}
	old := l.View()
	for _, step := range []struct {
		unpin bool
		left  int
	}{{false, 4}, {true, 4}, {true, 1}} {
		if step.unpin {
			old.Unpin(at[2])
		}
		l.Reclaim(l.End(), 1<<30)
		if l.Segments() != step.left || store.used != step.left*4<<10 {
			t.Fatalf("%d segments and %d bytes are left, want %d segments", l.Segments(), store.used, step.left)
		}
	}
	if l.Pin(at[0]) || l.Pin(0) || l.Pin(at[5]+1<<40) {
		t.Error("pinned what is not there")
	}
	l.View().Unpin(at[0]) // does nothing
	if _, err := l.View().Positions(nil, Trace{Head: at[0]}); !errors.Is(err, ErrGone) {
		t.Errorf("reading what is gone: %v", err)
	}
}
