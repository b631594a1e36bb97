package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/tailgate-otel/tailgate/internal/supervise"
)

// TestKilledCollectorLosesNoErrorTrace kills the collector while spans come in and kept traces go out, starts it again on
// the same data, and demands every trace with an error whose arrival had been acknowledged, whole.
func TestKilledCollectorLosesNoErrorTrace(t *testing.T) {
	sink := startSink(t)
	s := &stack{dir: t.TempDir()}
	s.data = filepath.Join(s.dir, "data")
	ports := freePorts(t, 6)
	addr := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", ports[i]) }
	s.store, s.grpc, s.otlp = "http://"+addr(0), addr(1), "http://"+addr(2)
	overlay := filepath.Join(s.dir, "sink.yaml")
	if err := os.WriteFile(overlay, fmt.Appendf(nil, exportToSink, sink.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	log := testWriter(t)
	start := func(onLine func(string)) *supervise.Group {
		c := s.collector(addr(3), ports[4], ports[5], overlay)
		c.OnLine = onLine
		g := supervise.New(supervise.Settings{Output: log})
		if err := g.Start(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		return g
	}

	first := start(nil)
	acknowledged := sendUntil(t, s.otlp, func() bool { return sink.traces() >= 300 })
	if err := syscall.Kill(first.PID("tailgate"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-first.Exited()
	delivered := sink.traces()

	var took string
	second := start(func(line string) {
		if strings.Contains(line, "took up the buffer of the last run") {
			took = line
		}
	})
	eventually(t, exported, func() error {
		for _, id := range acknowledged {
			if n := sink.spans(id); n < spansPerTrace {
				return fmt.Errorf("trace %s with an error: %d of its %d spans arrived", id, n, spansPerTrace)
			}
		}
		b := s.spans(t)
		if b.recovered == 0 { // the counts are those of the first life still
			return fmt.Errorf("nothing recovered: %+v", b)
		}
		return b.settled()
	})
	if err := second.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	if took == "" {
		t.Error("the log does not say that the buffer was taken up")
	}
	t.Logf("%d traces with an error acknowledged; %d traces delivered before the kill, %d after; %s", len(acknowledged), delivered,
		sink.traces()-delivered, took[strings.Index(took, "{")+1:])
}

// exportToSink replaces the file that kept traces go to. Without a queue, as what is in the exporter's memory when the
// process is killed is lost.
const exportToSink = `
exporters:
  otlp_http/sink:
    endpoint: %s
    compression: none
    sending_queue: {enabled: false}
service:
  pipelines:
    traces/sampled: {exporters: [otlp_http/sink]}
`

const (
	spansPerTrace    = 3
	tracesPerRequest = 20
	errorEvery       = 10 // traces
)

// sendUntil exports traces until enough says so, and returns those with an error all of whose spans were acknowledged.
// The last span of each trace, the one with the error, comes a request later than the others.
func sendUntil(t *testing.T, otlp string, enough func() bool) (acknowledged []pcommon.TraceID) {
	t.Helper()
	pace := time.NewTicker(10 * time.Millisecond)
	defer pace.Stop()
	deadline := time.Now().Add(exported)
	for n := uint64(0); !enough(); n += tracesPerRequest {
		if time.Now().After(deadline) {
			t.Fatal("no traces were kept")
		}
		export(t, otlp, n, 0, spansPerTrace-1)
		export(t, otlp, n, spansPerTrace-1, spansPerTrace)
		for i := n; i < n+tracesPerRequest; i += errorEvery {
			acknowledged = append(acknowledged, traceID(i))
		}
		<-pace.C
	}
	return acknowledged
}

func traceID(n uint64) (id pcommon.TraceID) {
	copy(id[:], fmt.Sprintf("trace %010d", n))
	return id
}

// export sends the spans [from, to) of the traces from n on.
func export(t *testing.T, otlp string, n uint64, from, to int) {
	t.Helper()
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "killed")
	spans := rs.ScopeSpans().AppendEmpty().Spans()
	now := time.Now()
	for i := n; i < n+tracesPerRequest; i++ {
		for j := from; j < to; j++ {
			span := spans.AppendEmpty()
			span.SetTraceID(traceID(i))
			span.SetSpanID(pcommon.SpanID{1, byte(j)})
			span.SetName("work")
			span.SetStartTimestamp(pcommon.NewTimestampFromTime(now))
			span.SetEndTimestamp(pcommon.NewTimestampFromTime(now.Add(time.Millisecond)))
			if j == spansPerTrace-1 && i%errorEvery == 0 {
				span.Status().SetCode(ptrace.StatusCodeError)
			}
		}
	}
	body, err := ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(otlp+"/v1/traces", "application/x-protobuf", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("export: %s", resp.Status)
	}
}

// sink is an OTLP/HTTP server that remembers which spans of which trace it was sent.
type sink struct {
	*httptest.Server

	mu   sync.Mutex
	seen map[pcommon.TraceID]map[pcommon.SpanID]bool
}

func startSink(t *testing.T) *sink {
	s := &sink{seen: map[pcommon.TraceID]map[pcommon.SpanID]bool{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.take(r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *sink) take(r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if r.Header.Get("Content-Encoding") != "" {
		return errors.New("the sink does not decompress")
	}
	req := ptraceotlp.NewExportRequest()
	if err := req.UnmarshalProto(body); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rs := range req.Traces().ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				if s.seen[span.TraceID()] == nil {
					s.seen[span.TraceID()] = map[pcommon.SpanID]bool{}
				}
				s.seen[span.TraceID()][span.SpanID()] = true
			}
		}
	}
	return nil
}

func (s *sink) traces() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

func (s *sink) spans(id pcommon.TraceID) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen[id])
}
