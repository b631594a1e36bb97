// Package front is the side of the gateway that clients connect to: listeners, HTTP/1.1 and HTTP/2 with and without
// TLS, limits on connections and headers, and the orderly end.
//
// It leaves requests to a handler. HTTP/1.1 is served by gateway/h1 or, by configuration, net/http, HTTP/2 by net/http. The
// goroutines are theirs, one per busy connection and one per HTTP/2 stream; Drain joins them. When the limit of connections is reached, further ones wait in the kernel's queue and cost the gateway
// nothing. net/http's whole-request timeouts stay off on purpose, because they would end every long upload and stream: the
// handler renews deadlines as bodies make progress.
package front

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/config"
)

// Settings are what a front needs.
type Settings struct {
	Listen         string
	TLS            *config.TLS // nil: no second listener
	Frontend       config.Frontend
	MaxConnections int
	MaxHeader      int
	Timeouts       config.Timeouts
	Handler        http.Handler
	// Connections is told of each connection that opens (+1) and closes (-1), upgraded ones included.
	Connections func(delta int64)
	ErrorLog    *log.Logger
	// CutCause is the cause of the requests' contexts when they are cut off at the end of Drain.
	CutCause error
}

// Front is a set of listeners with their server.
type Front struct {
	s         Settings
	servers   servers
	listeners []*listener
	serveErr  chan error
	draining  atomic.Bool
	cut       context.CancelCauseFunc
}

// maxStreams is how many requests one HTTP/2 connection may have in flight: what nginx and net/http allow, give or take.
const maxStreams = 250

// Listen opens the listeners and starts serving.
func Listen(s Settings) (*Front, error) {
	base, cut := context.WithCancelCause(context.Background())
	f := &Front{s: s, cut: cut, serveErr: make(chan error, 2)} // one per listener, so that none blocks
	var err error
	if f.servers, err = newServers(&s, http.HandlerFunc(f.serveHTTP), base); err != nil {
		return nil, err
	}
	if err := f.listen(); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (f *Front) listen() error {
	plain, err := newListener("listen", f.s.Listen, f.s.MaxConnections, f.s.Connections)
	if err != nil {
		return err
	}
	f.listeners = append(f.listeners, plain)
	defer f.servers.start()
	if f.s.TLS == nil {
		f.servers.serve(plain, nil, f.serveErr)
		return nil
	}
	certificate, err := tlsConfig(f.s.TLS)
	if err != nil {
		return err
	}
	secure, err := newListener("tls.listen", f.s.TLS.Listen, f.s.MaxConnections, f.s.Connections)
	if err != nil {
		return err
	}
	f.listeners = append(f.listeners, secure)
	f.servers.std.TLSConfig = certificate // before net/http looks at it for the first listener
	f.servers.serve(plain, nil, f.serveErr)
	f.servers.serve(secure, certificate, f.serveErr)
	return nil
}

// CheckTLS says whether a listener could be opened with the certificate; nil needs none.
func CheckTLS(t *config.TLS) error {
	if t == nil {
		return nil
	}
	_, err := tlsConfig(t)
	return err
}

func tlsConfig(t *config.TLS) (*tls.Config, error) {
	certificate, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("tls.cert_file and tls.key_file: %w", err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13}
	if t.MinVersion == "1.2" {
		c.MinVersion = tls.VersionTLS12
	}
	return c, nil
}

// serveHTTP asks clients to go elsewhere once the gateway drains: Connection: close on HTTP/1.1, which net/http turns into
// GOAWAY on HTTP/2.
func (f *Front) serveHTTP(w http.ResponseWriter, r *http.Request) {
	if f.draining.Load() {
		w.Header().Set("Connection", "close")
	}
	f.s.Handler.ServeHTTP(w, r)
}

// Addr is the address of the listener without TLS.
func (f *Front) Addr() net.Addr { return f.listeners[0].Addr() }

// TLSAddr is the address of the listener with TLS, or nil.
func (f *Front) TLSAddr() net.Addr {
	if len(f.listeners) < 2 {
		return nil
	}
	return f.listeners[1].Addr()
}

// Ready says whether new clients should be sent here.
func (f *Front) Ready() bool { return !f.draining.Load() }

// Err delivers the error of a listener that stopped serving by itself.
func (f *Front) Err() <-chan error { return f.serveErr }

// cutGrace is how long requests that were cut off may take to say so to their clients.
const cutGrace = time.Second

// Drain ends the service without breaking a request: not ready, then drain_delay, then no new connections, then up to the
// drain timeout for what is in flight, GOAWAY and Connection: close included. What is left then is cut off, and the error
// says how many connections that were. A ctx that ends shortens the waiting, not the order.
func (f *Front) Drain(ctx context.Context) error {
	f.draining.Store(true)
	wait(ctx, f.s.Timeouts.DrainDelay)
	limit, cancel := context.WithTimeout(ctx, f.s.Timeouts.Drain)
	defer cancel()
	err := f.finish(limit)
	if err == nil {
		return nil
	}
	left := f.open()
	f.cut(f.s.CutCause)
	grace, cancelGrace := context.WithTimeout(context.WithoutCancel(ctx), cutGrace)
	defer cancelGrace()
	_ = f.finish(grace) // what does not end now is closed below
	f.Close()
	return fmt.Errorf("%d connections were still busy after the drain timeout and were cut off: %w", left, err)
}

// finish stops accepting and waits until no connection is left. net/http waits for its own, the listeners know of those
// that a protocol upgrade took away from it.
func (f *Front) finish(ctx context.Context) error {
	err := f.servers.shutdown(ctx)
	for _, l := range f.listeners {
		err = errors.Join(err, l.waitEmpty(ctx))
	}
	return err
}

// Close ends everything at once.
func (f *Front) Close() {
	f.draining.Store(true)
	f.cut(f.s.CutCause)
	for _, l := range f.listeners {
		l.closeAll()
	}
	f.servers.close()
}

func (f *Front) open() int {
	n := 0
	for _, l := range f.listeners {
		n += l.count()
	}
	return n
}

func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
