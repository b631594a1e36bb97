package h1_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkClientCPU measures the CPU of the whole process per request, with a server that does next to nothing: it looks
// for the empty line and writes the same bytes. What the two clients differ in is theirs alone. Elapsed time says less: a
// hand-over between goroutines that wait for the network anyhow costs CPU, not time.
func BenchmarkClientCPU(b *testing.B) {
	for _, name := range []string{"h1", "nethttp"} {
		b.Run("client="+name, func(b *testing.B) {
			answer := []byte(head + "Content-Length: 1024\r\nContent-Type: text/plain\r\nServer: bench\r\nDate: Tue, 24 Nov 2026 12:00:00 GMT\r\n\r\n" + strings.Repeat("a", 1<<10))
			address := serve(b, func(_ int, c *net.TCPConn) { answerBlindly(c, answer) })
			rt := roundTripper(b, name, address, 64)
			ask(b, rt, address, "")
			b.SetParallelism(64 / runtime.GOMAXPROCS(0))
			b.ReportAllocs()
			before := cpu()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					ask(b, rt, address, "")
				}
			})
			b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(runtime.NumGoroutine()), "goroutines")
		})
	}
}

func answerBlindly(c net.Conn, answer []byte) {
	in := bufio.NewReader(c)
	for {
		for {
			line, err := in.ReadSlice('\n')
			if err != nil {
				return
			}
			if len(bytes.TrimSpace(line)) == 0 {
				break
			}
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

// cpu is the user and system time of the process.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkParse compares the reading of a typical header with http.ReadResponse, without any I/O.
func BenchmarkParse(b *testing.B) {
	text := []byte(head + "Server: nginx\r\nDate: Tue, 24 Nov 2026 12:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 2\r\n" +
		"Connection: keep-alive\r\nCache-Control: no-store\r\nETag: \"abc\"\r\nX-Request-Id: 0af7651916cd43dd8448eb211c80319c\r\n\r\nok")
	r := newRequest(b, http.MethodGet, "a:1", nil)
	b.Run("client=h1", func(b *testing.B) {
		c := newClient(b, settingsFor(text))
		scrap := make([]byte, 64)
		b.ReportAllocs()
		for b.Loop() {
			res, err := c.RoundTrip(r)
			if err != nil {
				b.Fatal(err)
			}
			if n, err := res.Body.Read(scrap); n != 2 || err == nil {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("client=readresponse", func(b *testing.B) {
		in := bufio.NewReader(&looped{text: text})
		b.ReportAllocs()
		for b.Loop() {
			res, err := http.ReadResponse(in, r)
			if err != nil {
				b.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, res.Body); n != 2 || err != nil {
				b.Fatal(n, err)
			}
		}
	})
}
