package h1_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/upstream/h1"
)

// TestExpectContinue has what may follow a body that is held back.
func TestExpectContinue(t *testing.T) {
	for name, tc := range map[string]struct {
		before string // what the server sends after the header
		reads  bool   // whether it reads the body then
		status string
		reuse  bool
	}{
		"continue":   {"HTTP/1.1 100 Continue\r\n\r\n", true, "200 OK", true},
		"silence":    {"", true, "200 OK", true},
		"other 1xx":  {"HTTP/1.1 103 Early Hints\r\n\r\n", true, "200 OK", true},
		"final":      {"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n", false, "417 Expectation Failed", false},
		"both, late": {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n", true, "200 OK", true},
	} {
		t.Run(name, func(t *testing.T) {
			got := make(chan string, 1)
			address := serve(t, func(_ int, c *net.TCPConn) {
				in := bufio.NewReader(c)
				r, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				if in.Buffered() > 0 {
					t.Error("the body came with the header")
				}
				_, _ = io.WriteString(c, tc.before)
				if tc.reads {
					text, _ := io.ReadAll(r.Body)
					got <- string(text)
					_, _ = io.WriteString(c, ok)
				} else {
					rest, _ := io.ReadAll(in)
					got <- string(rest)
				}
				awaitClose(c)
			})
			c := newClient(t, h1.Settings{Address: address, ContinueTimeout: 50 * time.Millisecond})
			body := &closeCounter{Reader: strings.NewReader("held back")}
			r := newRequest(t, http.MethodPost, address, body)
			r.ContentLength = 9
			r.Header.Set("Expect", "100-continue")
			o, err := observe(c, r)
			if err != nil || o.status != tc.status {
				t.Fatalf("got %+v, %v", o, err)
			}
			want := ""
			if tc.reads {
				want = "held back"
			}
			if text := <-got; text != want {
				t.Errorf("the server read %q, want %q", text, want)
			}
			eventually(t, "the connection is idle, or closed", func() bool { s := c.Stats(); return s.Open == s.Idle && (s.Idle == 1) == tc.reuse })
			if body.closed == 0 {
				t.Error("the request's body was not closed")
			}
		})
	}
}

type closeCounter struct {
	io.Reader
	closed int
}

func (c *closeCounter) Close() error { c.closed++; return nil }

func TestInformational(t *testing.T) {
	address := serve(t, answering("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"+ok, false))
	c := newClient(t, h1.Settings{Address: address})
	var got []string
	call := h1.Call{Informational: func(status int, h http.Header) error {
		got = append(got, fmt.Sprint(status, h))
		return nil
	}}
	res, err := c.Do(newRequest(t, http.MethodGet, address, nil), &call)
	if err != nil {
		t.Fatal(err)
	}
	finish(t, res)
	if want := "[103 map[Link:[</a>]] 100 map[]]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	no := errors.New("no")
	call.Informational = func(int, http.Header) error { return no }
	if _, err := c.Do(newRequest(t, http.MethodGet, address, nil), &call); !errors.Is(err, no) {
		t.Errorf("got %v, want the callback's error", err)
	}
	continued := 0
	r := newRequest(t, http.MethodGet, address, nil)
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{Got100Continue: func() { continued++ }}))
	if res, err = c.RoundTrip(r); err != nil {
		t.Fatal(err)
	}
	finish(t, res)
	if continued != 1 {
		t.Errorf("Got100Continue was called %d times, want 1", continued)
	}
}

// TestUpgrade speaks another protocol in both directions after 101, the first bytes of which come with the header.
func TestUpgrade(t *testing.T) {
	address := serve(t, func(_ int, c *net.TCPConn) {
		in := bufio.NewReader(c)
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello ")
		_, _ = io.Copy(c, in)
	})
	c := newClient(t, h1.Settings{Address: address})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := newRequest(t, http.MethodGet, address, nil).WithContext(ctx)
	r.Header.Set("Connection", "upgrade")
	r.Header.Set("Upgrade", "echo")
	res, err := c.RoundTrip(r)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %v, %v", res, err)
	}
	conn := res.Body.(interface {
		io.ReadWriteCloser
		CloseWrite() error
	})
	if _, err := io.WriteString(conn, "world"); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(conn); err != nil || string(text) != "hello world" {
		t.Errorf("got %q, %v", text, err)
	}
	_ = conn.Close()
	_ = conn.Close()
	if open := c.Stats().Open; open != 0 {
		t.Errorf("%d connections open", open)
	}
	if res, err = c.RoundTrip(r); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(res.Body); err == nil {
		t.Error("the upgraded connection outlives its context")
	}
	_ = res.Body.Close()
}

func TestUpgradeRefused(t *testing.T) {
	address := serve(t, answering(ok, false))
	c := newClient(t, h1.Settings{Address: address})
	r := newRequest(t, http.MethodGet, address, nil)
	r.Header.Set("Connection", "upgrade")
	r.Header.Set("Upgrade", "websocket")
	if got, err := observe(c, r); err != nil || got.body != "ok" || c.Stats().Idle != 1 {
		t.Errorf("got %+v, %v; %+v", got, err, c.Stats())
	}
}

func TestTLS(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprintf(w, "%s %s %d %t", r.TLS.ServerName, r.Proto, len(r.TLS.PeerCertificates), r.TLS.DidResume)
	}))
	srv.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	srv.StartTLS()
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	own := &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS13, Certificates: srv.TLS.Certificates}
	address := srv.Listener.Addr().String()

	t.Run("kept, then resumed", func(t *testing.T) {
		c := newClient(t, h1.Settings{Address: address, TLS: own})
		for i, want := range []string{"example.com HTTP/1.1 1 false", "example.com HTTP/1.1 1 false", "example.com HTTP/1.1 1 true"} {
			var call h1.Call
			res, err := c.Do(newRequest(t, http.MethodPost, address, strings.NewReader("x")), &call)
			if err != nil {
				t.Fatal(err)
			}
			if text := finish(t, res); text != want || res.TLS == nil {
				t.Errorf("got %q, want %q", text, want)
			}
			if fresh := i != 1; (call.Timings.TLS > 0) != fresh || call.Timings.Reused == fresh {
				t.Errorf("request %d: timings %+v", i, call.Timings)
			}
			if i == 1 {
				c.CloseIdleConnections()
			}
		}
	})
	t.Run("dialed ahead", func(t *testing.T) { // with a session ticket that nobody has read yet
		c := newClient(t, h1.Settings{Address: address, TLS: own, MinIdle: 1})
		if err := c.Warm(t.Context()); err != nil {
			t.Fatal(err)
		}
		finish(t, hold(t, c, address))
		if s := c.Stats(); s.Dialed != 1 || s.Stale != 0 {
			t.Errorf("stats %+v, want the connection to be used", s)
		}
	})
	t.Run("unknown authority", func(t *testing.T) {
		c := newClient(t, h1.Settings{Address: address})
		bad := newClient(t, h1.Settings{Address: address, TLS: &tls.Config{MinVersion: tls.VersionTLS12}})
		_, err := observe(bad, newRequest(t, http.MethodGet, address, nil))
		var unknown *tls.CertificateVerificationError
		if e := phaseOf(t, err); e.Phase != h1.PhaseTLS || !errors.As(err, &unknown) || e.Timeout() {
			t.Errorf("got %v in phase %s", err, e.Phase)
		}
		if got, err := observe(c, newRequest(t, http.MethodGet, address, nil)); err != nil || got.status != "400 Bad Request" {
			t.Errorf("without TLS: got %+v, %v", got, err) // net/http's server says so in plain text
		}
	})
	t.Run("handshake hangs", func(t *testing.T) {
		address := serve(t, func(_ int, c *net.TCPConn) { awaitClose(c) })
		c := newClient(t, h1.Settings{Address: address, TLS: own, ConnectTimeout: 50 * time.Millisecond})
		_, err := observe(c, newRequest(t, http.MethodPost, address, nil))
		if e := phaseOf(t, err); e.Phase != h1.PhaseTLS || !e.Timeout() || !e.Retryable(http.MethodPost) {
			t.Errorf("got %v in phase %s", err, e.Phase)
		}
	})
}

func TestUnixSocket(t *testing.T) {
	path := t.TempDir() + "/s"
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Host)
	})}}
	srv.Start()
	defer srv.Close()
	c := newClient(t, h1.Settings{Network: "unix", Address: path})
	for range 2 {
		if got, err := observe(c, newRequest(t, http.MethodGet, "example.com", nil)); err != nil || got.body != "example.com" {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	if s := c.Stats(); s.Dialed != 1 || s.Reused != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestTimings(t *testing.T) {
	address := serve(t, func(_ int, c *net.TCPConn) {
		in := bufio.NewReader(c)
		for {
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
			_, _ = io.WriteString(c, ok)
		}
	})
	_, port, _ := net.SplitHostPort(address)
	c := newClient(t, h1.Settings{Address: "localhost:" + port})
	call := h1.Call{Timings: h1.Timings{Resent: 7}} // of an earlier use
	for i := range 2 {
		res, err := c.Do(newRequest(t, http.MethodGet, address, nil), &call)
		if err != nil {
			t.Fatal(err)
		}
		finish(t, res)
		tm := call.Timings
		if fresh := i == 0; (tm.Connect > 0) != fresh || (tm.DNS > 0) != fresh || tm.Reused == fresh || tm.FirstByte < 20*time.Millisecond || tm.TLS != 0 || tm.Resent != 0 {
			t.Errorf("request %d: %+v", i, tm)
		}
	}
}

// TestHeaderTimeoutBeginsAfterUpload sends a body that takes longer than the header timeout.
func TestHeaderTimeoutBeginsAfterUpload(t *testing.T) {
	const timeout = 100 * time.Millisecond
	for name, answer := range map[string]string{"answered": ok, "not answered": ""} {
		t.Run(name, func(t *testing.T) {
			address := serve(t, func(_ int, c *net.TCPConn) {
				if r := readHeader(c); r != nil {
					_, _ = io.Copy(io.Discard, r.Body)
				}
				_, _ = io.WriteString(c, answer)
				awaitClose(c)
			})
			c := newClient(t, h1.Settings{Address: address, HeaderTimeout: timeout})
			in, out := io.Pipe()
			go func() {
				for range 3 {
					_, _ = io.WriteString(out, "x")
					time.Sleep(timeout / 2)
				}
				_ = out.Close()
			}()
			got, err := observe(c, newRequest(t, http.MethodPost, address, in))
			if answer != "" && (err != nil || got.body != "ok") {
				t.Errorf("got %+v, %v", got, err)
			}
			if answer == "" && (!errors.Is(err, os.ErrDeadlineExceeded) || !phaseOf(t, err).Timeout()) {
				t.Errorf("got %v, want a timeout", err)
			}
		})
	}
}

// TestHeaderTimeoutSparesBody arms the header timeout and lets the body take longer.
func TestHeaderTimeoutSparesBody(t *testing.T) {
	address := serve(t, func(_ int, c *net.TCPConn) {
		readHeader(c)
		_, _ = io.WriteString(c, head+"Content-Length: 4\r\n\r\nsl")
		time.Sleep(60 * time.Millisecond)
		_, _ = io.WriteString(c, "ow")
		awaitClose(c)
	})
	c := newClient(t, h1.Settings{Address: address, HeaderTimeout: 20 * time.Millisecond})
	if got, err := observe(c, newRequest(t, http.MethodGet, address, nil)); err != nil || got.body != "slow" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestNothingLeaks runs what fails in many ways and counts descriptors; goroutines are counted at the end of the package.
func TestNothingLeaks(t *testing.T) {
	descriptors := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc to count descriptors in")
		}
		return len(all)
	}
	address := serve(t, func(n int, c *net.TCPConn) {
		readHeader(c)
		switch n % 4 {
		case 0:
			reset(c)
		case 1:
			_, _ = io.WriteString(c, "garbage\r\n\r\n")
		case 2:
			_, _ = io.WriteString(c, head+"Content-Length: 100\r\n\r\ncut")
		case 3:
			_, _ = io.WriteString(c, head+"Content-Length: 100\r\n\r\nhangs")
			awaitClose(c)
		}
	})
	c := newClient(t, h1.Settings{Address: address})
	before := descriptors()
	for range 200 {
		r := withTimeout(t, newRequest(t, http.MethodPost, address, nil), 20*time.Millisecond)
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(strings.Repeat("x", 50<<10))), -1
		if _, err := observe(c, r); err == nil {
			t.Fatal("no error")
		}
	}
	eventually(t, "all descriptors are closed", func() bool { return descriptors() <= before && c.Stats().Open == 0 })
}

// TestRetryable is the table of what a caller may send again: nothing may happen twice.
func TestRetryable(t *testing.T) {
	broken, late := errors.New("broken"), os.ErrDeadlineExceeded
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tc := range []struct {
		name      string
		err       h1.Error
		get, post bool
	}{
		{"not connected", h1.Error{Phase: h1.PhaseConnect, Err: broken}, true, true},
		{"connect timeout", h1.Error{Phase: h1.PhaseConnect, Err: late}, true, true},
		{"no connection free", h1.Error{Phase: h1.PhaseWait, Err: h1.ErrExhausted}, true, true},
		{"not connected, body read", h1.Error{Phase: h1.PhaseConnect, BodyRead: 1, Err: broken}, false, false},
		{"nothing written", h1.Error{Phase: h1.PhaseWrite, Reused: true, Err: broken}, true, true},
		{"some written", h1.Error{Phase: h1.PhaseWrite, Sent: 1, Err: broken}, true, false},
		{"no answer", h1.Error{Phase: h1.PhaseHeaders, Sent: 100, Err: io.EOF}, true, false},
		{"answer too late", h1.Error{Phase: h1.PhaseHeaders, Sent: 100, Err: late}, false, false},
		{"answer begun", h1.Error{Phase: h1.PhaseHeaders, Sent: 100, Answered: true, Err: io.ErrUnexpectedEOF}, false, false},
		{"body cut", h1.Error{Phase: h1.PhaseBody, Sent: 100, Answered: true, Err: io.ErrUnexpectedEOF}, false, false},
		{"not HTTP", h1.Error{Phase: h1.PhaseTLS, Err: h1.ProtocolError("x")}, false, false},
		{"bad request", h1.Error{Phase: h1.PhaseRequest, Err: broken}, false, false},
		{"context over", *(&h1.Error{Phase: h1.PhaseConnect, Err: broken}).Ended(ended), false, false},
	} {
		if get, post := tc.err.Retryable(http.MethodGet), tc.err.Retryable(http.MethodPost); get != tc.get || post != tc.post {
			t.Errorf("%s: GET %t, POST %t; want %t, %t", tc.name, get, post, tc.get, tc.post)
		}
	}
}

// TestHeaderLimits stands on both sides of the limits.
func TestHeaderLimits(t *testing.T) {
	const bytes, fields = 20_000, 50
	frame := len(head) + len("Content-Length: 0\r\n\r\n")
	for name, tc := range map[string]struct {
		extra string
		fits  bool
	}{
		"bytes, all":       {"X: " + strings.Repeat("a", bytes-frame-5) + "\r\n", true},
		"bytes, one more":  {"X: " + strings.Repeat("a", bytes-frame-4) + "\r\n", false},
		"fields, all":      {strings.Repeat("X: a\r\n", fields-1), true},
		"fields, one more": {strings.Repeat("X: a\r\n", fields), false},
		"10,000 fields":    {strings.Repeat("X:\r\n", 10_000), false},
	} {
		t.Run(name, func(t *testing.T) {
			address := serve(t, answering(head+tc.extra+"Content-Length: 0\r\n\r\n", false))
			c := newClient(t, h1.Settings{Address: address, MaxHeaderBytes: bytes, MaxHeaders: fields})
			for range 2 { // the buffer of the second one has grown and shrunk
				got, err := observe(c, newRequest(t, http.MethodGet, address, nil))
				if got.failed == tc.fits {
					t.Errorf("failed %t: %v", got.failed, err)
				}
			}
			if s := c.Stats(); tc.fits != (s.Reused == 1) {
				t.Errorf("stats %+v", s)
			}
		})
	}
}
