package engine

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/tracelog"
)

// Sizes are those that contrib measures: it cuts each ResourceSpans into one per trace, without schema URLs, and adds up
// their sizes. Bytes and overhead together are the size of those as one request.
func TestSizesAreThoseOfContrib(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 5))
		shard := New(Settings{
			Log:    tracelog.New(tracelog.Settings{Store: newStore(0), SegmentSize: 64 << 10}),
			Memory: newMemory(), Program: compilePolicies(t, errorsPolicy, policy.TraceComplete), Wait: time.Hour,
		})
		f := feeder{shard: shard}
		cut := map[pcommon.TraceID]*twinTrace{}
		for range 1 + r.IntN(5) {
			rs := sizedSpans(r)
			if _, err := f.feed(moment(0), rs, 0, func() bool { return r.IntN(20) == 0 }); err != nil {
				t.Fatal(err)
			}
			for j, ss := range rs.ScopeSpans().All() {
				for _, span := range ss.Spans().All() {
					id := span.TraceID()
					if cut[id] == nil {
						cut[id] = &twinTrace{}
					}
					cut[id].measure(f.last, j, rs, ss, span)
				}
			}
		}
		for id, w := range cut {
			whole := ptrace.NewTraces()
			for _, fragment := range w.fragments {
				fragment.rs.CopyTo(whole.ResourceSpans().AppendEmpty())
			}
			facts := &shard.entries.at(shard.find(Hash(id), id)).facts
			if facts.Bytes != w.size() {
				t.Errorf("seed %d, trace %x: %d bytes, want %d", seed, [16]byte(id), facts.Bytes, w.size())
			}
			request := uint64((&ptrace.ProtoMarshaler{}).TracesSize(whole))
			if got := facts.Bytes + uint64(facts.Overhead); got != request {
				t.Errorf("seed %d, trace %x: %d bytes as a request, want %d", seed, [16]byte(id), got, request)
			}
		}
	}
}

// sizedSpans crosses the sizes at which lengths take another byte.
func sizedSpans(r *rand.Rand) ptrace.ResourceSpans {
	text := func() string { return strings.Repeat("x", pick(r, 0, 3, r.IntN(200), r.IntN(20_000))) }
	rs := ptrace.NewResourceSpans()
	rs.SetSchemaUrl(text())
	if r.IntN(3) > 0 {
		rs.Resource().Attributes().PutStr("service.name", text())
		rs.Resource().SetDroppedAttributesCount(r.Uint32N(300))
	}
	for range 1 + r.IntN(3) {
		ss := rs.ScopeSpans().AppendEmpty()
		ss.SetSchemaUrl(text())
		if r.IntN(3) > 0 {
			ss.Scope().SetName(text())
			ss.Scope().SetVersion(text())
			ss.Scope().Attributes().PutInt(text(), r.Int64())
		}
		for range r.IntN(12) {
			span := ss.Spans().AppendEmpty()
			span.SetTraceID(pcommon.TraceID{1 + byte(r.IntN(3))})
			span.SetName(text())
			span.SetFlags(r.Uint32N(2))
			for a := range r.IntN(3) {
				span.Attributes().PutStr(fmt.Sprint("key", a), text())
			}
		}
	}
	return rs
}
