package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tailgate-otel/tailgate/gateway/upstream/client"
	"github.com/tailgate-otel/tailgate/gateway/upstream/h1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// endpoint is a server that speaks one or several protocols, and the settings to reach it.
func endpoint(t *testing.T, secure bool, speaks func(*http.Protocols), h http.HandlerFunc) h1.Settings {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes are meant to fail
	speaks(srv.Config.Protocols)
	s := h1.Settings{Address: srv.Listener.Addr().String()}
	if secure {
		srv.EnableHTTP2 = srv.Config.Protocols.HTTP2()
		srv.StartTLS()
		s.TLS = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS13}
		s.TLS.RootCAs.AddCert(srv.Certificate())
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	return s
}

func newClient(t *testing.T, p client.Protocol, s h1.Settings) client.Client {
	t.Helper()
	c, err := client.New(p, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func newRequest(t *testing.T, p client.Protocol, s h1.Settings, body io.Reader) *http.Request {
	t.Helper()
	scheme := "http"
	if s.TLS != nil {
		scheme = "https"
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, scheme+"://"+s.Address+"/"+string(p), body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// combinations are the protocols with servers that speak them.
var combinations = map[string]struct {
	protocol client.Protocol
	secure   bool
	speaks   func(*http.Protocols)
	want     string
}{
	"http1":            {client.HTTP1, false, func(p *http.Protocols) { p.SetHTTP1(true) }, "HTTP/1.1"},
	"http1, tls":       {client.HTTP1, true, func(p *http.Protocols) { p.SetHTTP1(true); p.SetHTTP2(true) }, "HTTP/1.1"},
	"h2c":              {client.H2C, false, func(p *http.Protocols) { p.SetHTTP1(true); p.SetUnencryptedHTTP2(true) }, "HTTP/2.0"},
	"http2":            {client.HTTP2, true, func(p *http.Protocols) { p.SetHTTP1(true); p.SetHTTP2(true) }, "HTTP/2.0"},
	"auto, of both":    {client.Auto, true, func(p *http.Protocols) { p.SetHTTP1(true); p.SetHTTP2(true) }, "HTTP/2.0"},
	"auto, http1 only": {client.Auto, true, func(p *http.Protocols) { p.SetHTTP1(true) }, "HTTP/1.1"},
}

// TestSameForAllProtocols sends a body and trailers both ways, with an informational response between.
func TestSameForAllProtocols(t *testing.T) {
	for name, tc := range combinations {
		t.Run(name, func(t *testing.T) {
			s := endpoint(t, tc.secure, tc.speaks, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Link", "</a>")
				w.WriteHeader(http.StatusEarlyHints)
				w.Header().Set("Trailer", "X-Sum")
				text, _ := io.ReadAll(r.Body)
				_, _ = fmt.Fprint(w, r.Proto, " ", r.TLS != nil, " ", string(text), " ", r.Trailer.Get("X-Up"))
				w.Header().Set("X-Sum", "down")
			})
			c := newClient(t, tc.protocol, s)
			if err := c.Warm(t.Context()); err != nil {
				t.Fatal(err)
			}
			for i := range 2 {
				hints := ""
				call := h1.Call{Informational: func(status int, h http.Header) error { hints = fmt.Sprint(status, " ", h.Get("Link")); return nil }}
				r := newRequest(t, tc.protocol, s, io.NopCloser(strings.NewReader("body")))
				r.Trailer = http.Header{"X-Up": {"up"}}
				res, err := c.Do(r, &call)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(res.Body)
				if want := fmt.Sprintf("%s %t body up", tc.want, tc.secure); err != nil || string(text) != want {
					t.Errorf("got %q, %v; want %q", text, err, want)
				}
				if got := res.Trailer.Get("X-Sum"); got != "down" || hints != "103 </a>" || res.Request != r {
					t.Errorf("trailer %q, informational %q, request %t", got, hints, res.Request == r)
				}
				_ = res.Body.Close()
				if tc.protocol == client.HTTP1 {
					awaitIdle(t, c)
				}
				tm := call.Timings
				if fresh := i == 0; tm.Reused == fresh || (tm.Connect > 0) != fresh || (tm.TLS > 0) != (fresh && tc.secure) || tm.FirstByte <= 0 {
					t.Errorf("request %d: timings %+v", i, tm)
				}
			}
			if s := c.Stats(); s.Dialed != 1 || s.Reused != 1 || s.Open != 1 {
				t.Errorf("stats %+v", s)
			}
			c.Close()
			if _, err := c.RoundTrip(newRequest(t, tc.protocol, s, nil)); !errors.Is(err, h1.ErrClosed) {
				t.Errorf("after Close: %v, want ErrClosed", err)
			}
		})
	}
}

// awaitIdle waits for the goroutine of an upload to let go of its connection, which may come after the response's end.
func awaitIdle(t *testing.T, c client.Client) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); c.Stats().Idle == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the connection is not idle after 10 s")
		}
	}
}

// TestSameErrors wants the same phases from all protocols.
func TestSameErrors(t *testing.T) {
	const short = 50 * time.Millisecond
	const longer = 500 * time.Millisecond // than a handshake takes on a busy machine
	nowhere := t.TempDir() + "/none"
	hang := func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
	for name, tc := range combinations {
		for _, fault := range []struct {
			name    string
			edit    func(*h1.Settings)
			handler http.HandlerFunc
			ctx     time.Duration
			phase   h1.Phase
			timeout bool
			is      error
		}{
			{name: "refused", edit: func(s *h1.Settings) { s.Network, s.Address = "unix", nowhere }, phase: h1.PhaseConnect, is: os.ErrNotExist},
			{name: "connect hangs", edit: func(s *h1.Settings) { s.Dial, s.ConnectTimeout = hang, short }, phase: h1.PhaseConnect, timeout: true},
			{name: "unknown authority", edit: func(s *h1.Settings) { s.TLS.RootCAs = x509.NewCertPool() }, phase: h1.PhaseTLS},
			{name: "header hangs", edit: func(s *h1.Settings) { s.HeaderTimeout = short }, phase: h1.PhaseHeaders, timeout: true,
				handler: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
			{name: "deadline", ctx: longer, phase: h1.PhaseHeaders, timeout: true, is: context.DeadlineExceeded,
				handler: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
			{name: "body breaks", phase: h1.PhaseBody, handler: func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, "some")
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}},
		} {
			if fault.name == "unknown authority" && !tc.secure {
				continue
			}
			t.Run(name+"/"+fault.name, func(t *testing.T) {
				t.Parallel()
				s := endpoint(t, tc.secure, tc.speaks, fault.handler)
				r := newRequest(t, tc.protocol, s, nil)
				if fault.edit != nil {
					fault.edit(&s)
				}
				if fault.ctx > 0 {
					ctx, cancel := context.WithTimeout(r.Context(), fault.ctx)
					defer cancel()
					r = r.WithContext(ctx)
				}
				c := newClient(t, tc.protocol, s)
				res, err := c.RoundTrip(r)
				if err == nil {
					_, err = io.ReadAll(res.Body)
					_ = res.Body.Close()
				}
				var e *h1.Error
				if !errors.As(err, &e) {
					t.Fatalf("got %v (%T), want an *h1.Error", err, err)
				}
				if e.Phase != fault.phase || e.Timeout() != fault.timeout || fault.is != nil && !errors.Is(err, fault.is) {
					t.Errorf("got %v in phase %s, timeout %t", e, e.Phase, e.Timeout())
				}
				if before := fault.phase <= h1.PhaseTLS; e.Retryable(http.MethodPost) != before {
					t.Errorf("retryable %t, sent %d", !before, e.Sent)
				}
			})
		}
	}
}

func TestNewRefuses(t *testing.T) {
	secure := &tls.Config{MinVersion: tls.VersionTLS13}
	for _, tc := range []struct {
		protocol client.Protocol
		settings h1.Settings
		want     string
	}{
		{client.HTTP2, h1.Settings{Address: "a:1"}, "protocol http2 needs TLS; without TLS it is http1 or h2c"},
		{client.Auto, h1.Settings{Address: "a:1"}, "protocol auto needs TLS; without TLS it is http1 or h2c"},
		{client.H2C, h1.Settings{Address: "a:1", TLS: secure}, "protocol h2c is for connections without TLS; with TLS it is http2"},
		{"spdy", h1.Settings{Address: "a:1"}, `unknown protocol "spdy": it is one of http1, http2, h2c, auto`},
		{client.HTTP1, h1.Settings{}, "an endpoint needs an address: host:port, or the path of a unix socket"},
		{client.H2C, h1.Settings{}, "an endpoint needs an address: host:port, or the path of a unix socket"},
	} {
		if _, err := client.New(tc.protocol, tc.settings); err == nil || err.Error() != tc.want {
			t.Errorf("%s: got %v, want %s", tc.protocol, err, tc.want)
		}
	}
}
