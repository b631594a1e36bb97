package span_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/tailgate-otel/tailgate/gateway/telemetry/span"
	"github.com/tailgate-otel/tailgate/gateway/telemetry/span/spantest"
	"github.com/tailgate-otel/tailgate/gateway/telemetry/tracecontext"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func httpHeader(pairs []string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func shutdown(t *testing.T, e *span.Exporter) span.Stats {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := errors.Join(e.Shutdown(ctx), e.Shutdown(ctx)); err != nil {
		t.Fatal(err)
	}
	s := e.Stats()
	if sum := s.Exported + s.Rejected + s.Failed + s.DroppedQueueFull + s.DroppedTooLarge + s.DroppedShutdown; sum != s.Recorded {
		t.Errorf("%d spans came in, %d went out or were dropped: %+v", s.Recorded, sum, s)
	}
	return s
}

var always = tracecontext.New(tracecontext.Settings{})

// end records one span with an attribute of n bytes.
func end(e *span.Exporter, name string, n int) {
	var r span.Record
	r.Begin(always.Begin(nil), trace.SpanKindServer, name, time.Now())
	r.Str(payload, strings.Repeat("x", n))
	e.End(&r, time.Now())
}

// sendFunc is a Sender.
type sendFunc func(ctx context.Context, request []byte) (int64, error)

func (f sendFunc) Send(ctx context.Context, request []byte) (int64, error) { return f(ctx, request) }

// TestChunks fills chunks with spans of all sizes from many goroutines: every request decodes, none is larger than a
// chunk, and each span arrives once.
func TestChunks(t *testing.T) {
	const workers, each, chunkBytes = 8, 2000, 20_000
	var sink spantest.Sink
	e := span.Start(span.Settings{Resource: testResource, Scope: testScope, ChunkBytes: chunkBytes, MaxBytes: 256 << 20, Interval: time.Millisecond,
		Sender: sendFunc(func(ctx context.Context, request []byte) (int64, error) {
			if len(request) > chunkBytes {
				t.Errorf("a request of %d bytes", len(request))
			}
			return sink.Send(ctx, request)
		})})
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				// sizes around the places where lengths take one byte more
				end(e, string(rune('a'+w)), []int{0, 20, 60, 120, 400, 15_000, 16_300}[i%7]+i%9)
			}
		})
	}
	wg.Wait()
	if s := shutdown(t, e); s.Exported != workers*each {
		t.Errorf("%+v, want all exported", s)
	}
	for _, r := range sink.Requests() {
		rs := r.ResourceSpans().At(0)
		if name, _ := rs.Resource().Attributes().Get("service.name"); name.Str() != "gateway" || rs.ScopeSpans().At(0).Scope().Name() != testScope.Name {
			t.Errorf("resource %v, scope %s", rs.Resource().Attributes().AsRaw(), rs.ScopeSpans().At(0).Scope().Name())
		}
	}
	got := map[string]int{}
	for _, s := range sink.Spans(ptrace.SpanKindServer) {
		got[s.Name()]++
	}
	for w := range workers {
		if n := got[string(rune('a'+w))]; n != each {
			t.Errorf("%d spans of worker %d arrived, want %d", n, w, each)
		}
	}
}

// TestFull: with a collector that takes nothing, memory stays within its bound, nobody waits, and what is lost is counted.
func TestFull(t *testing.T) {
	release := make(chan struct{})
	const maxBytes = 64 << 10
	e := span.Start(span.Settings{ChunkBytes: 4 << 10, MaxBytes: maxBytes, Sender: sendFunc(func(context.Context, []byte) (int64, error) {
		<-release
		return 0, nil
	})})
	for range 1000 {
		end(e, "GET", 200)
	}
	s := e.Stats()
	if s.Bytes > maxBytes || s.DroppedQueueFull < 600 || s.DroppedQueueFull >= 1000 {
		t.Errorf("%+v; want some 750 dropped and at most %d bytes", s, maxBytes)
	}
	end(e, "GET", 5<<10)
	close(release)
	if s := shutdown(t, e); s.DroppedTooLarge != 1 || s.Exported == 0 {
		t.Errorf("%+v, want one span too large", s)
	}
	end(e, "late", 1)
	if s := e.Stats(); s.DroppedShutdown != 1 {
		t.Errorf("%+v, want one span after the end", s)
	}
}

func TestInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		start := time.Now()
		e := span.Start(span.Settings{Interval: 2 * time.Second, Sender: sendFunc(func(context.Context, []byte) (int64, error) {
			at = append(at, time.Since(start))
			return 0, nil
		})})
		time.Sleep(time.Second)
		for range 100 {
			end(e, "GET", 1) // in all shards: gathered into one request
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if len(at) != 1 || at[0] != 2*time.Second {
			t.Errorf("sent at %v, want once after 2s", at)
		}
		shutdown(t, e)
	})
}

func TestFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int64
		hang := make(chan struct{})
		close(hang)
		e := span.Start(span.Settings{Interval: time.Hour, Sender: sendFunc(func(ctx context.Context, _ []byte) (int64, error) {
			time.Sleep(time.Second)
			<-hang
			sent.Add(1)
			return 0, ctx.Err()
		})})
		for i := range 3 {
			end(e, "GET", 1)
			if err := e.Flush(t.Context()); err != nil || sent.Load() != int64(i+1) {
				t.Errorf("%d requests sent after flush %d: %v", sent.Load(), i+1, err)
			}
		}
		if err := e.Flush(t.Context()); err != nil || sent.Load() != 3 {
			t.Errorf("%d requests sent, want none for nothing: %v", sent.Load(), err)
		}
		hang = make(chan struct{})
		end(e, "GET", 1)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		// The second one does not even reach the sweeper, which is busy with the first.
		if first, second := e.Flush(ctx), e.Flush(ctx); !errors.Is(first, context.DeadlineExceeded) || !errors.Is(second, context.DeadlineExceeded) {
			t.Errorf("%v and %v, want the deadline", first, second)
		}
		close(hang)
		shutdown(t, e)
		if err := e.Flush(t.Context()); err != nil {
			t.Errorf("flush after the end: %v", err)
		}
	})
}

func TestDelivery(t *testing.T) {
	boom := errors.New("boom")
	again := func(after time.Duration) error { return &span.RetryableError{Err: boom, After: after} }
	retry := span.Retry{Initial: time.Second, Max: 4 * time.Second, Elapsed: 20 * time.Second}
	for _, tc := range []struct {
		name     string
		answers  []error // the last one repeats
		rejected int64
		waits    []time.Duration // at most; at least half of it unless the receiver asked
		want     span.Stats
		told     string
	}{
		{name: "at once", answers: []error{nil}, want: span.Stats{Exported: 1}},
		{name: "backoff", answers: []error{again(0), again(0), again(0), nil}, waits: []time.Duration{time.Second, 2 * time.Second, 4 * time.Second},
			want: span.Stats{Exported: 1, Retries: 3}},
		{name: "the receiver says when", answers: []error{again(7 * time.Second), nil}, waits: []time.Duration{7 * time.Second}, want: span.Stats{Exported: 1, Retries: 1}},
		{name: "permanent", answers: []error{boom}, want: span.Stats{Failed: 1}, told: "export 1 spans: boom"},
		{name: "not within the time", answers: []error{again(15 * time.Second)}, waits: []time.Duration{15 * time.Second}, want: span.Stats{Failed: 1, Retries: 1},
			told: "export 1 spans: given up after 2 tries: boom"},
		{name: "rejected", answers: []error{nil}, rejected: 1, want: span.Stats{Rejected: 1}, told: "export 1 spans: the receiver rejected 1 of them"},
		{name: "rejects more than there are", answers: []error{nil}, rejected: 1 << 40, want: span.Stats{Rejected: 1}, told: "export 1 spans: the receiver rejected 1 of them"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var at []time.Time
				var bodies [][]byte
				told := ""
				e := span.Start(span.Settings{Retry: retry, OnError: func(err error) { told = err.Error() },
					Sender: sendFunc(func(_ context.Context, request []byte) (int64, error) {
						at, bodies = append(at, time.Now()), append(bodies, bytes.Clone(request))
						return tc.rejected, tc.answers[min(len(at), len(tc.answers))-1]
					})})
				end(e, "GET", 1)
				time.Sleep(time.Minute)
				got := shutdown(t, e)
				got.Recorded, got.Bytes = 0, 0
				if got != tc.want || told != tc.told {
					t.Errorf("%+v and %q, want %+v and %q", got, told, tc.want, tc.told)
				}
				if len(at) != len(tc.waits)+1 {
					t.Fatalf("%d tries, want %d", len(at), len(tc.waits)+1)
				}
				for i, most := range tc.waits {
					if wait := at[i+1].Sub(at[i]); wait > most || wait < most/2 {
						t.Errorf("wait %d was %s, want %s to %s", i, wait, most/2, most)
					}
					if !bytes.Equal(bodies[i], bodies[i+1]) {
						t.Error("the request changed between tries")
					}
				}
			})
		})
	}
}

// TestShutdownObeysItsContext: a collector that hangs costs the spans, not the end of the program.
func TestShutdownObeysItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := span.Start(span.Settings{ChunkBytes: 1 << 10, Sender: sendFunc(func(ctx context.Context, _ []byte) (int64, error) {
			<-ctx.Done()
			return 0, &span.RetryableError{Err: ctx.Err()}
		})})
		for range 50 {
			end(e, "GET", 300)
		}
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := e.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("%v after %s, want the deadline after 3s", err, time.Since(start))
		}
		if s := e.Stats(); s.Failed != 50 || s.Recorded != 50 {
			t.Errorf("%+v, want 50 failed", s)
		}
	})
}

func TestUnsampledIsIdle(t *testing.T) {
	e := span.Start(span.Settings{Sender: &spantest.Sink{}})
	c := always.Begin(nil)
	c.Flags = 0
	var r span.Record
	r.Begin(c, trace.SpanKindServer, "GET", time.Now())
	r.Str(payload, "v")
	r.Block(span.NewBlock(attribute.Int("n", 1)))
	r.Event("e", time.Now())
	if r.Recording() || r.Context().SpanID != c.SpanID {
		t.Error("an unsampled span records, or has lost its context")
	}
	e.End(&r, time.Now())
	if s := shutdown(t, e); s.Recorded != 0 {
		t.Errorf("%+v, want nothing recorded", s)
	}
}

// TestAgain: a record that is begun anew has nothing of the span before.
func TestAgain(t *testing.T) {
	var sink spantest.Sink
	e := span.Start(span.Settings{Sender: &sink})
	start := time.Now()
	var r span.Record
	r.Begin(always.Begin(nil), trace.SpanKindServer, "first", start)
	r.Block(span.NewBlock(attribute.Int("n", 1)))
	r.Str(payload, "x")
	r.Event("e", start)
	r.SetStatus(codes.Error, "text")
	e.End(&r, start)
	r.Begin(always.Begin(nil), trace.SpanKindClient, "second", start)
	e.End(&r, start)
	e.End(&r, start) // does nothing, the span is over
	shutdown(t, e)
	if n := len(sink.Spans(ptrace.SpanKindServer)); n != 1 {
		t.Errorf("%d first spans", n)
	}
	second := sink.Spans(ptrace.SpanKindClient)
	if len(second) != 1 || second[0].Attributes().Len() != 0 || second[0].Events().Len() != 0 || second[0].Status().Message() != "" {
		t.Errorf("%d second spans, the first one has attributes %v", len(second), second[0].Attributes().AsRaw())
	}
}

// TestInvalidUTF8: bytes that clients send cannot make a request that the official decoder refuses.
func TestInvalidUTF8(t *testing.T) {
	const bad = "a\xffb"
	sender := &decoded{}
	e := span.Start(span.Settings{Sender: sender})
	var r span.Record
	r.Begin(always.Begin(nil), trace.SpanKindServer, bad, time.Now())
	r.Block(span.NewBlock(attribute.String("block", bad)))
	r.Str(payload, bad)
	r.Join(payload, "x", bad)
	r.Attribute(attribute.StringSlice("list", []string{bad}))
	r.Event(bad, time.Now(), attribute.String("k", bad))
	r.SetStatus(codes.Error, bad)
	e.End(&r, time.Now())
	if s := shutdown(t, e); s.Exported != 1 {
		t.Fatalf("%+v, want the span exported", s)
	}
	s := sender.ResourceSpans[0].ScopeSpans[0].Spans[0]
	if got := s.Attributes[1].Value.GetStringValue(); got != "a\uFFFDb" || s.Name != got {
		t.Errorf("%q arrived for %q", got, bad)
	}
}

func TestEndAllocatesNothing(t *testing.T) {
	var sent atomic.Int64
	e := span.Start(span.Settings{Sender: sendFunc(func(_ context.Context, b []byte) (int64, error) {
		sent.Add(int64(len(b)))
		return 0, nil
	})})
	l := newLoad()
	for range 20_000 { // until the chunks exist
		l.request(e)
	}
	if n := testing.AllocsPerRun(1000, func() { l.request(e) }); n != 0 {
		t.Errorf("%v allocations per request of two spans", n)
	}
	shutdown(t, e)
	if sent.Load() < 20_000*2*300 {
		t.Errorf("%d bytes sent: that cannot be all", sent.Load())
	}
}

var (
	keyURLPath                = span.NewKey("url.path")
	keyServerAddress          = span.NewKey("server.address")
	keyServerPort             = span.NewKey("server.port")
	keyClientAddress          = span.NewKey("client.address")
	keyNetworkPeerAddress     = span.NewKey("network.peer.address")
	keyNetworkPeerPort        = span.NewKey("network.peer.port")
	keyUserAgentOriginal      = span.NewKey("user_agent.original")
	keyHTTPResponseStatusCode = span.NewKey("http.response.status_code")
	keyURLFull                = span.NewKey("url.full")
	keyNetworkProtocolVersion = span.NewKey("network.protocol.version")
	payload                   = span.NewKey("payload")
)

// load is what the gateway does per request: a server span and one attempt.
type load struct {
	policy                    *tracecontext.Policy
	route, upstream, endpoint span.Block
	server, attempt           span.Record
	start                     time.Time
	root                      tracecontext.Context
	n                         uint32
}

func newLoad() *load {
	return &load{
		policy: always, start: time.Now(), root: always.Begin(nil),
		route:    span.NewBlock(attribute.String("http.request.method", "GET"), attribute.String("http.route", "/api/items/{id}"), attribute.String("url.scheme", "http"), attribute.String("network.protocol.version", "1.1")),
		upstream: span.NewBlock(attribute.String("gateway.upstream", "items")),
		endpoint: span.NewBlock(attribute.String("gateway.upstream", "items"), attribute.String("server.address", "10.0.0.17"), attribute.Int("server.port", 8080), attribute.String("http.request.method", "GET")),
	}
}

func (l *load) request(e *span.Exporter) {
	c := l.root
	l.n++
	binary.LittleEndian.PutUint32(c.TraceID[12:], l.n) // another shard each time, without the cost of a random number
	end := l.start.Add(time.Millisecond)
	s := &l.server
	s.Begin(c, trace.SpanKindServer, "GET /api/items/{id}", l.start)
	s.Block(l.route)
	s.Block(l.upstream)
	s.Str(keyURLPath, "/api/items/7")
	s.Str(keyServerAddress, "shop.example.com")
	s.Int(keyServerPort, 80)
	s.Str(keyClientAddress, "192.168.17.23")
	s.Str(keyNetworkPeerAddress, "192.168.17.23")
	s.Int(keyNetworkPeerPort, 51234)
	s.Str(keyUserAgentOriginal, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	s.Int(keyHTTPResponseStatusCode, 200)
	a := &l.attempt
	a.Begin(c, trace.SpanKindClient, "GET", l.start)
	a.Block(l.endpoint)
	a.Str(keyURLFull, "http://10.0.0.17:8080/api/items/7")
	a.Int(keyHTTPResponseStatusCode, 200)
	a.Str(keyNetworkProtocolVersion, "1.1")
	e.End(a, end)
	e.End(s, end)
}
