package proxy_test

import (
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel/trace"
)

const two = `
upstreams: { up: { endpoints: ["$bad", "$good"], cooldown: 1h } }
routes: [{ name: all, match: { path: "/{rest...}" }, upstream: up }]
`

// TestRefusedRequestsGoToAnotherEndpoint: nothing of a request has been seen, so even a POST with its body may go on.
func TestRefusedRequestsGoToAnotherEndpoint(t *testing.T) {
	r := newRig(t, two, "bad", refused(t), "good", serve(t, echo)).start()
	for range 6 {
		if res, body := r.do(http.MethodPost, "/", strings.NewReader("body")); res.StatusCode != 200 || body != "POST / body" {
			t.Fatalf("status %d, body %q", res.StatusCode, body)
		}
	}
	r.want(6, "http.server.request.duration", "http.response.status_code", "200")
	r.want(1, "http.client.request.duration", "error.type", "connect") // then it is skipped
	var resends []string
	for _, s := range r.ended(trace.SpanKindClient) {
		if n := attr(s, "http.request.resend_count"); n != "" {
			resends = append(resends, n)
		}
	}
	if len(resends) != 1 || resends[0] != "1" {
		t.Errorf("http.request.resend_count on %q, want once 1", resends)
	}
}

func TestOnlySafeRequestsAreRepeatedAfterAReset(t *testing.T) {
	for method, want := range map[string]int{http.MethodGet: 200, http.MethodPost: 502, http.MethodDelete: 502} {
		t.Run(method, func(t *testing.T) {
			var seen atomic.Int64
			bad := rawUpstream(t, func(c net.Conn) { seen.Add(1); reset(c) })
			r := newRig(t, two, "bad", bad, "good", serve(t, echo)).start()
			if res, _ := r.do(method, "/", nil); res.StatusCode != want { // the first turn is the bad one's
				t.Errorf("status %d, want %d", res.StatusCode, want)
			}
			if seen.Load() != 1 {
				t.Errorf("the endpoint that resets saw the request %d times, want once", seen.Load())
			}
		})
	}
}

func TestNoEndpointLeft(t *testing.T) {
	r := newRig(t, two, "bad", refused(t), "good", refused(t)).start()
	res, body := r.do(http.MethodGet, "/", nil)
	r.wantProblem(res, body, 502) // both were tried
	res, body = r.do(http.MethodGet, "/", nil)
	r.wantProblem(res, body, 503) // nobody is left to try
	if res.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	r.want(1, "gateway.requests.rejected", "gateway.reject.reason", "no_endpoint")
	r.want(2, "http.client.request.duration", "error.type", "connect")
}

// TestStaleConnection: an upstream closes kept-alive connections without a word. No request may fail for it as long as
// the upstream saw nothing of it.
func TestStaleConnection(t *testing.T) {
	s := &http.Server{Handler: http.HandlerFunc(echo)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan net.Conn, 64)
	s.ConnState = func(c net.Conn, st http.ConnState) {
		if st == http.StateIdle {
			conns <- c
		}
	}
	served := make(chan struct{})
	go func() { defer close(served); _ = s.Serve(l) }()
	defer func() { _ = s.Close(); <-served }()
	r := newRig(t, one, "up", "http://"+l.Addr().String()).start()
	for range 20 {
		if res, _ := r.do(http.MethodGet, "/", nil); res.StatusCode != 200 {
			t.Fatalf("status %d", res.StatusCode)
		}
		_ = (<-conns).Close()
	}
}
