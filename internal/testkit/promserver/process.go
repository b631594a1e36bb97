package promserver

import (
	"bytes"
	"context"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/internal/supervise"
)

// Process is one child process of a test.
type Process struct {
	group *supervise.Group
	name  string
	log   *tail
}

// Run starts the child, waits until it is ready and stops it when the test is over.
func Run(t testing.TB, child supervise.Child) *Process {
	t.Helper()
	p := &Process{name: child.Name, log: &tail{}}
	p.group = supervise.New(supervise.Settings{Output: p.log})
	t.Cleanup(func() {
		if err := p.group.Stop(context.Background()); err != nil {
			t.Errorf("stop %s: %v", p.name, err)
		}
		if t.Failed() {
			t.Logf("end of what %s wrote:\n%s", p.name, p.log.String())
		}
	})
	if err := p.group.Start(t.Context(), child); err != nil {
		t.Fatalf("start %s: %v", p.name, err)
	}
	return p
}

// Stop asks the process to end and waits until it has.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	if err := p.group.Stop(context.Background()); err != nil {
		t.Fatalf("stop %s: %v", p.name, err)
	}
}

// Kill ends the process as a crash does, with nothing flushed, and waits until it is gone.
func (p *Process) Kill(t testing.TB) {
	t.Helper()
	if err := syscall.Kill(p.group.PID(p.name), syscall.SIGKILL); err != nil {
		t.Fatalf("kill %s: %v", p.name, err)
	}
	<-p.group.Exited()
}

// FreePort finds a port of 127.0.0.1 that nobody listens on.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // nothing was sent on it
	return l.Addr().(*net.TCPAddr).Port
}

// tailBytes is how much of a process's output a failed test shows: some 80 lines.
const tailBytes = 12_000

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex // guards text
	text []byte
}

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, p...)
	if len(w.text) > 2*tailBytes {
		w.text = bytes.Clone(w.text[len(w.text)-tailBytes:])
	}
	return len(p), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.text[max(0, len(w.text)-tailBytes):])
}

// pollInterval is the pause between two looks: short beside what is waited for, long beside a query.
const pollInterval = 50 * time.Millisecond

// Eventually polls until check returns nil, and fails with its last error when that takes longer than within.
func Eventually(t testing.TB, within time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(within)
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %v", within, err)
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal(err)
		}
	}
}
