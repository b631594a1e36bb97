package h1_test

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// requestBytes is what a client typically sends to a gateway.
var requestBytes = []byte("GET /api/v1/items?limit=20 HTTP/1.1\r\nHost: gateway.example:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n" +
	"Accept-Encoding: gzip, deflate\r\nX-Request-Id: 0123456789abcdef\r\nTraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n")

var trivial = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	w.Header()["Content-Type"] = contentType
	_, _ = w.Write(answerBody)
})

var (
	contentType = []string{"text/plain"}
	answerBody  = make([]byte, 1024)
)

// BenchmarkKeepAlive measures one request on a connection that is kept, over loopback; the client, which shares the
// processors, writes prepared bytes and reads without looking.
func BenchmarkKeepAlive(b *testing.B) {
	for _, tc := range []struct {
		name  string
		serve func(testing.TB, http.Handler) func(net.Conn)
	}{
		{"server=h1", func(t testing.TB, h http.Handler) func(net.Conn) { return ours(t, h, nil).ServeConn }},
		{"server=nethttp", reference},
	} {
		b.Run(tc.name, func(b *testing.B) {
			serve := tc.serve(b, trivial)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			client, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer client.Close()
			server, err := l.Accept()
			if err != nil {
				b.Fatal(err)
			}
			serve(server)
			buf := make([]byte, 4096)
			size := roundTrip(b, client, buf, 0)
			b.ReportAllocs()
			start := processorTime(b)
			for b.Loop() {
				roundTrip(b, client, buf, size)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
			b.ReportMetric(float64((processorTime(b)-start).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}

// processorTime is what this process has used, in user and system mode: a busy machine makes requests slow, but hardly dear.
func processorTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPipelined measures a request's share of user time alone: 16 requests arrive with one read, on a connection
// without system calls.
func BenchmarkPipelined(b *testing.B) {
	for _, tc := range []struct {
		name  string
		serve func(testing.TB, http.Handler) func(net.Conn)
	}{
		{"server=h1", func(t testing.TB, h http.Handler) func(net.Conn) { return ours(t, h, nil).ServeConn }},
		{"server=nethttp", reference},
	} {
		b.Run(tc.name, func(b *testing.B) {
			serve := tc.serve(b, trivial)
			s := &stream{left: b.N, done: make(chan struct{})}
			b.ReportAllocs()
			b.ResetTimer()
			serve(s)
			<-s.done
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}

// stream is a connection that delivers requests until there were enough, and drops the answers.
type stream struct {
	script
	left int
	done chan struct{}
}

func (s *stream) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, io.EOF
	}
	n := 0
	for s.left > 0 && n+len(requestBytes) <= len(p) {
		n += copy(p[n:], requestBytes)
		s.left--
	}
	if n == 0 { // net/http reads ahead by one byte
		p[0] = requestBytes[0]
		return 1, nil
	}
	return n, nil
}

func (s *stream) Write(p []byte) (int, error) { return len(p), nil }
func (s *stream) Close() error                { close(s.done); return nil }

// roundTrip sends the request and reads size bytes, or what comes at first.
func roundTrip(b *testing.B, c net.Conn, buf []byte, size int) int {
	if _, err := c.Write(requestBytes); err != nil {
		b.Fatal(err)
	}
	n, err := io.ReadAtLeast(c, buf, max(size, 1))
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// TestAllocations holds a request to 12 allocations: text, header and values of its head, URL, request, context (3), response
// and its header (2), and one to spare. net/http makes 22.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const n = 20_000
	each := testing.AllocsPerRun(2, func() {
		s := &stream{left: n, done: make(chan struct{})}
		ours(t, trivial, nil).ServeConn(s)
		<-s.done
	}) / n
	if each > 12 {
		t.Errorf("%.1f allocations for each request", each)
	}
}
