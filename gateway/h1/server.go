// Package h1 is the gateway's own HTTP/1.1 server: a loop per connection that parses, runs an http.Handler and answers on
// the same goroutine, with net/http's types and manners. It costs less than net/http's server, because it starts no
// second goroutine per request, and an idle connection costs about 1 KiB instead of 19, because it is parked (package
// park) with neither goroutine nor buffer.
//
// A connection is parked only after a Read has waited for Settings.Linger in vain. That a descriptor is not readable says
// nothing about what crypto/tls still holds, but a Read that waited does: at most a part of a record, whose rest will make
// the descriptor readable.
//
// It is stricter than net/http wherever two readers of the same bytes could disagree about where a request ends; the
// tests hold the list of differences and compare everything else with net/http byte by byte. HTTP/2 is left to others
// (Settings.HTTP2), and so are accepting limits, the certificates, and what is done with a request.
//
// Each busy connection has one goroutine; two more, the lot's and one timer callback at a time, belong to the Server.
// Shutdown and Close join them all. Under overload nothing queues here: a connection is served, waits in the kernel, or is
// refused by a limit of Settings with a status and the connection's end.
package h1

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/h1/park"
)

// ErrServerClosed is what Serve answers after Shutdown or Close.
var ErrServerClosed = errors.New("h1: server closed")

// ErrRequestTimeout is the cause of a request's context that Settings.RequestTimeout ended.
var ErrRequestTimeout = errors.New("h1: the request took longer than the request timeout")

// Server serves HTTP/1.1 on the listeners that are given to Serve.
type Server struct {
	s        Settings
	requests context.Context // values of the base context, without its end: that is passed on by cut
	lot      *park.Lot
	sessions sync.Pool // *session
	copies   sync.Pool // *[copyBytes]byte
	clock    dateClock
	closing  atomic.Bool
	unhook   func() bool // ends the wait for the base context's end

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	conns     conn          // head of the ring of open connections
	open      int           // length of the ring
	empty     chan struct{} // closed when closing and the ring is empty
}

// New makes a server.
func New(s Settings) (*Server, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	s = s.withDefaults()
	srv := &Server{s: s, requests: context.WithoutCancel(s.BaseContext), lot: park.New(park.Settings{Max: s.MaxParked}), listeners: map[net.Listener]struct{}{}, empty: make(chan struct{})}
	srv.conns.next, srv.conns.prev = &srv.conns, &srv.conns
	srv.sessions.New = func() any { return newSession(srv) }
	srv.copies.New = func() any { return new([copyBytes]byte) }
	srv.unhook = context.AfterFunc(s.BaseContext, srv.cut)
	return srv, nil
}

// Serve accepts connections until the listener fails or the server closes. TLS listeners give *tls.Conn and need an ALPN
// list with http/1.1. A wrapped connection can be parked if it has NetConn() net.Conn, as *tls.Conn has, and passes reads
// and writes on unchanged.
func (srv *Server) Serve(l net.Listener) error {
	if !srv.track(l) {
		return errors.Join(ErrServerClosed, l.Close())
	}
	defer srv.untrack(l)
	var pause time.Duration
	for {
		rwc, err := l.Accept()
		if err == nil {
			pause = 0
			srv.ServeConn(rwc)
			continue
		}
		if srv.closing.Load() {
			return ErrServerClosed
		}
		if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Temporary() { //nolint:staticcheck // Temporary is the only sign that a descriptor may be free again soon
			return fmt.Errorf("h1: accept on %s: %w", l.Addr(), err)
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		srv.s.ErrorLog.Printf("h1: accept on %s: %v; trying again in %s", l.Addr(), err, pause)
		time.Sleep(pause)
	}
}

// ServeConn serves one connection on a new goroutine.
func (srv *Server) ServeConn(rwc net.Conn) {
	c := &conn{server: srv, rwc: rwc}
	if !srv.add(c) {
		_ = rwc.Close() // nobody was told anything yet
		return
	}
	go c.start()
}

func (srv *Server) track(l net.Listener) bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.closing.Load() {
		return false
	}
	srv.listeners[l] = struct{}{}
	return true
}

func (srv *Server) untrack(l net.Listener) {
	srv.mu.Lock()
	delete(srv.listeners, l)
	srv.mu.Unlock()
}

func (srv *Server) add(c *conn) bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.closing.Load() {
		return false
	}
	c.prev, c.next = srv.conns.prev, &srv.conns
	c.prev.next, c.next.prev = c, c
	srv.open++
	return true
}

func (srv *Server) remove(c *conn) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if c.next == nil {
		return
	}
	c.prev.next, c.next.prev = c.next, c.prev
	c.next, c.prev = nil, nil
	srv.open--
	srv.signalEmpty()
}

// signalEmpty tells Shutdown when it has waited long enough. mu held.
func (srv *Server) signalEmpty() {
	if !srv.closing.Load() || srv.open > 0 {
		return
	}
	select {
	case <-srv.empty:
	default:
		close(srv.empty)
	}
}

// each calls f for every open connection, with mu held.
func (srv *Server) each(f func(*conn)) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	for c := srv.conns.next; c != &srv.conns; c = c.next {
		f(c)
	}
}

// Stats counts the open connections.
type Stats struct {
	Active int // with a request
	Idle   int // waiting for a request on a goroutine
	Parked int // waiting without
}

// Stats walks over all connections; it is meant for a scrape, not for a request.
func (srv *Server) Stats() Stats {
	var s Stats
	srv.each(func(c *conn) {
		switch c.state.Load() {
		case active:
			s.Active++
		case parked:
			s.Parked++
		case greeting, fresh, idle:
			s.Idle++
		}
	})
	return s
}

// Shutdown stops accepting, closes what is idle, lets requests in flight finish with Connection: close, and waits for them
// until ctx ends. Upgraded connections are their handlers' to end. What is left after ctx can be ended by Close.
func (srv *Server) Shutdown(ctx context.Context) error {
	err := srv.stop((*conn).closeIdle)
	select {
	case <-srv.empty:
		srv.release()
		return err
	case <-ctx.Done():
		return errors.Join(err, ctx.Err())
	}
}

// Close ends all connections at once and joins their goroutines once their handlers have returned.
func (srv *Server) Close() error {
	err := srv.stop((*conn).abort)
	<-srv.empty
	srv.release()
	return err
}

// stop closes the listeners, and the connections that take says.
func (srv *Server) stop(take func(*conn) bool) error {
	srv.mu.Lock()
	srv.closing.Store(true)
	var errs []error
	for l := range srv.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, fmt.Errorf("h1: close listener %s: %w", l.Addr(), err))
		}
	}
	srv.signalEmpty()
	srv.mu.Unlock()
	var taken []*conn
	srv.each(func(c *conn) {
		if take(c) {
			taken = append(taken, c)
		}
	})
	finishAll(taken)
	return errors.Join(errs...)
}

// finishers close connections at the same time: saying farewell over TLS may block for 5 s on each whose client does not
// read, and a goroutine for each of a million would take more memory than the connections do.
const finishers = 64

func finishAll(conns []*conn) {
	var workers sync.WaitGroup
	var next atomic.Int64
	for range min(finishers, len(conns)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(conns)); i = next.Add(1) - 1 {
				conns[i].finish()
			}
		})
	}
	workers.Wait()
}

func (srv *Server) release() {
	srv.unhook()
	srv.lot.Close()
}

// cut passes the base context's end on to the requests in flight.
func (srv *Server) cut() {
	cause := context.Cause(srv.s.BaseContext)
	srv.each(func(c *conn) {
		if s := c.session.Load(); s != nil {
			s.watch.cancel(cause)
		}
	})
}
