package h1_test

import (
	"bufio"
	"bytes"
	"net"
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
