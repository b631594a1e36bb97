package policy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

func TestFactsAreSmall(t *testing.T) {
	if size := unsafe.Sizeof(Facts{}); size > 64 {
		t.Errorf("Facts take %d bytes; a cache line has 64", size)
	}
}

// manyPolicies asks n different keys, so that bits and keys need several words.
func manyPolicies(n int) []Config {
	var list []Config
	for i := range n {
		list = append(list, Config{Condition: Condition{
			Name: fmt.Sprint("many", i), Type: StringAttribute,
			StringAttribute: StringAttributeConfig{Key: fmt.Sprint("k", i), Values: []string{"v"}},
		}})
	}
	return list
}

func TestManyPredicates(t *testing.T) {
	p := mustCompile(t, Settings{Policies: manyPolicies(200)})
	if p.Words() != 4 {
		t.Fatalf("200 predicates in %d words", p.Words())
	}
	for i := range 200 {
		key, value := fmt.Sprint("k", i), Value{Kind: KindStr, Str: "v"}
		bits, resourceBits := make([]uint64, 4), make([]uint64, 4)
		var seen Seen
		p.ApplySpan(bits, &seen, p.MarkSpan(key, value))
		p.ApplyResource(resourceBits, p.MarkResource(func(yield func(string, Value) bool) { yield(key, value) }))
		for _, b := range [][]uint64{bits, resourceBits} {
			v := p.Decide(time.Unix(1, 0), &Trace{Facts: &Facts{Spans: 1}, Bits: b})
			if v.Outcome != Sampled || p.Names()[v.Policy] != fmt.Sprint("many", i) {
				t.Fatalf("key %s: %+v", key, v)
			}
		}
	}
	all := make([]uint64, 4)
	p.ApplyResource(all, p.MarkResource(func(yield func(string, Value) bool) {
		for i := range 200 {
			yield(fmt.Sprint("k", i), Value{Kind: KindStr, Str: "v"})
		}
	}))
	if all[0]&all[1]&all[2] != math.MaxUint64 || all[3] != 1<<8-1 {
		t.Errorf("a resource with all 200 attributes turns on %x", all)
	}
}

// TestSeen compares with a map.
func TestSeen(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var s Seen
	twin := map[int]bool{}
	for range 10_000 {
		if r.IntN(20) == 0 {
			s.Reset()
			clear(twin)
		}
		key := r.IntN(200)
		if s.first(key) == twin[key] {
			t.Fatalf("key %d: first = %t", key, twin[key])
		}
		twin[key] = true
	}
}

// TestSaturatingSub compares with the arithmetic that contrib's latency goes through.
func TestSaturatingSub(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	edges := []uint64{0, 1, 1<<63 - 1, 1 << 63, 1<<63 + 1, 1<<64 - 1}
	for range 100_000 {
		a, b := r.Uint64(), r.Uint64()
		if r.IntN(2) == 0 {
			a = edges[r.IntN(len(edges))]
		}
		if r.IntN(2) == 0 {
			b = edges[r.IntN(len(edges))]
		}
		want := pcommon.Timestamp(a).AsTime().Sub(pcommon.Timestamp(b).AsTime())
		if got := saturatingSub(int64(a), int64(b)); got != int64(want) {
			t.Fatalf("%d - %d = %d, want %d", a, b, got, want)
		}
	}
}

// TestShards decides from several goroutines at once, as shards do, and counts every trace once.
func TestShards(t *testing.T) {
	g := newGenerator(7)
	set := Settings{Policies: manyPolicies(70), UseTraceState: true}
	for range 10 {
		set.Policies = append(set.Policies, g.policy())
	}
	p := mustCompile(t, set)
	const shards, each = 4, 200
	var wg sync.WaitGroup
	for shard := range shards {
		wg.Go(func() {
			g := newGenerator(uint64(shard))
			for i := range each {
				h := newHeld(p, g.id())
				for _, td := range g.fragments(t, h.id) {
					h.add(p, td)
				}
				p.Certain(h.trace())
				now := time.Unix(1_700_000_000, int64(i)*1e7)
				if i%2 == 0 {
					p.Decide(now, h.trace())
				} else {
					p.DecideBatch(now, []Trace{*h.trace()}, make([]Verdict, 1))
				}
			}
		})
	}
	wg.Wait()
	first := true
	for s := range p.Stats {
		if s.Executions > shards*each || first && s.Executions != shards*each {
			t.Errorf("%s was asked %d times about %d traces", s.Name, s.Executions, shards*each)
		}
		first = false
	}
}

func TestExecutionTimeIsEstimated(t *testing.T) {
	p := mustCompile(t, Settings{Policies: manyPolicies(1)})
	g := newGenerator(1)
	bits := make([]uint64, p.Words())
	start := time.Now()
	for range 5000 {
		p.Decide(time.Unix(1, 0), &Trace{ID: g.id(), Facts: &Facts{Spans: 1}, Bits: bits})
	}
	took := time.Since(start)
	for s := range p.Stats {
		if s.ExecutionTime <= 0 || s.ExecutionTime > 40*took {
			t.Errorf("estimated %s in policies of %s in all", s.ExecutionTime, took)
		}
	}
}

// TestTraceStatesAreNotKept feeds the fold a buffer that is overwritten, and tracestates too long to remember.
func TestTraceStatesAreNotKept(t *testing.T) {
	p := mustCompile(t, Settings{Policies: []Config{{Condition: Condition{
		Name: "gold", Type: TraceState, TraceState: TraceStateConfig{Key: "x", Values: []string{"gold"}},
	}}}})
	sampled := func(ts string) bool {
		bits := make([]uint64, p.Words())
		var f Facts
		p.Fold(&f, bits, &Span{TraceState: ts})
		return p.Decide(time.Unix(1, 0), &Trace{Facts: &f, Bits: bits}).Outcome == Sampled
	}
	buffer := []byte("x=gold")
	view := unsafe.String(&buffer[0], len(buffer))
	if !sampled(view) {
		t.Error("x=gold does not match")
	}
	copy(buffer, "x=lead")
	if sampled(view) || !sampled("x=gold") {
		t.Error("what x=gold means was forgotten or mistaken when its buffer was overwritten")
	}
	var long strings.Builder
	for i := range 9 {
		fmt.Fprintf(&long, "k%d=%s,", i, strings.Repeat("v", 200))
	}
	if !sampled(long.String() + "x=gold") {
		t.Error("a long tracestate does not match")
	}
	for i := range p.traceStates.entries {
		if s := p.traceStates.entries[i].Load(); s != nil && len(s.raw) > maxTraceStateLength {
			t.Errorf("a tracestate of %d bytes is remembered", len(s.raw))
		}
	}
}

// TestDecideIsBatchOfOne checks that a trace alone is decided as in a batch of its own.
func TestDecideIsBatchOfOne(t *testing.T) {
	for seed := range uint64(300) {
		g := newGenerator(seed)
		set := Settings{Policies: g.policies(), UseTraceState: true, RecordPolicy: true}
		alone, batched := mustCompile(t, set), mustCompile(t, set)
		for i := range 5 {
			h := newHeld(alone, g.id())
			for _, td := range g.fragments(t, h.id) {
				h.add(alone, td)
			}
			now := time.Unix(1_700_000_000, int64(i)*3e8)
			v, w := alone.Decide(now, h.trace()), make([]Verdict, 1)
			batched.DecideBatch(now, []Trace{*h.trace()}, w)
			if v != w[0] {
				t.Fatalf("seed %d: alone %+v, in a batch %+v\n%s", seed, v, w[0], dump(t, set, h))
			}
		}
	}
}

// TestAuction compares with the threshold found by trying all of them.
func TestAuction(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 20_000 {
		var bids []bid
		for range r.IntN(7) {
			bids = append(bids, bid{uint64(r.IntN(6)), int64(r.IntN(10))})
		}
		budget := int64(r.IntN(40))
		cost := func(cut threshold) (sum int64) {
			for _, b := range bids {
				if cut <= b.randomness {
					sum += b.cost
				}
			}
			return sum
		}
		cut, spent := auction(bids, budget)
		if spent > budget || spent != cost(cut) {
			t.Fatalf("%v for %d: cut %d, spent %d, which costs %d", bids, budget, cut, spent, cost(cut))
		}
		for looser := range cut {
			if cut != never && cost(looser) <= budget && cost(looser) > spent {
				t.Fatalf("%v for %d: cut %d, but %d costs %d", bids, budget, cut, looser, cost(looser))
			}
			if looser > 10 {
				break
			}
		}
	}
}
