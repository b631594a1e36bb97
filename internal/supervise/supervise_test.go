package supervise_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tailgate-otel/tailgate/internal/supervise"
)

// The children of these tests are this test binary itself, playing the role that roleEnv names.
const (
	roleEnv   = "SUPERVISE_TEST_ROLE"
	socketEnv = "SUPERVISE_TEST_SOCKET"
	addrEnv   = "SUPERVISE_TEST_ADDR"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		os.Exit(play(role))
	}
	goleak.VerifyTestMain(m)
}

// play is the main function of a child.
func play(role string) int {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	if path := os.Getenv(socketEnv); path != "" {
		// Held open for as long as this process lives: its end is the proof of ours.
		conn, err := net.Dial("unix", path)
		if err != nil {
			fmt.Println(err)
			return 9
		}
		defer func() { _ = conn.Close() }()
		if _, err := fmt.Fprintln(conn, role); err != nil {
			return 9
		}
	}
	switch role {
	case "polite":
		fmt.Println("polite: at work")
		<-stop
		fmt.Println("polite: goodbye")
	case "stubborn":
		fmt.Println("stubborn: at work")
		for range stop { // takes note and stays
		}
	case "parent": // has a child of its own and leaves it behind
		grandchild := exec.Command(os.Args[0])
		grandchild.Env = append(os.Environ(), roleEnv+"=stubborn")
		if err := grandchild.Start(); err != nil {
			fmt.Println(err)
			return 9
		}
		<-stop
	case "dies":
		fmt.Println("opening the store")
		fmt.Fprintln(os.Stderr, "error: directory is locked by another process")
		return 3
	case "dies on request":
		conn, err := net.Listen("tcp", os.Getenv(addrEnv))
		if err != nil {
			return 9
		}
		_ = http.Serve(conn, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/die" {
				fmt.Println("panic: asked to" + strings.Repeat("\n\tsome frame of the stack", 30))
				os.Exit(2)
			}
		}))
	case "finishes":
		fmt.Print("a line without an end")
	case "fails to stop":
		<-stop
		fmt.Println("flush: disk full")
		return 4
	case "supervisor":
		return playSupervisor()
	default:
		return 9
	}
	return 0
}

// playSupervisor supervises a stubborn child until it is killed.
func playSupervisor() int {
	g := supervise.New(supervise.Settings{})
	c := child("stubborn", "stubborn")
	if err := g.Start(context.Background(), c); err != nil {
		fmt.Println(err)
		return 9
	}
	_ = g.Wait(context.Background())
	return 9
}

func child(name, role string, env ...string) supervise.Child {
	return supervise.Child{
		Name: name, Path: os.Args[0], Args: []string{"-test.run=^$"},
		// Under the race detector each process would otherwise wait for a second before it ends.
		Env: append([]string{roleEnv + "=" + role, "GORACE=atexit_sleep_ms=0"}, env...),
	}
}

// talking makes the child ready once it has written its first line, which a "polite" one does with its signal handler
// and its lifeline in place.
func talking(c supervise.Child) supervise.Child {
	talks := make(chan struct{}) // closed with the first line
	var once sync.Once
	c.OnLine = func(string) { once.Do(func() { close(talks) }) }
	c.Ready = func(ctx context.Context) error {
		select {
		case <-talks:
			return nil
		case <-ctx.Done():
			return errors.New("silent so far")
		}
	}
	return c
}

// lifeline listens for children with a socket; Accept returns one's connection and role, which ends with the child.
type lifeline struct {
	t    *testing.T
	l    net.Listener
	path string
}

func newLifeline(t *testing.T) *lifeline {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return &lifeline{t: t, l: l, path: path}
}

func (l *lifeline) env() string { return socketEnv + "=" + l.path }

func (l *lifeline) accept(role string) net.Conn {
	l.t.Helper()
	if err := l.l.(*net.UnixListener).SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		l.t.Fatal(err)
	}
	conn, err := l.l.Accept()
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = conn.Close() })
	hello := make([]byte, len(role)+1)
	if _, err := io.ReadFull(conn, hello); err != nil || string(hello) != role+"\n" {
		l.t.Fatalf("child said %q (%v), want %q", hello, err, role)
	}
	return conn
}

// ended waits until the process at the other end is gone.
func (l *lifeline) ended(conn net.Conn) {
	l.t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		l.t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		l.t.Fatal("the process still runs after 20s")
	}
}

// record is an Output that can be read while it is written to.
type record struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func stopAll(t *testing.T, g *supervise.Group) {
	t.Helper()
	t.Cleanup(func() { _ = g.Stop(context.Background()) })
}
