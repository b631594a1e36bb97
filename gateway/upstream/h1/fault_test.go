package h1_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/upstream/h1"
)

// awaitClose reads until the peer closes.
func awaitClose(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// reset closes a connection with RST.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// readHeader reads a request up to its body.
func readHeader(c net.Conn) *http.Request {
	r, err := http.ReadRequest(bufio.NewReaderSize(c, 16))
	if err != nil {
		return nil
	}
	return r
}

// TestFaults has the ways in which an endpoint fails on a new connection, and what its caller is told.
func TestFaults(t *testing.T) {
	const short = 100 * time.Millisecond
	for _, tc := range []struct {
		name      string
		server    script
		settings  h1.Settings
		ctx       time.Duration // 0: no deadline
		phase     h1.Phase
		timeout   bool
		retryable bool // a GET
		is        error
	}{
		{name: "closes at once", server: func(int, *net.TCPConn) {}, phase: h1.PhaseHeaders, retryable: true},
		{name: "closes after the request", server: func(_ int, c *net.TCPConn) { readHeader(c) }, phase: h1.PhaseHeaders, retryable: true, is: io.EOF},
		{name: "resets after the request", server: func(_ int, c *net.TCPConn) { readHeader(c); reset(c) }, phase: h1.PhaseHeaders, retryable: true, is: syscall.ECONNRESET},
		{name: "hangs, header timeout", server: func(_ int, c *net.TCPConn) { awaitClose(c) }, settings: h1.Settings{HeaderTimeout: short}, phase: h1.PhaseHeaders, timeout: true, is: os.ErrDeadlineExceeded},
		{name: "hangs, deadline", server: func(_ int, c *net.TCPConn) { awaitClose(c) }, ctx: short, phase: h1.PhaseHeaders, timeout: true, is: context.DeadlineExceeded},
		{name: "hangs in the header", server: func(_ int, c *net.TCPConn) { _, _ = io.WriteString(c, head+"X-A"); awaitClose(c) }, settings: h1.Settings{HeaderTimeout: short}, phase: h1.PhaseHeaders, timeout: true},
		{name: "trickles the header", server: trickle(head+"X-A: ", "b"), settings: h1.Settings{HeaderTimeout: short}, phase: h1.PhaseHeaders, timeout: true},
		{name: "hangs in the body", server: func(_ int, c *net.TCPConn) {
			_, _ = io.WriteString(c, head+"Content-Length: 5\r\n\r\nhe")
			awaitClose(c)
		}, ctx: short, phase: h1.PhaseBody, timeout: true, is: context.DeadlineExceeded},
		{name: "trickles the body", server: trickle(head+"\r\n", "b"), ctx: short, phase: h1.PhaseBody, timeout: true},
		{name: "resets in the body", server: func(_ int, c *net.TCPConn) {
			readHeader(c)
			_, _ = io.WriteString(c, head+"Content-Length: 5\r\n\r\nhe")
			time.Sleep(10 * time.Millisecond) // lets the bytes arrive before the reset, which would overtake them
			reset(c)
		}, phase: h1.PhaseBody, is: syscall.ECONNRESET},
		{name: "garbage", server: func(_ int, c *net.TCPConn) { _, _ = io.WriteString(c, "\x15\x03\x01\x00\x02\x02\x46"); awaitClose(c) }, phase: h1.PhaseHeaders},
		{name: "endless header", server: trickle(head, strings.Repeat("X-A: b\r\n", 1000)), phase: h1.PhaseHeaders},
		{name: "endless informational", server: trickle("", strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 1000)), phase: h1.PhaseHeaders},
		{name: "endless trailers", server: trickle(head+"Transfer-Encoding: chunked\r\n\r\n0\r\n", strings.Repeat("X-A: b\r\n", 1000)), phase: h1.PhaseBody},
		{name: "endless chunk extension", server: trickle(head+"Transfer-Encoding: chunked\r\n\r\n5;", strings.Repeat("a", 1000)), phase: h1.PhaseBody},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.settings.Address = serve(t, tc.server)
			c := newClient(t, tc.settings)
			r := newRequest(t, http.MethodGet, tc.settings.Address, nil)
			if tc.ctx > 0 {
				r = withTimeout(t, r, tc.ctx)
			}
			_, err := observe(c, r)
			e := phaseOf(t, err)
			if e.Phase != tc.phase || e.Timeout() != tc.timeout || e.Retryable(http.MethodGet) != tc.retryable || e.Reused {
				t.Errorf("got %v in phase %s, timeout %t, retryable %t, reused %t", e, e.Phase, e.Timeout(), e.Retryable(http.MethodGet), e.Reused)
			}
			if e.Retryable(http.MethodPost) {
				t.Error("a POST that was sent is retryable")
			}
			if tc.is != nil && !errors.Is(err, tc.is) {
				t.Errorf("got %v, want it to be %v", err, tc.is)
			}
			if open := c.Stats().Open; open != 0 {
				t.Errorf("%d connections open after the failure", open)
			}
		})
	}
}

// trickle sends first, then again and again more, until the client closes.
func trickle(first, more string) script {
	return func(_ int, c *net.TCPConn) {
		_, err := io.WriteString(c, first)
		for err == nil {
			time.Sleep(time.Millisecond)
			_, err = io.WriteString(c, more)
		}
	}
}

func TestConnectFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	hang := func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
	for name, s := range map[string]h1.Settings{
		"refused":        {Address: l.Addr().String()},
		"hangs":          {Address: "192.0.2.1:80", Dial: hang, ConnectTimeout: 20 * time.Millisecond},
		"no such socket": {Network: "unix", Address: t.TempDir() + "/none"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, s)
			_, err := observe(c, newRequest(t, http.MethodPost, "a", strings.NewReader("x")))
			e := phaseOf(t, err)
			if e.Phase != h1.PhaseConnect || e.Sent != 0 || e.Timeout() != (name == "hangs") {
				t.Errorf("got %v: phase %s, sent %d, timeout %t", e, e.Phase, e.Sent, e.Timeout())
			}
			if e.Retryable(http.MethodPost) {
				t.Error("retryable, though the body was read and is gone")
			}
			_, err = observe(c, newRequest(t, http.MethodPost, "a", nil))
			if !phaseOf(t, err).Retryable(http.MethodPost) {
				t.Error("not retryable, though nothing was sent")
			}
			if s := c.Stats(); s.Open != 0 || s.DialFailed != 2 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

// TestCancel ends a request in each place in which it can wait, and wants the end within 100 ms: it takes microseconds,
// but the machine may be busy.
func TestCancel(t *testing.T) {
	for name, tc := range map[string]struct {
		server script
		body   io.ReadCloser
		length int64
	}{
		"header":             {server: func(_ int, c *net.TCPConn) { awaitClose(c) }},
		"body":               {server: func(_ int, c *net.TCPConn) { _, _ = io.WriteString(c, head+"\r\nhe"); awaitClose(c) }},
		"small request body": {server: func(_ int, c *net.TCPConn) { awaitClose(c) }, body: newStuck(), length: 5},
		"upload waits":       {server: func(_ int, c *net.TCPConn) { awaitClose(c) }, body: newStuck(), length: -1},
		"upload sends":       {body: io.NopCloser(endless{}), length: -1},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.server == nil { // reads nothing
				tc.server = func(int, *net.TCPConn) { <-t.Context().Done() }
			}
			address := serve(t, tc.server)
			c := newClient(t, h1.Settings{Address: address})
			r := newRequest(t, http.MethodPut, address, nil)
			if tc.body != nil {
				r.Body, r.ContentLength = tc.body, tc.length
			}
			cause := errors.New("the client went away")
			ctx, cancel := context.WithCancelCause(r.Context())
			cancelled := make(chan time.Time, 1)
			time.AfterFunc(50*time.Millisecond, func() { cancelled <- time.Now(); cancel(cause) })
			_, err := observe(c, r.WithContext(ctx))
			if d := time.Since(<-cancelled); d > 100*time.Millisecond {
				t.Errorf("ended %s after the cancellation", d)
			}
			if !errors.Is(err, context.Canceled) || !errors.Is(err, cause) || phaseOf(t, err).Retryable(http.MethodPut) {
				t.Errorf("got %v, want context.Canceled with its cause", err)
			}
			eventually(t, "the connection is closed", func() bool { return c.Stats().Open == 0 })
		})
	}
}

// stuck is a body that does not come; closing it ends the wait.
type stuck struct{ closed chan struct{} }

func newStuck() stuck { return stuck{make(chan struct{})} }

func (s stuck) Read([]byte) (int, error) { <-s.closed; return 0, http.ErrBodyReadAfterClose }
func (s stuck) Close() error             { close(s.closed); return nil }

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// TestEarlyAnswer has endpoints that answer before they have read an upload.
func TestEarlyAnswer(t *testing.T) {
	const answer = "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"
	for name, server := range map[string]script{
		"and keeps reading": func(_ int, c *net.TCPConn) { readHeader(c); _, _ = io.WriteString(c, answer); awaitClose(c) },
		"and stops reading": func(_ int, c *net.TCPConn) {
			readHeader(c)
			_, _ = io.WriteString(c, answer)
			_ = c.CloseWrite()
			time.Sleep(50 * time.Millisecond) // the upload fills the socket's buffers meanwhile
		},
	} {
		t.Run(name, func(t *testing.T) {
			address := serve(t, server)
			c := newClient(t, h1.Settings{Address: address})
			r := newRequest(t, http.MethodPost, address, nil)
			r.Body, r.ContentLength = io.NopCloser(endless{}), -1
			got, err := observe(c, r)
			if err != nil || got.status != "413 Too Large" || got.body != "big" {
				t.Errorf("got %+v, %v", got, err)
			}
			eventually(t, "the upload ends and its connection is closed", func() bool { return c.Stats().Open == 0 })
		})
	}
}

// TestFullDuplex sends each piece of the request only when the answer to the one before has come.
func TestFullDuplex(t *testing.T) {
	address := serve(t, func(_ int, c *net.TCPConn) {
		r := readHeader(c)
		_, _ = io.WriteString(c, head+"Transfer-Encoding: chunked\r\n\r\n")
		buf := make([]byte, 4)
		for {
			if _, err := io.ReadFull(r.Body, buf); err != nil {
				break
			}
			_, _ = io.WriteString(c, "4\r\n"+strings.ToUpper(string(buf))+"\r\n")
		}
		_, _ = io.WriteString(c, "0\r\n\r\n")
		awaitClose(c)
	})
	c := newClient(t, h1.Settings{Address: address})
	in, out := io.Pipe()
	r := newRequest(t, http.MethodPost, address, in)
	res, err := c.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4)
	for _, word := range []string{"this", "goes", "both", "ways"} {
		if _, err := io.WriteString(out, word); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(res.Body, buf); err != nil || string(buf) != strings.ToUpper(word) {
			t.Fatalf("got %q, %v", buf, err)
		}
	}
	_ = out.Close()
	if rest, err := io.ReadAll(res.Body); err != nil || len(rest) > 0 {
		t.Errorf("got %q, %v at the end", rest, err)
	}
	eventually(t, "the connection is idle", func() bool { return c.Stats().Idle == 1 })
}

// TestCloseEndsRead closes a body while another goroutine waits in Read.
func TestCloseEndsRead(t *testing.T) {
	address := serve(t, func(_ int, c *net.TCPConn) { _, _ = io.WriteString(c, head+"\r\nhe"); awaitClose(c) })
	c := newClient(t, h1.Settings{Address: address})
	res, err := c.RoundTrip(newRequest(t, http.MethodGet, address, nil))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := io.ReadAll(res.Body)
		done <- err
	}()
	time.Sleep(10 * time.Millisecond) // either order must end; this makes the reader likely to wait
	_ = res.Body.Close()
	if err := <-done; err == nil {
		t.Error("no error from a body that was closed in the middle")
	}
	if _, err := res.Body.Read(make([]byte, 1)); !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.Errorf("a read after Close answers %v", err)
	}
	if open := c.Stats().Open; open != 0 {
		t.Errorf("%d connections open", open)
	}
}

// TestSlowUploadHoldsNobodyUp has a body as net/http's server has it: its Close waits for a Read, and that for the client.
func TestSlowUploadHoldsNobodyUp(t *testing.T) {
	for name, server := range map[string]script{
		"answered early": func(_ int, c *net.TCPConn) {
			readHeader(c)
			_, _ = io.WriteString(c, head+"Connection: close\r\nContent-Length: 5\r\n\r\nearly")
		},
		"not answered": func(_ int, c *net.TCPConn) { readHeader(c) },
	} {
		t.Run(name, func(t *testing.T) {
			address := serve(t, server)
			c := newClient(t, h1.Settings{Address: address})
			body := &slow{more: make(chan struct{})}
			r := newRequest(t, http.MethodPost, address, nil)
			r.Body, r.ContentLength = body, -1
			got, err := observe(c, r) // returns while the body's Read still waits
			if name == "answered early" && (err != nil || got.body != "early") || name == "not answered" && err == nil {
				t.Errorf("got %+v, %v", got, err)
			}
			close(body.more)
			eventually(t, "the upload is over", func() bool { return c.Stats().Open == 0 && body.closed.Load() })
		})
	}
}

type slow struct {
	mu     sync.Mutex
	more   chan struct{}
	closed atomic.Bool
}

func (s *slow) Read([]byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	<-s.more
	return 0, io.ErrUnexpectedEOF
}

func (s *slow) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed.Store(true)
	return nil
}
