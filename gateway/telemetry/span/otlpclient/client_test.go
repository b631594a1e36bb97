package otlpclient_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/trace"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/tailgate-otel/tailgate/gateway/telemetry/span"
	"github.com/tailgate-otel/tailgate/gateway/telemetry/span/otlpclient"
	"github.com/tailgate-otel/tailgate/gateway/telemetry/tracecontext"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, s otlpclient.Settings) otlpclient.Client {
	t.Helper()
	c, err := otlpclient.New(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// retryable returns whether the error may be retried, and after how long.
func retryable(err error) (bool, time.Duration) {
	var again *span.RetryableError
	if !errors.As(err, &again) {
		return false, 0
	}
	return true, again.After
}

func TestHTTP(t *testing.T) {
	for _, zipped := range []bool{false, true} {
		var got *http.Request
		var body []byte
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			got = r
			body, _ = io.ReadAll(r.Body)
		}))
		t.Cleanup(server.Close)
		c := open(t, otlpclient.Settings{Endpoint: server.URL + "/base/v1/traces", Headers: map[string]string{"authorization": "Bearer x"}, Gzip: zipped})
		want := bytes.Repeat([]byte("spans "), 10_000)
		for range 2 { // compressors are used again
			if rejected, err := c.Send(t.Context(), want); rejected != 0 || err != nil {
				t.Fatal(rejected, err)
			}
		}
		if got.Method != http.MethodPost || got.URL.Path != "/base/v1/traces" || got.Header.Get("Authorization") != "Bearer x" ||
			got.Header.Get("Content-Type") != "application/x-protobuf" || got.ContentLength != int64(len(body)) {
			t.Errorf("%s %s %v, length %d of %d", got.Method, got.URL, got.Header, got.ContentLength, len(body))
		}
		if zipped {
			r, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil || got.Header.Get("Content-Encoding") != "gzip" {
				t.Fatal(err, got.Header)
			}
			body, _ = io.ReadAll(r)
		}
		if !bytes.Equal(body, want) {
			t.Errorf("%d bytes arrived, want %d", len(body), len(want))
		}
	}
}

func TestHTTPAnswers(t *testing.T) {
	encode := func(m proto.Message) string {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	partial := encode(&coltracepb.ExportTraceServiceResponse{PartialSuccess: &coltracepb.ExportTracePartialSuccess{ErrorMessage: "too old", RejectedSpans: 3}})
	refusal := encode(status.New(codes.InvalidArgument, "no such tenant").Proto())
	for _, tc := range []struct {
		name     string
		code     int
		header   []string
		body     string
		rejected int64
		again    bool
		after    time.Duration
		text     string // part of the error; empty: none
	}{
		{name: "ok", code: 200},
		{name: "full success", code: 200, header: []string{"Content-Type", "application/x-protobuf"}, body: ""},
		{name: "partial success", code: 200, header: []string{"Content-Type", "application/x-protobuf"}, body: partial, rejected: 3},
		{name: "broken answer", code: 200, header: []string{"Content-Type", "application/x-protobuf"}, body: "\x0a\xff\x08"},
		{name: "json is not read", code: 200, header: []string{"Content-Type", "application/json"}, body: `{"partialSuccess":{}}`},
		{name: "bad request", code: 400, header: []string{"Content-Type", "application/x-protobuf"}, body: refusal, text: "400 Bad Request: no such tenant"},
		{name: "text", code: 401, body: "who are you\n", text: "401 Unauthorized: who are you"},
		{name: "redirect", code: 307, header: []string{"Location", "/elsewhere"}, text: "307"},
		{name: "internal error is not cured by repeating", code: 500, text: "500"},
		{name: "unavailable", code: 503, again: true, text: "503"},
		{name: "bad gateway", code: 502, again: true, text: "502"},
		{name: "gateway timeout", code: 504, again: true, text: "504"},
		{name: "too many", code: 429, header: []string{"Retry-After", "7"}, again: true, after: 7 * time.Second, text: "429"},
		{name: "a long time ago", code: 429, header: []string{"Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"}, again: true, text: "429"},
		{name: "nonsense", code: 503, header: []string{"Retry-After", "-1"}, again: true, text: "503"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for i := 0; i < len(tc.header); i += 2 {
					w.Header().Set(tc.header[i], tc.header[i+1])
				}
				w.WriteHeader(tc.code)
				_, _ = io.WriteString(w, tc.body)
			}))
			defer server.Close()
			rejected, err := open(t, otlpclient.Settings{Endpoint: server.URL}).Send(t.Context(), []byte("x"))
			again, after := retryable(err)
			if rejected != tc.rejected || again != tc.again || after != tc.after || (err == nil) != (tc.text == "") || err != nil && !strings.Contains(err.Error(), tc.text) {
				t.Errorf("rejected %d, again %v after %s, error %v", rejected, again, after, err)
			}
		})
	}
}

func TestHTTPRefusedAndHanging(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hanging := open(t, otlpclient.Settings{Endpoint: "http://" + l.Addr().String()})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := hanging.Send(ctx, []byte("x")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the deadline", err)
	}
	_ = l.Close()
	_, err = hanging.Send(t.Context(), []byte("x"))
	if again, _ := retryable(err); !again {
		t.Errorf("%v: a collector that is not there may come back", err)
	}
}

// TestMemoryIsReturned: a server answers before it has read the body, and the caller uses the memory again at once. The
// race detector sees it if a reader is left behind; without it, the reader would send what comes next.
func TestMemoryIsReturned(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	c := open(t, otlpclient.Settings{Endpoint: server.URL})
	body := make([]byte, 4<<20)
	for i := range 20 {
		_, err := c.Send(t.Context(), body)
		if again, _ := retryable(err); !again {
			t.Fatal(err)
		}
		for j := range body {
			body[j] = byte(i)
		}
	}
}

func TestUnixSocket(t *testing.T) {
	path := t.TempDir() + "/otlp.sock"
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(chan string, 1)
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { arrived <- r.URL.Path })}}
	server.Start()
	defer server.Close()
	c := open(t, otlpclient.Settings{Endpoint: "http://collector/v1/traces", Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}})
	if _, err := c.Send(t.Context(), []byte("x")); err != nil {
		t.Fatal(err)
	}
	if got := <-arrived; got != "/v1/traces" {
		t.Errorf("posted to %s", got)
	}
}

// collector is a real gRPC server.
type collector struct {
	coltracepb.UnimplementedTraceServiceServer
	got      []*coltracepb.ExportTraceServiceRequest
	metadata metadata.MD
	answer   *coltracepb.ExportTraceServiceResponse
	err      error
}

func (c *collector) Export(ctx context.Context, r *coltracepb.ExportTraceServiceRequest) (*coltracepb.ExportTraceServiceResponse, error) {
	c.got = append(c.got, r)
	c.metadata, _ = metadata.FromIncomingContext(ctx)
	return c.answer, c.err
}

func serveGRPC(t *testing.T, c *collector) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	coltracepb.RegisterTraceServiceServer(s, c)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

// TestGRPC goes all the way: spans, exporter, client, server.
func TestGRPC(t *testing.T) {
	for _, zipped := range []bool{false, true} {
		server := &collector{answer: &coltracepb.ExportTraceServiceResponse{PartialSuccess: &coltracepb.ExportTracePartialSuccess{RejectedSpans: 1}}}
		c := open(t, otlpclient.Settings{Protocol: otlpclient.GRPC, Endpoint: serveGRPC(t, server), Gzip: zipped, Headers: map[string]string{"Tenant": "a"}})
		e := span.Start(span.Settings{Sender: c, Scope: instrumentation.Scope{Name: "scope"}})
		for range 3 {
			var r span.Record
			r.Begin(tracecontext.New(tracecontext.Settings{}).Begin(nil), trace.SpanKindServer, "GET", time.Now())
			e.End(&r, time.Now())
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
		if s := e.Stats(); s.Exported != 2 || s.Rejected != 1 {
			t.Errorf("%+v, want 2 exported and 1 rejected", s)
		}
		if len(server.got) != 1 || len(server.got[0].ResourceSpans[0].ScopeSpans[0].Spans) != 3 || server.metadata.Get("tenant")[0] != "a" {
			t.Errorf("%v arrived with %v", server.got, server.metadata)
		}
	}
}

func TestGRPCErrors(t *testing.T) {
	withDelay, err := status.New(codes.ResourceExhausted, "slow down").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(3 * time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	server := &collector{}
	c := open(t, otlpclient.Settings{Protocol: otlpclient.GRPC, Endpoint: serveGRPC(t, server)})
	for _, tc := range []struct {
		err   error
		again bool
		after time.Duration
	}{
		{status.Error(codes.Unavailable, ""), true, 0},
		{status.Error(codes.DeadlineExceeded, ""), true, 0},
		{status.Error(codes.DataLoss, ""), true, 0},
		{status.Error(codes.ResourceExhausted, ""), false, 0},
		{withDelay.Err(), true, 3 * time.Second},
		{status.Error(codes.InvalidArgument, ""), false, 0},
		{status.Error(codes.Unauthenticated, ""), false, 0},
		{status.Error(codes.Unimplemented, ""), false, 0},
	} {
		server.err = tc.err
		_, err := c.Send(t.Context(), nil)
		if again, after := retryable(err); err == nil || again != tc.again || after != tc.after {
			t.Errorf("%v: again %v after %s, want %v after %s", tc.err, again, after, tc.again, tc.after)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, endpoint := range []string{"", "127.0.0.1:4318", "ftp://host", "http://", "http://a b"} {
		if _, err := otlpclient.New(otlpclient.Settings{Endpoint: endpoint}); err == nil || !strings.HasPrefix(err.Error(), "endpoint: ") {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
}
