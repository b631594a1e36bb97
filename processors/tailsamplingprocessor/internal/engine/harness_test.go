package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.yaml.in/yaml/v3"

	"github.com/tailgate-otel/tailgate/internal/decisionmemory"
	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/tracelog"
)

// store keeps segments on the Go heap, as a directory would: those of a former life can be taken up again.
type store struct {
	segments    map[uint64][]byte
	used, limit int
}

var errStoreFull = errors.New("the store is full")

func newStore(limit int) *store { return &store{segments: map[uint64][]byte{}, limit: limit} }

func (s *store) Alloc(_ int, seq uint64, size int) ([]byte, error) {
	if s.limit > 0 && s.used+size > s.limit {
		return nil, errStoreFull
	}
	s.used += size
	s.segments[seq] = make([]byte, size)
	return s.segments[seq], nil
}

func (s *store) Free(_ int, seq uint64, mem []byte) {
	s.used -= len(mem)
	delete(s.segments, seq)
	for i := range mem {
		mem[i] = 0xff // whoever still reads it shall notice
	}
}

func (s *store) former() (f []tracelog.Former) {
	for _, seq := range slices.Sorted(maps.Keys(s.segments)) {
		f = append(f, tracelog.Former{Seq: seq, Mem: s.segments[seq]})
	}
	return f
}

// compilePolicies reads policies as the collector does.
func compilePolicies(t testing.TB, text string, strategy policy.Strategy) *policy.Program {
	t.Helper()
	var raw map[string]any
	if err := yaml.Unmarshal([]byte(text), &raw); err != nil {
		t.Fatal(err)
	}
	var cfg struct {
		Policies []policy.Config `mapstructure:"policies"`
	}
	if err := confmap.NewFromStringMap(raw).Unmarshal(&cfg); err != nil {
		t.Fatal(err)
	}
	p, err := policy.Compile(policy.Settings{Policies: cfg.Policies, Strategy: strategy})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// epoch is the wall clock when the monotonic one is 0.
var epoch = time.Unix(1_700_000_000, 0)

func moment(mono time.Duration) Now { return Now{Mono: mono, Wall: epoch.Add(mono)} }

func traceID(name string) (id pcommon.TraceID) {
	copy(id[:], name)
	return id
}

// sums are shared, as all shards of a process share them.
var sums = tracelog.NewSums()

// feeder shows ResourceSpans to a shard as the processor does.
type feeder struct {
	shard *Shard
	last  uint64 // fragment
	weigh bool   // before spans are added
	level Level
}

// feed adds the spans one by one until one is refused, and says how many were taken. pause tells after which spans the
// shard's lock is released for a moment; nil: never.
func (f *feeder) feed(now Now, rs ptrace.ResourceSpans, service uint32, pause func() bool) (taken int, err error) {
	f.last++
	fates := f.fates(now, rs)
	res := sums.Resource(rs)
	fragment := Fragment{Resource: rs, ID: f.last, ResourceSize: res.Size, Service: service}
	for j, ss := range rs.ScopeSpans().All() {
		scope := sums.Scope(&res, ss)
		fragment.Scope, fragment.Spans, fragment.Index = &scope, ss, uint32(j)
		for _, span := range ss.Spans().All() {
			fragment.Gate = 0
			if len(fates) > 0 {
				fate := fates[0]
				if fates = fates[1:]; fate == Turned {
					taken++
					continue
				}
				if fate == ByChance {
					fragment.Gate = f.level
				}
			}
			if err := f.shard.Add(now, &fragment, span); err != nil {
				f.shard.EndFragment(now)
				return taken, err
			}
			taken++
			if pause != nil && pause() {
				f.shard.EndFragment(now)
			}
		}
	}
	f.shard.EndFragment(now)
	return taken, nil
}

// fates weighs the spans, if they are to be.
func (f *feeder) fates(now Now, rs ptrace.ResourceSpans) []Fate {
	if !f.weigh {
		return nil
	}
	for _, ss := range rs.ScopeSpans().All() {
		for _, span := range ss.Spans().All() {
			f.shard.Weigh(now, &Fragment{Resource: rs, Spans: ss, ID: f.last}, span)
		}
	}
	return slices.Clone(f.shard.Judge(now, f.level))
}

func newMemory() *decisionmemory.Memory {
	return decisionmemory.New(decisionmemory.Settings{Kept: 100_000, Dropped: 100_000})
}

// spansOf decodes what a decision names, as the processor does when it hands a trace on, and returns the names of the
// spans in order.
func spansOf(t testing.TB, v tracelog.View, d *Decision) []string {
	t.Helper()
	td := tracesOf(t, v, d)
	var names []string
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				if span.TraceID() != d.ID {
					t.Errorf("span %s of trace %s came with trace %x", span.Name(), span.TraceID(), d.ID)
				}
				names = append(names, span.Name())
			}
		}
	}
	return names
}

func tracesOf(t testing.TB, v tracelog.View, d *Decision) ptrace.Traces {
	t.Helper()
	found, _ := d.Positions(v)
	td, unreadable := decode(v, d.ID, found)
	if unreadable > 0 {
		t.Errorf("trace %x: %d records cannot be read", d.ID, unreadable)
	}
	return td
}

// checkShard checks what must hold whenever nobody holds the shard's lock. pending are decisions that are not done.
func checkShard(t testing.TB, s *Shard, pending []Decision) {
	t.Helper()
	var problems []string
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	inList := checkList(s, wrong)
	inWheel := checkWheel(s, wrong)
	for n := range inList {
		if !inWheel[n] {
			wrong("entry %d is in no slot of the wheel", n)
		}
	}
	if len(inWheel) != len(inList) {
		wrong("%d entries in the wheel, %d in the list", len(inWheel), len(inList))
	}
	checkSums(s, inList, wrong)
	checkLog(s, inList, pending, wrong)
	if len(problems) > 0 {
		t.Fatalf("the shard is inconsistent:\n%s", strings.Join(problems, "\n"))
	}
}

// checkList walks the list of arrivals and returns its entries.
func checkList(s *Shard, wrong func(string, ...any)) map[int32]bool {
	list := map[int32]bool{}
	older := none
	for n := s.oldest; n != none; n = s.entries.at(n).newer {
		e := s.entries.at(n)
		switch {
		case list[n]:
			wrong("the list goes round at entry %d", n)
			return list
		case e.older != older:
			wrong("entry %d follows %d and says %d", n, older, e.older)
		case e.state != open && e.state != promised:
			wrong("entry %d is in the list in state %d", n, e.state)
		case e.hash != Hash(e.id) || s.find(e.hash, e.id) != n:
			wrong("entry %d is not where the index looks for it", n)
		case older != none && s.entries.at(older).first > e.first:
			wrong("entry %d begins at %s, the older %d at %s", n, e.first, older, s.entries.at(older).first)
		}
		list[n] = true
		older = n
	}
	if s.newest != older {
		wrong("the list ends at %d, newest says %d", older, s.newest)
	}
	return list
}

// checkWheel returns the entries in the wheel.
func checkWheel(s *Shard, wrong func(string, ...any)) map[int32]bool {
	wheel := map[int32]bool{}
	for i, head := range s.wheel.slots {
		prev := none
		for n := head; n != none; n = s.entries.at(n).timerNext {
			e := s.entries.at(n)
			if wheel[n] || e.slot != int32(i) || e.timerPrev != prev {
				wrong("slot %d: entry %d after %d says slot %d after %d", i, n, prev, e.slot, e.timerPrev)
				return wheel
			}
			if want := slotOf(e.deadline); want >= s.wheel.next && want%wheelSlots != int64(i) {
				wrong("entry %d, due at %s, is in slot %d", n, e.deadline, i)
			}
			wheel[n] = true
			prev = n
		}
	}
	return wheel
}

func checkSums(s *Shard, list map[int32]bool, wrong func(string, ...any)) {
	held, promises := int64(0), 0
	for n := range list {
		held += int64(s.entries.at(n).facts.Spans)
		if s.entries.at(n).state == promised {
			promises++
			if _, ok := s.promises[n]; !ok {
				wrong("entry %d is promised, the promise is lost", n)
			}
		}
	}
	free := map[int32]bool{}
	for _, c := range s.entries.chunks {
		for n := c.free; n != none; n = s.entries.at(n).newer {
			if free[n] || list[n] {
				wrong("entry %d is free twice, or free and open", n)
			}
			free[n] = true
		}
	}
	st := s.Stats()
	out := st.SpansKept
	for _, n := range st.SpansDropped {
		out += n
	}
	for _, sum := range []struct {
		what      string
		got, want int64
	}{
		{"spans held", st.SpansHeld, held},
		{"traces open", st.TracesOpen, int64(len(list))},
		{"entries in the index", int64(s.index.len), int64(len(list))},
		{"promises", int64(len(s.promises)), int64(promises)},
		{"entries in use", int64(len(s.entries.chunks))*chunkSize - int64(len(free)), int64(len(list))},
		{"spans in and recovered", int64(st.SpansIn + st.SpansRecovered), int64(out) + held},
	} {
		if sum.got != sum.want {
			wrong("%s: %d, want %d", sum.what, sum.got, sum.want)
		}
	}
}

// checkLog checks that all records are there that anyone will ask for.
func checkLog(s *Shard, list map[int32]bool, pending []Decision, wrong func(string, ...any)) {
	oldest := s.log.Oldest()
	for n := range list {
		e := s.entries.at(n)
		if s.needed() > e.first {
			wrong("entry %d begins at %s, the log is needed from %s only", n, e.first, s.needed())
		}
		if e.first < oldest {
			wrong("entry %d begins at %s, the log at %s", n, e.first, oldest)
		}
		p, err := s.recordsOf(e, s.View(), nil)
		if len(p) != int(e.facts.Spans) || p[0] < e.first || p[0].Seq() > e.first.Seq() && e.first<<32 != 0 {
			wrong("entry %d has %d spans from %s on, the log has %v (%v)", n, e.facts.Spans, e.first, p, err)
		}
	}
	for _, d := range pending {
		if d.First < oldest && d.First != 0 { // 0: the log was empty when a trace was rescued
			wrong("kept trace %x begins at %s, the log at %s", d.ID, d.First, oldest)
		}
	}
}
