package h1_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tailgate-otel/tailgate/gateway/h1"
)

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
