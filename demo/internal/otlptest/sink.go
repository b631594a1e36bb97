// Package otlptest is an OTLP/HTTP receiver for tests: it keeps what it is sent. It lives in memory and ends with the
// test.
package otlptest

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Sink keeps all that it received.
type Sink struct {
	URL string

	mu      sync.Mutex // guards the fields below
	spans   []Span
	logs    []Log
	metrics map[string][]pmetric.Metric // by service and name, "cart shop.carts"
}

// Span is a span with the name of its service.
type Span struct {
	Service string
	ptrace.Span
}

// Attr is an attribute of the span as text.
func (s Span) Attr(key string) string {
	v, ok := s.Attributes().Get(key)
	if !ok {
		return ""
	}
	return v.AsString()
}

// Log is a log record with the name of its service.
type Log struct {
	Service string
	plog.LogRecord
}

// Start runs a sink and points the SDKs of this test at it.
func Start(t *testing.T) *Sink {
	t.Helper()
	s := &Sink{metrics: make(map[string][]pmetric.Metric)}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	return s
}

func (s *Sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = z
	}
	data, err := io.ReadAll(body)
	if err == nil {
		err = s.keep(r.URL.Path, data)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func (s *Sink) keep(path string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch path {
	case "/v1/traces":
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(data)
		if err != nil {
			return err
		}
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, span := range ss.Spans().All() {
					s.spans = append(s.spans, Span{service(rs.Resource()), span})
				}
			}
		}
	case "/v1/metrics":
		md, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(data)
		if err != nil {
			return err
		}
		for _, rm := range md.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					key := service(rm.Resource()) + " " + m.Name()
					s.metrics[key] = append(s.metrics[key], m)
				}
			}
		}
	case "/v1/logs":
		ld, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(data)
		if err != nil {
			return err
		}
		for _, rl := range ld.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, r := range sl.LogRecords().All() {
					s.logs = append(s.logs, Log{service(rl.Resource()), r})
				}
			}
		}
	}
	return nil
}

func service(r pcommon.Resource) string {
	v, _ := r.Attributes().Get("service.name")
	return v.AsString()
}

// Spans returns all spans.
func (s *Sink) Spans() []Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Span(nil), s.spans...)
}

// Logs returns all log records.
func (s *Sink) Logs() []Log {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Log(nil), s.logs...)
}

// Metric returns the last state of a metric of a service, and whether there is any.
func (s *Sink) Metric(service, name string) (pmetric.Metric, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := s.metrics[service+" "+name]
	if len(states) == 0 {
		return pmetric.Metric{}, false
	}
	return states[len(states)-1], true
}
