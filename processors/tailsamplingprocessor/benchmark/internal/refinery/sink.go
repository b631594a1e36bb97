package refinery

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/rig"
)

// largestBatch is twice what Refinery lets a batch grow to before compression, 5 MB.
const largestBatch = 10 << 20

// A sink stands for Honeycomb: it accepts batches of events, counts what is in them and forgets them. It serves in
// goroutines of its own until it is closed.
type sink struct {
	kept    rig.Sink
	address string
	server  *http.Server
	decoder *zstd.Decoder
}

func newSink() (*sink, error) {
	// Without a limit of its own the decoder takes what a header claims.
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(largestBatch))
	if err != nil {
		return nil, fmt.Errorf("make a decompressor: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for what Refinery keeps: %w", err)
	}
	s := &sink{address: listener.Addr().String(), decoder: decoder}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /1/batch/{dataset}", s.batch)
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: patience}
	go func() { _ = s.server.Serve(listener) }()
	return s, nil
}

// Close ends all connections.
func (s *sink) Close() error {
	s.decoder.Close()
	if err := s.server.Close(); err != nil {
		return fmt.Errorf("close the sink of Refinery: %w", err)
	}
	return nil
}

// batch answers as Honeycomb does: a status for each event.
func (s *sink) batch(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largestBatch))
	if err == nil && r.Header.Get("Content-Encoding") == "zstd" {
		body, err = s.decoder.DecodeAll(body, nil)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	events, err := count(&s.kept, body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, accepted(events))
}

// accepted is the answer to a batch of that many events, all taken.
func accepted(events int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(`{"status":202},`, events), ",") + "]"
}

// count adds the spans of a batch to a sink and returns how many they are. A batch is an array of events; the data of an
// event is a map of the span's fields.
func count(to *rig.Sink, body []byte) (events int, err error) {
	s := &scanner{rest: body}
	events = s.array()
	for range events {
		for range s.object() {
			if string(s.str()) == "data" {
				span(to, s)
			} else {
				s.skip()
			}
		}
	}
	if s.err == nil && len(s.rest) > 0 {
		s.err = fmt.Errorf("msgpack: %d bytes behind the batch", len(s.rest))
	}
	return events, s.err
}

// span reads the fields that say which span it is.
func span(to *rig.Sink, s *scanner) {
	var trace pcommon.TraceID
	var id pcommon.SpanID
	root := true
	for range s.object() {
		switch string(s.str()) {
		case "trace.trace_id":
			s.id(trace[:])
		case "trace.span_id":
			s.id(id[:])
		case "trace.parent_id":
			root = false
			s.skip()
		default:
			s.skip()
		}
	}
	if s.err == nil && (trace.IsEmpty() || id.IsEmpty()) {
		s.fail(errors.New("an event without trace.trace_id or trace.span_id"))
	}
	if s.err == nil {
		to.Span(trace, id, root)
	}
}

// id reads an id as hex digits.
func (s *scanner) id(to []byte) {
	digits := s.str()
	if s.err == nil && len(digits) != 2*len(to) {
		s.fail(fmt.Errorf("id %q: want %d hex digits", digits, 2*len(to)))
		return
	}
	if _, err := hex.Decode(to, digits); err != nil {
		s.fail(fmt.Errorf("id %q: %w", digits, err))
	}
}
