package scraping

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// InsideAddress is the address of Inside's target. Nothing resolves it.
const InsideAddress = "store.invalid:80"

// Inside serves a registry to scrapes of InsideAddress without a socket, so that the store finds its own metrics whatever
// its listener asks of clients.
type Inside struct {
	server *http.Server
	pipes  *pipeListener
	served chan struct{}
}

// NewInside starts serving; the caller must Close it.
func NewInside(registry *prometheus.Registry) *Inside {
	in := &Inside{
		server: &http.Server{
			Handler:           promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry, EnableOpenMetrics: true}),
			ReadHeaderTimeout: 10 * time.Second,
		},
		pipes:  &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})},
		served: make(chan struct{}),
	}
	go func() {
		defer close(in.served)
		_ = in.server.Serve(in.pipes) // ends with Close, always with an error that says so
	}()
	return in
}

// Dial connects to the registry for InsideAddress and to the network for all others.
func (in *Inside) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if address == InsideAddress {
		return in.pipes.dial(ctx)
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, network, address) //nolint:wrapcheck // a dialer's error is its caller's
}

// Close ends the server and its connections.
func (in *Inside) Close() error {
	err := in.server.Close()
	<-in.served
	return err //nolint:wrapcheck // net/http says all there is
}

// pipeListener hands the far end of a pipe to a server for each dial.
type pipeListener struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *pipeListener) dial(ctx context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err() //nolint:wrapcheck // a dialer's error is its caller's
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (*pipeListener) Addr() net.Addr { return insideAddr{} }

type insideAddr struct{}

func (insideAddr) Network() string { return "pipe" }

func (insideAddr) String() string { return InsideAddress }
