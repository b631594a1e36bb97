package front

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"

	"github.com/tailgate-otel/tailgate/gateway/config"
	"github.com/tailgate-otel/tailgate/gateway/h1"
)

// servers are what speaks HTTP on the accepted connections: one of net/http for everything, or our own for HTTP/1.1 and
// net/http behind it for HTTP/2.
type servers struct {
	std *http.Server
	own *h1.Server // nil: net/http serves HTTP/1.1 too
	h2  *handover  // what own hands to std
}

func newServers(s *Settings, handler http.Handler, base context.Context) (servers, error) {
	var protocols http.Protocols
	protocols.SetHTTP1(s.Frontend == config.FrontendNetHTTP)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	std := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: s.Timeouts.ReadHeader,
		IdleTimeout:       s.Timeouts.Idle,
		MaxHeaderBytes:    s.MaxHeader,
		Protocols:         &protocols,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams, WriteByteTimeout: s.Timeouts.Write},
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          s.ErrorLog,
	}
	if s.Frontend == config.FrontendNetHTTP {
		return servers{std: std}, nil
	}
	h2 := newHandover()
	own, err := h1.New(h1.Settings{
		Handler:           handler,
		BaseContext:       base,
		HTTP2:             h2.take,
		MaxHeaderBytes:    s.MaxHeader,
		ReadHeaderTimeout: s.Timeouts.ReadHeader,
		IdleTimeout:       orNone(s.Timeouts.Idle),
		BodyTimeout:       orNone(s.Timeouts.Read),
		WriteTimeout:      orNone(s.Timeouts.Write),
		ErrorLog:          s.ErrorLog,
	})
	if err != nil {
		return servers{}, fmt.Errorf("frontend: %w", err)
	}
	return servers{std: std, own: own, h2: h2}, nil
}

// orNone turns a timeout of the configuration, where 0 is none, into one of h1, where 0 is the default.
func orNone[D ~int64](d D) D {
	if d == 0 {
		return -1
	}
	return d
}

// serve serves l until it is closed; certificate is nil for a listener without TLS.
func (s *servers) serve(l net.Listener, certificate *tls.Config, report chan<- error) {
	if s.own == nil {
		if certificate == nil {
			go func() { report <- s.std.Serve(l) }()
			return
		}
		go func() { report <- s.std.ServeTLS(l, "", "") }()
		return
	}
	if certificate != nil {
		certificate = certificate.Clone()
		certificate.NextProtos = []string{"h2", "http/1.1"}
		l = tls.NewListener(l, certificate)
	}
	go func() {
		err := s.own.Serve(l)
		if errors.Is(err, h1.ErrServerClosed) {
			err = http.ErrServerClosed
		}
		report <- err
	}()
}

// start serves what is handed over, once, after the listeners.
func (s *servers) start() {
	if s.own != nil {
		s.h2.serving.Go(func() { _ = s.std.Serve(s.h2) }) // ends with Shutdown or Close, and says so
	}
}

func (s *servers) shutdown(ctx context.Context) error {
	if s.own == nil {
		return s.std.Shutdown(ctx)
	}
	// Side by side: connections of both kinds have the same time.
	ended := make(chan error, 1)
	go func() { ended <- s.std.Shutdown(ctx) }()
	err := s.own.Shutdown(ctx)
	return errors.Join(err, <-ended)
}

func (s *servers) close() {
	_ = s.std.Close() // the errors are those of closing sockets that are given up anyway
	if s.own != nil {
		_ = s.own.Close()
		s.h2.serving.Wait()
	}
}

// handover is a listener of connections that another server has accepted.
type handover struct {
	conns   chan net.Conn
	once    sync.Once
	closed  chan struct{}
	serving sync.WaitGroup
}

func newHandover() *handover {
	return &handover{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (h *handover) take(c net.Conn) {
	select {
	case h.conns <- c:
	case <-h.closed:
		_ = c.Close() // there is nobody to tell
	}
}

func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handover) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

func (*handover) Addr() net.Addr { return handedOver{} }

type handedOver struct{}

func (handedOver) Network() string { return "tcp" }

func (handedOver) String() string { return "handed over" }
