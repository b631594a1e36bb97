package h1_test

import (
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tailgate-otel/tailgate/gateway/h1"
)

// TestParkedMemory parks as many connections as descriptors allow, up to 10,000, after a request each, and holds the
// server to its price for one: 1.5 KiB of heap and stacks. net/http's server takes 19 KiB.
func TestParkedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("opens 10,000 connections")
	}
	srv := ours(t, hello, quickly)
	addr := listening(t, srv)
	n := min(10_000, (descriptorsLeft(t)-200)/2)
	rawClients(t, addr, n)
	eventually(t, "parked", func() bool { return srv.Stats().Parked == n })
	if g := runtime.NumGoroutine(); g > 100 {
		t.Errorf("%d goroutines for %d parked connections", g, n)
	}
	each := freedByShutdown(t, srv) / float64(n)
	t.Logf("%.0f bytes of heap and stack for each of %d parked connections", each, n)
	if !raceEnabled && (each > 1536 || each < 200) { // less would mean that something else was measured
		t.Errorf("a parked connection costs %.0f bytes, want at most 1536", each)
	}
}

// TestParkedTLSMemory is the same over TLS: at most 9 KiB, nearly all of it crypto/tls' own. net/http's takes 28.7 KiB.
func TestParkedTLSMemory(t *testing.T) {
	srv := ours(t, hello, quickly)
	connect := links(t)["tls"](t, srv)
	const n = 300
	for range n {
		c := newClient(t, connect())
		c.send(get("/"))
		c.expect(200, "hello")
	}
	eventually(t, "parked", func() bool { return srv.Stats().Parked == n })
	each := freedByShutdown(t, srv) / n
	t.Logf("%.0f bytes of heap and stack for each parked TLS connection", each)
	if each > 9<<10 && !raceEnabled {
		t.Errorf("a parked TLS connection costs %.0f bytes, want at most 9 KiB", each)
	}
}

// freedByShutdown is what the server's connections cost: their clients live on in the same process.
func freedByShutdown(t *testing.T, srv *h1.Server) float64 {
	t.Helper()
	parked := inUse()
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	return float64(parked - inUse())
}

// inUse is the memory in use once garbage and pools are gone.
func inUse() int64 {
	var m runtime.MemStats
	for range 3 { // pools give up their second half with the second collection
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// rawClients opens connections that cost no Go memory, has a request answered on each, and leaves them open.
func rawClients(t *testing.T, addr string, n int) []int {
	t.Helper()
	to, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	target := &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}
	all := make([]int, n)
	t.Cleanup(func() {
		for _, fd := range all {
			_ = unix.Close(fd)
		}
	})
	input, buf := []byte(get("/")), make([]byte, 1024)
	for i := range all {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = fd
		if err := unix.Connect(fd, target); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Write(fd, input); err != nil {
			t.Fatal(err)
		}
		if m, err := unix.Read(fd, buf); err != nil || !strings.HasSuffix(string(buf[:m]), "hello") {
			t.Fatalf("%q, %v", buf[:max(m, 0)], err)
		}
	}
	return all
}

func descriptorsLeft(t *testing.T) int {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	return int(min(limit.Cur, 1<<20)) - descriptors(t)
}

func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

// TestNoDescriptorLeaks: whatever way a connection ends, its descriptor is closed.
func TestNoDescriptorLeaks(t *testing.T) {
	srv := ours(t, hello, func(s *h1.Settings) { s.Linger, s.IdleTimeout = time.Millisecond, 20*time.Millisecond })
	addr := listening(t, srv)
	round := func() {
		for _, input := range []string{"", get("/"), get("/", "Connection: close"), "GET", "garbage\r\n\r\n", post("/", "abc"), chunked("/", "zz\r\n")} {
			c := dial(t, addr)
			c.send(input)
			if input == "" || input == "GET" {
				c.Close()
				continue
			}
			_, _ = c.r.ReadString('\n')
			if input == get("/") {
				eventually(t, "timed out or parked", func() bool { return srv.Stats().Active == 0 })
			}
			c.Close()
		}
		eventually(t, "empty", func() bool { return srv.Stats() == h1.Stats{} })
	}
	c := dial(t, addr)
	eventually(t, "parked, which opens the lot", func() bool { return srv.Stats().Parked == 1 })
	c.Close()
	round()
	before := descriptors(t)
	for range 20 {
		round()
	}
	eventually(t, "free of leaked descriptors", func() bool { return descriptors(t) <= before })
}
