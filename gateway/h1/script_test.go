package h1_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/h1"
)

// script is a connection whose client has sent everything in advance, in pieces of given sizes, and then closed its side.
// Each Read gets at most one piece.
type script struct {
	mu     sync.Mutex
	pieces [][]byte
	out    bytes.Buffer
	closed chan struct{}
	once   sync.Once
}

func newScript(input []byte, sizes []byte) *script {
	s := &script{closed: make(chan struct{})}
	for i := 0; len(input) > 0; i++ {
		n := len(input)
		if len(sizes) > 0 {
			n = min(n, 1+int(sizes[i%len(sizes)]))
		}
		s.pieces = append(s.pieces, input[:n])
		input = input[n:]
	}
	return s
}

func (s *script) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closed:
		return 0, net.ErrClosed
	default:
	}
	if len(s.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.pieces[0])
	if s.pieces[0] = s.pieces[0][n:]; len(s.pieces[0]) == 0 {
		s.pieces = s.pieces[1:]
	}
	return n, nil
}

func (s *script) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closed:
		return 0, net.ErrClosed
	default:
		return s.out.Write(p)
	}
}

func (s *script) Close() error { s.once.Do(func() { close(s.closed) }); return nil }

// CloseWrite is how both servers say that the response is complete and what the client still sends will be thrown away.
func (s *script) CloseWrite() error { return s.Close() }

func (s *script) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
func (s *script) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

func (s *script) wait(t testing.TB) []byte {
	select {
	case <-s.closed:
	case <-time.After(10 * time.Second):
		t.Fatal("the connection was not closed within 10s")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.out.Bytes())
}

// feed is a listener for connections made elsewhere.
type feed struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newFeed() *feed { return &feed{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (f *feed) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

func (f *feed) Close() error   { f.once.Do(func() { close(f.closed) }); return nil }
func (f *feed) Addr() net.Addr { return &net.TCPAddr{} }

// reference is net/http's server behind a function that takes connections.
func reference(t testing.TB, h http.Handler) func(net.Conn) {
	f := newFeed()
	srv := &http.Server{Handler: h, DisableGeneralOptionsHandler: true, ErrorLog: quietLog}
	var joined sync.WaitGroup
	joined.Go(func() { _ = srv.Serve(f) })
	t.Cleanup(func() { _ = srv.Close(); joined.Wait() })
	return func(c net.Conn) { f.conns <- c }
}

// ours is the server under test.
func ours(t testing.TB, h http.Handler, change func(*h1.Settings)) *h1.Server {
	t.Helper()
	s := h1.Settings{Handler: h, ErrorLog: quietLog}
	if change != nil {
		change(&s)
	}
	srv, err := h1.New(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return srv
}

// listening serves on loopback and answers the address.
func listening(t testing.TB, srv *h1.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var joined sync.WaitGroup
	joined.Go(func() {
		if err := srv.Serve(l); !errors.Is(err, h1.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(func() { _ = srv.Close(); joined.Wait() })
	return l.Addr().String()
}
