package h1_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/h1"
)

// dial connects and answers a client that can read responses.
func dial(t testing.TB, addr string) *client {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, c)
}

// client speaks HTTP by hand.
type client struct {
	net.Conn
	t       testing.TB
	r       *bufio.Reader
	helpers sync.WaitGroup // goroutines that a test needs beside itself
}

func newClient(t testing.TB, c net.Conn) *client {
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &client{Conn: c, t: t, r: bufio.NewReader(c)}
}

func (c *client) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		c.t.Fatal(err)
	}
}

// expect reads a response and checks its status and body.
func (c *client) expect(status int, body string) *http.Response {
	c.t.Helper()
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatalf("no response: %v", err)
	}
	got, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status || string(got) != body {
		c.t.Fatalf("%s with %q, %v; want %d with %q", res.Status, got, err, status, body)
	}
	return res
}

// expectEnd waits for the server to close the connection.
func (c *client) expectEnd() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.r); len(rest) > 0 || err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
		c.t.Fatalf("want the connection's end, got %q, %v", rest, err)
	}
}

// eventually polls, for what happens in other goroutines and is told to nobody.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after 10s still not %s", what)
		}
	}
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })

func quickly(s *h1.Settings) { s.Linger = time.Millisecond }

func TestSettings(t *testing.T) {
	if _, err := h1.New(h1.Settings{}); err == nil || !strings.Contains(err.Error(), "Handler") {
		t.Errorf("no handler: %v", err)
	}
	if _, err := h1.New(h1.Settings{Handler: hello, MaxHeaders: -1}); err == nil || !strings.Contains(err.Error(), "MaxHeaders: must not be negative, got -1") {
		t.Errorf("negative: %v", err)
	}
}

// TestParking: a connection that goes quiet is parked, and serves again when its client comes back, over TCP, unix sockets
// and TLS, wrapped or not.
func TestParking(t *testing.T) {
	for name, link := range links(t) {
		t.Run(name, func(t *testing.T) {
			srv := ours(t, hello, quickly)
			connect := link(t, srv)
			c := newClient(t, connect())
			for range 5 {
				eventually(t, "parked", func() bool { return srv.Stats() == h1.Stats{Parked: 1} })
				c.send(get("/"))
				c.expect(200, "hello")
			}
			eventually(t, "parked", func() bool { return srv.Stats() == h1.Stats{Parked: 1} })
			for _, b := range []byte(get("/")) { // parked again between most of the bytes' arrivals is not possible, but must not matter
				c.send(string(b))
			}
			c.expect(200, "hello")
			c.send(strings.Repeat(get("/"), 50)) // pipelined: more than one buffer, and under TLS in one record
			for range 50 {
				c.expect(200, "hello")
			}
			eventually(t, "parked", func() bool { return srv.Stats() == h1.Stats{Parked: 1} })
			c.Close()
			eventually(t, "gone", func() bool { return srv.Stats() == h1.Stats{} })
		})
	}
}

// links are the kinds of connection: each serves on a listener and answers how to connect to it.
func links(t *testing.T) map[string]func(*testing.T, *h1.Server) func() net.Conn {
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	serverTLS := &tls.Config{Certificates: certificate.TLS.Certificates, NextProtos: []string{"http/1.1"}}
	certificate.Close()
	open := func(network string, wrap func(net.Listener) net.Listener, secure bool) func(*testing.T, *h1.Server) func() net.Conn {
		return func(t *testing.T, srv *h1.Server) func() net.Conn {
			addr := "127.0.0.1:0"
			if network == "unix" {
				addr = filepath.Join(t.TempDir(), "s")
			}
			l, err := net.Listen(network, addr)
			if err != nil {
				t.Fatal(err)
			}
			var joined sync.WaitGroup
			joined.Go(func() { _ = srv.Serve(wrap(l)) })
			t.Cleanup(func() { _ = srv.Close(); joined.Wait() })
			return func() net.Conn {
				c, err := net.Dial(network, l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				if secure {
					secured := tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
					_ = secured.Handshake() // an error comes again with the first write
					return secured
				}
				return c
			}
		}
	}
	plain := func(l net.Listener) net.Listener { return l }
	return map[string]func(*testing.T, *h1.Server) func() net.Conn{
		"tcp":              open("tcp", plain, false),
		"unix":             open("unix", plain, false),
		"wrapped":          open("tcp", func(l net.Listener) net.Listener { return wrapping{l} }, false),
		"tls":              open("tcp", func(l net.Listener) net.Listener { return tls.NewListener(l, serverTLS) }, true),
		"tls over wrapped": open("tcp", func(l net.Listener) net.Listener { return tls.NewListener(wrapping{l}, serverTLS) }, true),
	}
}

// wrapping wraps connections as a front does to count them.
type wrapping struct{ net.Listener }

type wrapped struct{ net.Conn }

func (l wrapping) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return wrapped{c}, nil
}

func (w wrapped) NetConn() net.Conn { return w.Conn }

// TestBigOverAllLinks: a body both ways that is larger than all buffers.
func TestBigOverAllLinks(t *testing.T) {
	for name, link := range links(t) {
		t.Run(name, func(t *testing.T) {
			srv := ours(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = http.NewResponseController(w).EnableFullDuplex()
				_, _ = io.Copy(w, r.Body)
			}), quickly)
			connect := link(t, srv)
			hc := &http.Client{Transport: &http.Transport{DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return connect(), nil }, DialContext: func(context.Context, string, string) (net.Conn, error) { return connect(), nil }}}
			defer hc.CloseIdleConnections()
			for _, body := range []io.Reader{strings.NewReader(strings.Repeat(big, 8)), io.MultiReader(strings.NewReader(strings.Repeat(big, 8)))} {
				res, err := hc.Post("http://a/", "a/b", body)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || string(got) != strings.Repeat(big, 8) {
					t.Fatalf("%d bytes came back, %v", len(got), err)
				}
			}
		})
	}
}

// TestFullLot: connections beyond the bound keep their goroutine and serve as well.
func TestFullLot(t *testing.T) {
	srv := ours(t, hello, func(s *h1.Settings) { s.Linger, s.MaxParked = time.Millisecond, 1 })
	addr := listening(t, srv)
	a, b := dial(t, addr), dial(t, addr)
	for range 3 {
		eventually(t, "one parked, one waiting", func() bool { return srv.Stats() == h1.Stats{Parked: 1, Idle: 1} })
		a.send(get("/"))
		b.send(get("/"))
		a.expect(200, "hello")
		b.expect(200, "hello")
	}
}

// TestIdleTimeout ends parked connections, and those that wait on a goroutine.
func TestIdleTimeout(t *testing.T) {
	for _, parked := range []int{0, 1} { // 0 is no bound
		srv := ours(t, hello, func(s *h1.Settings) {
			s.Linger, s.IdleTimeout, s.MaxParked = time.Millisecond, 50*time.Millisecond, parked
		})
		addr := listening(t, srv)
		for range 2 {
			c := dial(t, addr)
			c.send(get("/"))
			c.expect(200, "hello")
			defer c.expectEnd()
		}
	}
}

// TestShutdown: idle and parked connections end at once, a request in flight ends well and says that it was the last.
func TestShutdown(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	srv := ours(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(started)
			<-release
		}
		_, _ = io.WriteString(w, "hello")
	}), quickly)
	addr := listening(t, srv)
	quiet, busy, untouched := dial(t, addr), dial(t, addr), dial(t, addr)
	quiet.send(get("/"))
	quiet.expect(200, "hello")
	busy.send(get("/slow"))
	<-started
	eventually(t, "two parked", func() bool { return srv.Stats() == h1.Stats{Active: 1, Parked: 2} })
	ended := make(chan error, 1)
	go func() { ended <- srv.Shutdown(t.Context()) }()
	quiet.expectEnd()
	untouched.expectEnd()
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := srv.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a request in flight: %v", err)
	}
	close(release)
	if res := busy.expect(200, "hello"); !res.Close {
		t.Error("the last response does not say so")
	}
	busy.expectEnd()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := srv.Serve(newFeed()); !errors.Is(err, h1.ErrServerClosed) {
		t.Errorf("serve after shutdown: %v", err)
	}
}

// TestClose cancels what is in flight.
func TestClose(t *testing.T) {
	started, causes := make(chan struct{}), make(chan error, 1)
	srv := ours(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(started)
		<-r.Context().Done()
		causes <- context.Cause(r.Context())
	}), nil)
	c := dial(t, listening(t, srv))
	c.send(get("/"))
	<-started
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	if cause := <-causes; !errors.Is(cause, h1.ErrServerClosed) && !errors.Is(cause, context.Canceled) {
		t.Errorf("cause %v", cause)
	}
	c.expectEnd()
}

type key struct{}

// TestBaseContext: its values are every request's, and its end is the end of those in flight, with its cause.
func TestBaseContext(t *testing.T) {
	errCut := errors.New("cut")
	base, cut := context.WithCancelCause(context.WithValue(context.Background(), key{}, "value"))
	started, causes := make(chan struct{}, 2), make(chan error, 2)
	srv := ours(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Context().Value(key{}) != "value" || r.Context().Value(http.LocalAddrContextKey) == nil {
			t.Error("a value is missing")
		}
		started <- struct{}{}
		<-r.Context().Done()
		causes <- context.Cause(r.Context())
	}), func(s *h1.Settings) { s.BaseContext = base })
	addr := listening(t, srv)
	c := dial(t, addr)
	c.send(get("/"))
	<-started
	cut(errCut)
	if err := <-causes; !errors.Is(err, errCut) {
		t.Errorf("cause %v", err)
	}
	late := dial(t, addr)
	late.send(get("/"))
	if err := <-causes; !errors.Is(err, errCut) {
		t.Errorf("cause of a later request %v", err)
	}
}

// TestClientGone: the request's context ends when the client leaves, also when it left unread input behind, over links
// with and without a descriptor; and not before.
func TestClientGone(t *testing.T) {
	for name, link := range links(t) {
		for _, input := range []string{get("/"), post("/read", "hello"), get("/") + get("/next")} {
			t.Run(name, func(t *testing.T) {
				started, causes := make(chan struct{}), make(chan error, 1)
				var once sync.Once
				srv := ours(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					once.Do(func() {
						close(started)
						select {
						case <-r.Context().Done():
							causes <- r.Context().Err()
						case <-time.After(10 * time.Second):
							causes <- nil
						}
					})
				}), nil)
				c := newClient(t, link(t, srv)())
				c.send(input)
				<-started
				select {
				case err := <-causes:
					t.Fatalf("cancelled with %v while the client was there", err)
				case <-time.After(120 * time.Millisecond): // twice as long as it takes until someone looks
				}
				c.Close()
				if err := <-causes; !errors.Is(err, context.Canceled) {
					t.Errorf("context ended with %v", err)
				}
			})
		}
	}
}

// TestClientGoneWithin: a client that leaves within its body or while it is answered ends the request's context at once.
func TestClientGoneWithin(t *testing.T) {
	causes := make(chan error, 1)
	srv := ours(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			if _, err := io.Copy(io.Discard, r.Body); err == nil {
				t.Error("half a body was read without an error")
			}
		}
		for err := error(nil); r.Method == http.MethodGet && err == nil; {
			_, err = io.WriteString(w, big)
		}
		causes <- r.Context().Err()
	}), nil)
	addr := listening(t, srv)
	for _, input := range []string{request("POST", "/", "ab", "Content-Length: 3"), get("/")} {
		c := dial(t, addr)
		c.send(input)
		if input == get("/") {
			if _, err := c.r.Peek(1); err != nil {
				t.Fatal(err)
			}
		}
		c.Close()
		if err := <-causes; !errors.Is(err, context.Canceled) {
			t.Errorf("%q: context ended with %v", input, err)
		}
	}
}

// TestSlowRequestThenNext: looking after the client takes nothing from the next request, pipelined or not.
func TestSlowRequestThenNext(t *testing.T) {
	srv := ours(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			time.Sleep(120 * time.Millisecond)
		}
		_, _ = io.WriteString(w, r.URL.Path)
	}), quickly)
	c := dial(t, listening(t, srv))
	for range 3 {
		c.send(get("/slow"))
		c.expect(200, "/slow")
		c.send(get("/slow") + get("/a"))
		c.expect(200, "/slow")
		c.expect(200, "/a")
	}
}

// TestUpgrade: the handler gets the connection with what was read too far, and the server forgets it.
func TestUpgrade(t *testing.T) {
	done := make(chan struct{})
	srv := ours(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := io.WriteString(w, "x"); !errors.Is(err, http.ErrHijacked) {
			t.Errorf("write after hijacking: %v", err)
		}
		go func() {
			defer close(done)
			defer c.Close()
			_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\n\r\n")
			_ = rw.Flush()
			if rw.Reader.Buffered() != 3 {
				t.Errorf("%d bytes are buffered", rw.Reader.Buffered())
			}
			for {
				line, err := rw.ReadString('\n')
				if err != nil {
					return
				}
				_, _ = io.WriteString(c, strings.ToUpper(line))
			}
		}()
	}), nil)
	c := dial(t, listening(t, srv))
	c.send(get("/", "Connection: Upgrade", "Upgrade: x") + "ab\n")
	c.expect(101, "")
	for _, want := range []string{"AB\n", "CD\n"} {
		if got, err := c.r.ReadString('\n'); got != want {
			t.Fatalf("%q, %v", got, err)
		}
		c.send("cd\n")
	}
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	c.Close()
	<-done
}

// TestHTTP2 is handed over, by ALPN and by prior knowledge, and works there.
func TestHTTP2(t *testing.T) {
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	second := &http.Server{Handler: hello, Protocols: &protocols}
	f := newFeed()
	var joined sync.WaitGroup
	joined.Go(func() { _ = second.Serve(f) })
	defer joined.Wait()
	defer second.Close()
	for _, name := range []string{"tcp", "tls"} {
		t.Run(name, func(t *testing.T) {
			srv := ours(t, hello, func(s *h1.Settings) { s.HTTP2 = func(c net.Conn) { f.conns <- c } })
			var addr string
			certificate := httptest.NewUnstartedServer(nil)
			certificate.StartTLS()
			config := &tls.Config{Certificates: certificate.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}}
			certificate.Close()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			addr = l.Addr().String()
			scheme := "http"
			if name == "tls" {
				scheme, l = "https", tls.NewListener(l, config)
			}
			var serving sync.WaitGroup
			serving.Go(func() { _ = srv.Serve(l) })
			defer serving.Wait()
			defer srv.Close()
			tr := &http.Transport{Protocols: &protocols, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
			defer tr.CloseIdleConnections()
			res, err := (&http.Client{Transport: tr}).Get(scheme + "://" + addr)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.ProtoMajor != 2 || string(body) != "hello" {
				t.Errorf("%s %q", res.Proto, body)
			}
		})
	}
}

// TestPlainHTTPToTLS is a mistake that deserves an answer.
func TestPlainHTTPToTLS(t *testing.T) {
	srv := ours(t, hello, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var joined sync.WaitGroup
	joined.Go(func() { _ = srv.Serve(tls.NewListener(l, &tls.Config{Certificates: make([]tls.Certificate, 1)})) })
	defer joined.Wait()
	defer srv.Close()
	c := dial(t, l.Addr().String())
	c.send(get("/"))
	res, err := http.ReadResponse(c.r, nil)
	if err != nil || res.StatusCode != 400 {
		t.Fatalf("%v, %v", res, err)
	}
	if text, _ := io.ReadAll(res.Body); !bytes.Contains(text, []byte("https://")) {
		t.Errorf("answered %q", text)
	}
}

// TestFile: files of a declared length go out whole, and no more than declared.
func TestFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f.txt")
	if err := os.WriteFile(name, []byte(big), 0o600); err != nil {
		t.Fatal(err)
	}
	srv := ours(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/served" {
			http.ServeFile(w, r, name)
			return
		}
		f, err := os.Open(name)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		w.Header().Set("Content-Type", "a/b")
		w.Header().Set("Content-Length", "1000")
		if n, err := io.Copy(w, f); !errors.Is(err, http.ErrContentLength) || n != 1000 {
			t.Errorf("copied %d of 1000, %v", n, err)
		}
	}), nil)
	c := dial(t, listening(t, srv))
	c.send(get("/served") + get("/served", "Range: bytes=5-100004") + get("/more"))
	c.expect(200, big)
	c.expect(206, big[5:100005])
	c.expect(200, big[:1000])
}

// TestPanics: a panic costs its connection, is logged unless it was meant, and nothing else happens.
func TestPanics(t *testing.T) {
	var log syncBuffer
	srv := ours(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/panic":
			panic("on purpose")
		case "/abort":
			panic(http.ErrAbortHandler)
		case "/exit":
			select {
			case <-r.Context().Done():
			default:
			}
			exit()
		}
	}), func(s *h1.Settings) { s.ErrorLog = log.logger() })
	addr := listening(t, srv)
	for _, path := range []string{"/abort", "/exit", "/panic"} {
		c := dial(t, addr)
		c.send(get(path))
		c.expectEnd()
	}
	eventually(t, "empty", func() bool { return srv.Stats() == h1.Stats{} })
	if text := log.String(); strings.Count(text, "panic serving") != 1 || !strings.Contains(text, "on purpose") {
		t.Errorf("logged %q", text)
	}
}

// TestBodyReadElsewhere: a goroutine that the handler left behind in a body read, as transports do, ends with its request.
func TestBodyReadElsewhere(t *testing.T) {
	errs := make(chan error, 1)
	srv := ours(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		reading := make(chan struct{})
		go func() {
			close(reading)
			_, err := io.Copy(io.Discard, r.Body)
			errs <- err
		}()
		<-reading
		_, _ = io.WriteString(w, "early")
	}), nil)
	c := dial(t, listening(t, srv))
	c.send(request("POST", "/", "hel", "Content-Length: 5"))
	c.expect(200, "early")
	if err := <-errs; err == nil {
		t.Error("half a body was read without an error")
	}
	c.expectEnd()
}

// TestRefusedHook is told of what handlers do not see.
func TestRefusedHook(t *testing.T) {
	var refused atomic.Int64
	srv := ours(t, hello, func(s *h1.Settings) {
		s.Refused = func(status int, reason string) {
			if status == 400 && reason == "conflicting message lengths" {
				refused.Add(1)
			}
		}
	})
	c := dial(t, listening(t, srv))
	c.send(corpus["smuggled by length"])
	c.expect(400, "400 Bad Request: conflicting message lengths\n")
	c.expectEnd()
	if refused.Load() != 1 {
		t.Errorf("told %d times", refused.Load())
	}
}

// TestLateBadLength: an invalid or contradicting length that a handler declares does not reach the client.
func TestLateBadLength(t *testing.T) {
	srv := ours(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/both" {
			w.Header().Set("Transfer-Encoding", "chunked")
			w.Header().Set("Content-Length", "5")
		} else {
			w.Header().Set("Content-Length", "-5")
		}
		_, _ = io.WriteString(w, "hello")
	}), nil)
	c := dial(t, listening(t, srv))
	c.send(get("/both") + get("/bad") + "GET /both HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
	if res := c.expect(200, "hello"); len(res.TransferEncoding) != 1 || res.Header.Get("Content-Length") != "" {
		t.Errorf("both: %v", res)
	}
	if res := c.expect(200, "hello"); res.ContentLength != 5 {
		t.Errorf("bad: %v", res)
	}
	c.expect(200, "hello") // up to the connection's end
	c.expectEnd()
}

// TestManyClients: net/http's client, many connections, all kinds of bodies, connections that come and go, and no request
// fails and nothing is left.
func TestManyClients(t *testing.T) {
	srv := ours(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read: %v", err)
		}
		w.Header().Set("X-Length", fmt.Sprint(len(body)))
		_, _ = w.Write(body)
	}), func(s *h1.Settings) { s.Linger = 500 * time.Microsecond })
	addr := listening(t, srv)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			tr := &http.Transport{}
			defer tr.CloseIdleConnections()
			hc := &http.Client{Transport: tr}
			for j := range 60 {
				text := big[:(i*7919+j*104729)%len(big)]
				var body io.Reader = strings.NewReader(text)
				if j%2 == 0 {
					body = io.MultiReader(body) // hides the length
				}
				res, err := hc.Post("http://"+addr, "a/b", body)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || string(got) != text {
					t.Errorf("%d of %d bytes came back, %v", len(got), len(text), err)
				}
				if j%7 == 0 {
					time.Sleep(time.Millisecond) // long enough to be parked, sometimes
				}
				if j%11 == 0 {
					tr.CloseIdleConnections()
				}
			}
		})
	}
	all.Wait()
	eventually(t, "empty", func() bool { return srv.Stats() == h1.Stats{} })
}
