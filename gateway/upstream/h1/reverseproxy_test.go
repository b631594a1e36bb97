package h1_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/tailgate-otel/tailgate/gateway/upstream/h1"
)

// behindProxy puts httputil.ReverseProxy between, with rt as its transport, and returns the proxy's address.
func behindProxy(t testing.TB, rt http.RoundTripper, address string) string {
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: address}) },
		Transport: rt,
	})
	t.Cleanup(front.Close)
	return front.Listener.Addr().String()
}

// TestBehindReverseProxy goes through net/http's proxy and server with what they ask of a transport: informational
// responses by httptrace, trailers, uploads, and an upgrade.
func TestBehindReverseProxy(t *testing.T) {
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = c.Close() }()
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
			_, _ = io.Copy(c, rw)
			return
		}
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Trailer", "X-Sum")
		// All of it before the answer: whether a server keeps a connection that is still sending depends on the clock.
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
		w.Header().Set("X-Sum", http.StatusText(len(body)%600))
	}))
	defer endpoint.Close()
	c := newClient(t, h1.Settings{Address: endpoint.Listener.Addr().String()})
	address := behindProxy(t, c, endpoint.Listener.Addr().String())
	for name, edit := range map[string]func(*http.Request){
		"small":   withBody("hello", 5),
		"large":   withBody(strings.Repeat("x", 1e6), 1e6),
		"unknown": withBody(strings.Repeat("x", 1e6), -1),
		"none":    func(*http.Request) {},
	} {
		t.Run(name, func(t *testing.T) {
			sameAsNetHTTP(t, address, func() *http.Request {
				r := newRequest(t, http.MethodPost, address, nil)
				edit(r)
				return r
			})
		})
	}
	t.Run("upgrade", func(t *testing.T) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		in := bufio.NewReader(conn)
		res, err := http.ReadResponse(in, nil)
		if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("got %v, %v", res, err)
		}
		_, _ = io.WriteString(conn, "ping\n")
		if line, err := in.ReadString('\n'); err != nil || line != "ping\n" {
			t.Errorf("got %q, %v", line, err)
		}
	})
}

// BenchmarkReverseProxy is BenchmarkClientCPU with net/http's proxy and server between, as the gateway has them.
func BenchmarkReverseProxy(b *testing.B) {
	for _, name := range []string{"h1", "nethttp"} {
		b.Run("transport="+name, func(b *testing.B) {
			answer := []byte(head + "Content-Length: 1024\r\nContent-Type: text/plain\r\n\r\n" + strings.Repeat("a", 1<<10))
			endpoint := serve(b, func(_ int, c *net.TCPConn) { answerBlindly(c, answer) })
			address := behindProxy(b, roundTripper(b, name, endpoint, 64), endpoint)
			load := roundTripper(b, "h1", address, 64)
			b.SetParallelism(64 / runtime.GOMAXPROCS(0))
			b.ReportAllocs()
			before := cpu()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					ask(b, load, address, "")
				}
			})
			b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
		})
	}
}
