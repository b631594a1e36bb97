package engine

import (
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/tracelog"
)

// Who borrows the log may read all of it until it is given back, even what nobody needs any more.
func TestBorrowKeepsTheLog(t *testing.T) {
	st := newStore(0)
	shard := New(Settings{
		Log:    tracelog.New(tracelog.Settings{Store: st, SegmentSize: 4 << 10}),
		Memory: newMemory(), Program: compilePolicies(t, errorsPolicy, policy.TraceComplete), Wait: time.Second,
	})
	f := feeder{shard: shard}
	send := func(name string) {
		rs := ptrace.NewResourceSpans()
		span := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		span.SetTraceID(traceID(name))
		span.Attributes().PutStr("pad", string(make([]byte, 3000)))
		if _, err := f.feed(moment(0), rs, 0, nil); err != nil {
			t.Fatal(err)
		}
	}
	send("a")
	view, giveBack := shard.Borrow()
	for _, name := range []string{"b", "c", "d"} {
		send(name)
	}
	shard.Advance(moment(time.Minute), 100)
	if n := len(view.Find(traceID("a"))); n != 1 || shard.Segments() != 4 {
		t.Errorf("found %d records of a borrowed log, %d segments are left of 4", n, shard.Segments())
	}
	if n := len(view.Find(traceID("b"))); n != 0 {
		t.Errorf("found %d records that came after the log was borrowed", n)
	}
	giveBack()
	shard.Advance(moment(time.Minute), 100)
	if shard.Segments() != 1 || st.used != 4<<10 {
		t.Errorf("%d segments and %d bytes are left when the log was given back", shard.Segments(), st.used)
	}
}
