package h1

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

const typicalHead = "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Tue, 24 Nov 2026 12:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 2\r\n" +
	"Connection: keep-alive\r\nCache-Control: no-store\r\nETag: \"abc\"\r\nX-Request-Id: 0af7651916cd43dd8448eb211c80319c\r\n\r\n"

// BenchmarkParse compares the reading of a header alone.
func BenchmarkParse(b *testing.B) {
	b.Run("parser=own", func(b *testing.B) {
		text := []byte(typicalHead)
		b.ReportAllocs()
		for b.Loop() {
			var r http.Response
			end := headEnd(text, 0)
			if err := parseHead(string(text[:end]), &r, defaultMaxHeaders); err != nil {
				b.Fatal(err)
			}
			if n, err := frame(&r, http.MethodGet); n != 2 || err != nil {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("parser=nethttp", func(b *testing.B) {
		text := strings.NewReader("")
		in := bufio.NewReader(text)
		b.ReportAllocs()
		for b.Loop() {
			text.Reset(typicalHead)
			in.Reset(text)
			if _, err := http.ReadResponse(in, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkStale is the look at an idle connection before it is used.
func BenchmarkStale(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	raw, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	c := newConn(raw, raw)
	b.ReportAllocs()
	for b.Loop() {
		if c.stale() {
			b.Fatal("stale")
		}
	}
}

// BenchmarkExchange is all that a request without a body costs but I/O, with and without a context that can end.
func BenchmarkExchange(b *testing.B) {
	b.Run("cancel=never", func(b *testing.B) { benchmarkExchange(b, context.Background()) })
	b.Run("cancel=possible", func(b *testing.B) { benchmarkExchange(b, b.Context()) })
}

func benchmarkExchange(b *testing.B, ctx context.Context) {
	client, err := New(Settings{Address: "a:1", Dial: dialLooped([]byte(typicalHead + "ok"))})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://a:1/some/path?q=1", nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		res, err := client.RoundTrip(r)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, res.Body); n != 2 || err != nil {
			b.Fatal(n, err)
		}
	}
}

// TestAllocations holds the cost of a request without a body to what its response consists of: the exchange, the header's
// text, its map (2) and values, and what context.AfterFunc needs (4).
func TestAllocations(t *testing.T) {
	c, err := New(Settings{Address: "a:1", Dial: dialLooped([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://a:1/", nil)
	if err != nil {
		t.Fatal(err)
	}
	scrap := make([]byte, 64)
	var call Call
	got := testing.AllocsPerRun(1000, func() {
		res, err := c.Do(r, &call)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := res.Body.Read(scrap); n != 2 || !errors.Is(err, io.EOF) {
			t.Fatal(n, err)
		}
	})
	if got > 9 {
		t.Errorf("%v allocations per request, want at most 9", got)
	}
}

// looped is a connection on which the same text comes again and again, once per read.
type looped struct {
	net.Conn // nil: closing is all else that is asked of it
	text     []byte
}

func dialLooped(text []byte) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) { return &looped{text: text}, nil }
}

func (l *looped) Read(p []byte) (int, error)  { return copy(p, l.text), nil }
func (l *looped) Write(p []byte) (int, error) { return len(p), nil }
func (l *looped) Close() error                { return nil }
