package h1

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/h1/park"
)

// The states of a connection. Who moves it by compare-and-swap out of idle or parked owns it; active belongs to its
// goroutine, and closed and taken are final.
const (
	greeting uint32 = iota // in the TLS handshake
	fresh                  // no request yet, its goroutine waits for one
	active                 // serving a request
	idle                   // its goroutine waits for the next request
	parked                 // nobody but the lot waits
	closed
	taken // by a hijacking handler or by HTTP/2
)

// conn is what is kept of a connection for as long as it is open. Everything that only a request needs is in the session,
// so that a parked connection is small.
type conn struct {
	server     *Server
	rwc        net.Conn
	session    atomic.Pointer[session] // while a goroutine serves it
	tls        *tls.ConnectionState
	next, prev *conn // in Server.conns, guarded by Server.mu
	spot       park.Spot
	state      atomic.Uint32
	served     bool    // at least one request
	afterPOST  bool    // the last request was a POST: a stray line end may follow
	first      [1]byte // where a byte is read to when waiting without a buffer
}

// start is a new connection's goroutine.
func (c *conn) start() {
	if secure, ok := c.rwc.(*tls.Conn); ok && !c.handshake(secure) {
		return
	}
	if !c.state.CompareAndSwap(greeting, fresh) {
		return // closed by Shutdown
	}
	c.run(c.server.session(c))
}

// handshake makes the connection ready for HTTP/1.1, or hands it over to HTTP/2, or ends it.
func (c *conn) handshake(secure *tls.Conn) bool {
	if d := c.server.s.HandshakeTimeout; d > 0 {
		_ = secure.SetDeadline(time.Now().Add(d)) // a connection that cannot have one fails in the handshake
	}
	if err := secure.HandshakeContext(c.server.requests); err != nil {
		answerPlainHTTP(err)
		c.server.s.Refused(0, "tls handshake")
		c.close()
		return false
	}
	_ = secure.SetDeadline(time.Time{})
	state := secure.ConnectionState()
	switch {
	case state.NegotiatedProtocol == "h2" && c.server.s.HTTP2 != nil:
		c.handOver(secure)
		return false
	case state.NegotiatedProtocol != "" && state.NegotiatedProtocol != "http/1.1":
		c.close()
		return false
	}
	c.tls = &state
	return true
}

// answerPlainHTTP tells a client that speaks HTTP to a TLS port, which is a common mistake, and says nothing to others.
func answerPlainHTTP(err error) {
	header, ok := errors.AsType[tls.RecordHeaderError](err)
	if !ok || header.Conn == nil {
		return
	}
	switch string(header.RecordHeader[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "PATCH", "DELET":
		_, _ = io.WriteString(header.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nThis port speaks HTTPS: use https:// in the address.\n") // the connection ends either way
	}
}

// run serves requests until the connection closes, is taken over, or is parked.
func (c *conn) run(s *session) {
	defer func() {
		if e := recover(); e != nil { // an error of our own must cost one connection and not the process
			c.logPanic(e)
			c.close()
		}
	}()
	for {
		switch s.serve() {
		case again:
			continue
		case quiet:
			since := s.now
			s.release()
			if !c.wait(since) {
				return
			}
			s = c.server.session(c)
			s.in.put(c.first[0])
		case done:
			s.release()
			c.close()
			return
		case gone:
			s.release()
			return
		}
	}
}

func (c *conn) logPanic(e any) {
	trace := make([]byte, 64<<10)
	c.server.s.ErrorLog.Printf("h1: panic serving %s: %v\n%s", c.rwc.RemoteAddr(), e, trace[:runtime.Stack(trace, false)])
}

// wait parks the connection, whose state is idle. False: there is nothing more to do on this goroutine. True: it could not
// be parked, so its first byte was awaited here.
func (c *conn) wait(since time.Time) bool {
	until := after(since, c.patience())
	if sc := descriptor(c.rwc); sc != nil && c.state.CompareAndSwap(idle, parked) {
		if c.server.lot.Park(&c.spot, sc, c, park.Readable, until) == nil {
			if c.state.Load() == closed { // by Shutdown, before there was anything in the lot to take back
				c.server.lot.Leave(&c.spot)
			}
			return false
		}
		if !c.state.CompareAndSwap(parked, idle) {
			return false // closed by Shutdown
		}
	}
	if c.rwc.SetReadDeadline(until) == nil {
		if n, _ := c.rwc.Read(c.first[:]); n == 1 {
			return true
		}
	}
	if c.state.CompareAndSwap(idle, closed) {
		c.finish()
	}
	return false
}

// patience is how long the connection may be silent.
func (c *conn) patience() time.Duration {
	if !c.served {
		return c.server.s.ReadHeaderTimeout
	}
	return c.server.s.IdleTimeout
}

// Wake implements park.Owner.
func (c *conn) Wake(cause park.Cause) {
	switch {
	case cause == park.Ready && c.state.CompareAndSwap(parked, idle):
		go c.run(c.server.session(c))
	case cause == park.Expired && c.state.CompareAndSwap(parked, closed):
		go c.finish() // closing TLS writes, which may block
	}
}

// closeIdle takes the connection from where it waits, if no request is in flight: the caller has to finish it. The Server's
// mu is held.
func (c *conn) closeIdle() bool {
	for {
		state := c.state.Load()
		if state != greeting && state != idle && state != parked {
			return false
		}
		if c.state.CompareAndSwap(state, closed) {
			if state == parked {
				c.server.lot.Leave(&c.spot)
			}
			return true
		}
	}
}

// abort is closeIdle for those with a request in flight too; the goroutine that serves it notices by itself.
func (c *conn) abort() bool {
	if c.closeIdle() {
		return true
	}
	if s := c.session.Load(); s != nil {
		s.watch.cancel(ErrServerClosed)
	}
	_ = bare(c.rwc).Close() // without the farewell of TLS, which could block
	return false
}

// close ends a connection that the caller owns.
func (c *conn) close() {
	c.state.Store(closed)
	c.finish()
}

func (c *conn) finish() {
	_ = c.rwc.Close() // nothing more is expected from it
	c.leave()
}

// leave makes the server forget the connection.
func (c *conn) leave() { c.server.remove(c) }

// handOver gives the connection to the HTTP/2 server, unless Shutdown closed it before.
func (c *conn) handOver(rwc net.Conn) {
	for state := c.state.Load(); state != closed; state = c.state.Load() {
		if c.state.CompareAndSwap(state, taken) {
			c.leave()
			c.server.s.HTTP2(rwc)
			return
		}
	}
}

// descriptor answers the connection that has one, below TLS and wrappers, or nil.
func descriptor(c net.Conn) syscall.Conn {
	sc, _ := bare(c).(syscall.Conn)
	return sc
}

// bare takes TLS and wrappers off a connection.
func bare(c net.Conn) net.Conn {
	for {
		wrapper, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return c
		}
		c = wrapper.NetConn()
	}
}

// context is what the requests of one stay on a goroutine have in common.
func (c *conn) context() context.Context {
	return context.WithValue(c.server.requests, http.LocalAddrContextKey, c.rwc.LocalAddr())
}

// isTimeout says whether a read or write ended because of its deadline, after which the connection may go on.
func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
