package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// rawUpstream accepts connections and treats each as told, after it has read the header of a request.
func rawUpstream(t *testing.T, treat func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				treat(conn)
			}
			_ = conn.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

func refused(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return "http://" + l.Addr().String()
}

func reset(conn net.Conn) { _ = conn.(*net.TCPConn).SetLinger(0) }

func say(text string) func(net.Conn) {
	return func(c net.Conn) { _, _ = io.WriteString(c, text) }
}

// TestUpstreamFailures: what goes wrong, and what client, metrics and spans are told.
func TestUpstreamFailures(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	const headerTimeout = "timeouts: { upstream_response_header: 50ms }"
	for _, tc := range []struct {
		name, url, extra  string
		status            int
		errorType, reject string
		client            string // error.type of the attempt; empty: there was none
	}{
		{"refused", refused(t), "", 502, "connect", "", "connect"},
		{"no such host", "http://no.such.host.invalid", "", 502, "connect", "", "connect"},
		{"not TLS", strings.Replace(serve(t, echo), "http:", "https:", 1), "", 502, "connect", "", "connect"},
		{"hangs", rawUpstream(t, func(net.Conn) { <-hang }), headerTimeout, 504, "timeout", "", "timeout"},
		{"resets", rawUpstream(t, reset), "", 502, "reset", "", "reset"},
		{"closes", rawUpstream(t, func(net.Conn) {}), "", 502, "reset", "", "reset"},
		{"garbage", rawUpstream(t, say("SSH-2.0-OpenSSH\r\n\r\n")), "", 502, "protocol", "", "protocol"},
		{"bad header", rawUpstream(t, say("HTTP/1.1 200 OK\r\nno colon here\r\n\r\n")), "", 502, "protocol", "", "protocol"},
		{"huge header", rawUpstream(t, say("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 300<<10)+"\r\n\r\n")), "", 502, "protocol", "", "protocol"},
		{"answers 500", serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }), "", 500, "500", "", "500"},
		{"answers 404", serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }), "", 404, "", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, one+tc.extra, "up", tc.url).start()
			res, body := r.do(http.MethodGet, "/", nil)
			if tc.errorType == "500" || tc.errorType == "" {
				if res.StatusCode != tc.status {
					t.Errorf("status %d, want %d", res.StatusCode, tc.status)
				}
			} else {
				r.wantProblem(res, body, tc.status)
			}
			server := r.server()
			failed := tc.status >= 500
			if got := attr(server, "error.type"); got != tc.errorType || (server.Status().Code == codes.Error) != failed {
				t.Errorf("server span: error.type %q, status %v; want %q, error %v", got, server.Status(), tc.errorType, failed)
			}
			attempts := r.ended(trace.SpanKindClient)
			if len(attempts) == 0 || attr(attempts[0], "error.type") != tc.client {
				t.Errorf("client spans %v, want error.type %q", attempts, tc.client)
			}
			r.want(1, "http.server.request.duration", "http.response.status_code", fmt.Sprint(tc.status))
			if failed {
				r.want(1, "http.server.request.duration", "error.type", tc.errorType)
				if r.sum("http.client.request.duration", "error.type", tc.client) == 0 {
					t.Errorf("no attempt with error.type %s on the metric", tc.client)
				}
				if !strings.Contains(r.log.String(), "level=WARN msg=request") {
					t.Errorf("no warning in the log:\n%s", r.log)
				}
			}
		})
	}
}

// TestResponseBreaksOff: the client has the status already, so all that is left is to break off too.
func TestResponseBreaksOff(t *testing.T) {
	r := newRig(t, one, "up", rawUpstream(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfirst")
	})).start()
	res, err := r.Client().Get(r.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err == nil || string(b) != "first" {
		t.Errorf("got %q, %v; want what there was, then an error", b, err)
	}
	_ = res.Body.Close()
	r.want(1, "http.server.request.duration", "http.response.status_code", "200", "error.type", "reset")
	r.want(1, "http.client.request.duration", "http.response.status_code", "200", "error.type", "reset")
	if span := r.server(); span.Status().Code != codes.Error {
		t.Errorf("span status %v, want error", span.Status())
	}
}

func TestRouteTimeout(t *testing.T) {
	for _, tc := range []struct {
		name    string
		started bool
	}{{"before the response", false}, {"within the response", true}} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, strings.Replace(one, "upstream: up }]", "upstream: up, timeout: 50ms }]", 1), "up", serve(t, func(w http.ResponseWriter, req *http.Request) {
				if tc.started {
					_, _ = io.WriteString(w, "first")
					_ = http.NewResponseController(w).Flush()
				}
				<-req.Context().Done()
			})).start()
			res, err := r.Client().Get(r.URL + "/")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			b, err := io.ReadAll(res.Body)
			status := "504"
			if tc.started {
				status = "200"
				if err == nil {
					t.Errorf("the response ended well: %q", b)
				}
			} else {
				r.wantProblem(res, string(b), 504)
			}
			r.want(1, "http.server.request.duration", "http.response.status_code", status, "error.type", "timeout")
			r.want(1, "http.client.request.duration", "error.type", "timeout")
		})
	}
}

func TestRejections(t *testing.T) {
	const routes = `
upstreams: { up: { endpoints: ["$up"] } }
limits: { max_body: 1KiB, max_hops: 2 }
routes:
  - { name: get, match: { path: /only-get, methods: [GET, HEAD] }, upstream: up }
  - { name: any, match: { path: "/any/{x}" }, upstream: up }
  - { name: loose, match: { path: /loose }, upstream: up, max_body: 2KiB }
`
	up := serve(t, echo)
	large := strings.Repeat("x", 1025)
	chunked := func() io.Reader { return io.MultiReader(strings.NewReader(large)) } // of unknown length
	for _, tc := range []struct {
		name, method, path string
		body               io.Reader
		header             []string
		status             int
		reason             string
		allow              string
	}{
		{"unknown path", "GET", "/nothing", nil, nil, 404, "no_route", ""},
		{"wrong method", "POST", "/only-get", nil, nil, 405, "no_route", "GET, HEAD"},
		{"dot segments", "GET", "/any/%2e%2e", nil, nil, 400, "bad_request", ""},
		{"encoded slash and dots", "GET", "/any/..%2fsecret", nil, nil, 400, "bad_request", ""},
		{"backslash", "GET", `/any/..%5csecret`, nil, nil, 400, "bad_request", ""},
		{"loop", "GET", "/any/1", nil, []string{"Via", "1.1 tailgate-gateway, 1.1 other", "Via", "2.0 tailgate-gateway"}, 508, "loop", ""},
		{"large body", "POST", "/any/1", strings.NewReader(large), nil, 413, "body_too_large", ""},
		{"large body of unknown length", "POST", "/any/1", chunked(), nil, 413, "body_too_large", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, routes, "up", up).start()
			res, body := r.do(tc.method, tc.path, tc.body, tc.header...)
			r.wantProblem(res, body, tc.status)
			if got := res.Header.Get("Allow"); got != tc.allow {
				t.Errorf("Allow: %q, want %q", got, tc.allow)
			}
			r.want(1, "gateway.requests.rejected", "gateway.reject.reason", tc.reason)
			r.want(1, "http.server.request.duration", "http.response.status_code", fmt.Sprint(tc.status))
			if got := attr(r.server(), "gateway.reject.reason"); got != tc.reason {
				t.Errorf("span says %q, want %q", got, tc.reason)
			}
			if failed := r.server().Status().Code == codes.Error; failed != (tc.status >= 500) {
				t.Errorf("span status %v for %d", r.server().Status(), tc.status)
			}
		})
	}
	t.Run("larger body where the route allows it", func(t *testing.T) {
		r := newRig(t, routes, "up", up).start()
		if res, body := r.do("POST", "/loose", chunked()); res.StatusCode != 200 || !strings.HasSuffix(body, large) {
			t.Errorf("status %d, %d bytes", res.StatusCode, len(body))
		}
	})
}

func TestConnectAndMalformedBody(t *testing.T) {
	for name, text := range map[string]string{
		"CONNECT":       "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
		"broken chunks": "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nnot a length\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, one, "up", serve(t, echo)).start()
			conn := dial(t, r.URL)
			_, _ = io.WriteString(conn, text)
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			r.wantProblem(res, read(t, res), 400)
			r.want(1, "gateway.requests.rejected", "gateway.reject.reason", "bad_request")
		})
	}
}

// TestLoop lets the gateway be its own upstream.
func TestLoop(t *testing.T) {
	var self atomic.Pointer[rig]
	up := serve(t, func(w http.ResponseWriter, req *http.Request) { self.Load().handler.ServeHTTP(w, req) })
	r := newRig(t, one, "up", up).start()
	self.Store(r)
	res, _ := r.do(http.MethodGet, "/", nil)
	if res.StatusCode != http.StatusLoopDetected {
		t.Errorf("status %d, want 508", res.StatusCode)
	}
	r.want(1, "gateway.requests.rejected", "gateway.reject.reason", "loop")
}

// TestSlowBody: a client that pauses within its body is given up on, and told so.
func TestSlowBody(t *testing.T) {
	r := newRig(t, one+"timeouts: { read: 50ms }", "up", serve(t, echo)).start()
	conn := dial(t, r.URL)
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.wantProblem(res, read(t, res), 408)
}

// TestEarlyAnswer: the upstream answers while the client still owes most of its body. The answer must come through.
func TestEarlyAnswer(t *testing.T) {
	r := newRig(t, one, "up", rawUpstream(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	})).start()
	conn := dial(t, r.URL)
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n"+strings.Repeat("x", 8<<10))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body := read(t, res); res.StatusCode != 401 || body != "no" {
		t.Errorf("status %d, body %q", res.StatusCode, body)
	}
	if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 { // the server waits for no more and closes
		t.Errorf("%d more bytes, %v", len(rest), err)
	}
}

func TestClientBreaksOffUpload(t *testing.T) {
	r := newRig(t, one, "up", serve(t, echo)).start()
	conn := dial(t, r.URL)
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf")
	_ = conn.(*net.TCPConn).CloseWrite()
	if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
		t.Error("got a response")
	}
	r.want(1, "http.server.request.duration", "error.type", "client_gone")
}
