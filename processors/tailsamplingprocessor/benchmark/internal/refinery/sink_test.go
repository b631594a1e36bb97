package refinery

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/rig"
)

const (
	traceHex = "0102030405060708090a0b0c0d0e0f10"
	spanHex  = "1112131415161718"
)

func str(s string) string { return "\xd9" + string([]byte{byte(len(s))}) + s }

// event writes an event as Refinery does: the time as an extension, the sample rate, and the fields of the span.
func event(fields ...string) string {
	var data strings.Builder
	for _, f := range fields {
		data.WriteString(str(f))
	}
	return "\x83" + str("time") + "\xc7\x0c\xff123456789012" + str("samplerate") + "\x32" +
		str("data") + string([]byte{0x80 | byte(len(fields)/2)}) + data.String()
}

var (
	root  = event("trace.trace_id", traceHex, "name", "GET", "trace.span_id", spanHex)
	child = event("trace.parent_id", spanHex, "trace.span_id", "2122232425262728", "trace.trace_id", traceHex)
)

// Over a socket, compressed: what Refinery would send is counted and answered with a status for each event.
func TestSinkAnswersForEachEvent(t *testing.T) {
	s, err := newSink()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	status, answer := send(t, s, encoder.EncodeAll([]byte("\x92"+root+child), nil))
	var events []struct{ Status int }
	if err := json.Unmarshal([]byte(answer), &events); err != nil || status != http.StatusOK {
		t.Fatalf("%d %q: %v", status, answer, err)
	}
	if len(events) != 2 || events[0].Status != http.StatusAccepted || events[1].Status != http.StatusAccepted {
		t.Errorf("answered %q for two events", answer)
	}
	var want rig.Sink
	trace := pcommon.TraceID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	want.Span(trace, pcommon.SpanID{0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18}, true)
	want.Span(trace, pcommon.SpanID{0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28}, false)
	if s.kept.Kept() != want.Kept() {
		t.Errorf("counted %+v, want %+v", s.kept.Kept(), want.Kept())
	}

	if status, answer = send(t, s, []byte("no zstd")); status != http.StatusBadRequest {
		t.Errorf("a batch that is not compressed: %d %q", status, answer)
	}
	if status, answer = send(t, s, encoder.EncodeAll([]byte("\x92"+root), nil)); status != http.StatusBadRequest {
		t.Errorf("a batch that is cut: %d %q", status, answer)
	}
}

func send(t *testing.T, s *sink, body []byte) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.address+"/1/batch/"+dataset, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Encoding", "zstd")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestCountRefusesWhatItDoesNotUnderstand(t *testing.T) {
	for name, tc := range map[string]struct{ body, want string }{
		"no array":         {root, "of the kind array"},
		"more behind":      {"\x91" + root + "\xc0", "1 bytes behind"},
		"no trace id":      {"\x91" + event("trace.span_id", spanHex), "without trace.trace_id"},
		"no span id":       {"\x91" + event("trace.trace_id", traceHex), "without trace.trace_id or trace.span_id"},
		"short id":         {"\x91" + event("trace.trace_id", "0102"), "want 32 hex digits"},
		"no hex":           {"\x91" + event("trace.span_id", "no hex digits 16"), "invalid byte"},
		"key is no string": {"\x91\x81\x01\x02", "where a string begins"},
		"empty":            {"", "ends within"},
	} {
		var to rig.Sink
		if _, err := count(&to, []byte(tc.body)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
		if to.Kept().Spans != 0 && name != "more behind" {
			t.Errorf("%s: counted %+v", name, to.Kept())
		}
	}
}

func TestAccepted(t *testing.T) {
	for events, want := range map[int]string{0: "[]", 1: `[{"status":202}]`, 2: `[{"status":202},{"status":202}]`} {
		if got := accepted(events); got != want {
			t.Errorf("%d events: %s, want %s", events, got, want)
		}
	}
}
