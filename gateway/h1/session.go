package h1

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// session is what a connection has while a goroutine serves it: buffers, deadlines, the watch over its request. It goes
// back to a pool when the connection is parked.
type session struct {
	c        *conn
	ctx      context.Context // values only; the parent of the requests' contexts
	remote   string
	in       input
	out      []byte // response bytes not written yet
	pending  []byte // body bytes whose framing is not settled yet
	watch    watch
	gather   io.Writer // the bare connection, if it can write several buffers at once; else nil
	vector   [2][]byte // backs buffers
	buffers  net.Buffers
	writeErr error     // the first; nothing is written after it
	now      time.Time // the last look at the clock: when the request arrived, or something was written

	// The deadlines as set on the connection, to set them only when they are far from what is wanted: that saves two
	// system calls' worth of timer work per request. Zero: unknown. The first belongs to whoever reads.
	readDeadline, writeDeadline time.Time
	ownRead, ownWrite           atomic.Bool // the handler has set its own, hands off until the request ends
	abandoned                   bool        // by a handler that panicked: never used again
	broken                      atomic.Bool // a timeout ended the request: deadlines stay in the past
}

// outcome is what is to be done with a connection.
type outcome uint8

const (
	again outcome = iota // serve the next request
	quiet                // no request came for a while: park it
	done                 // close it
	gone                 // nothing: it belongs to someone else, or is closed
)

func newSession(srv *Server) *session {
	s := &session{out: make([]byte, 0, bufferBytes), pending: make([]byte, 0, pendingBytes)}
	s.in.reset()
	s.watch.init(srv)
	return s
}

// session prepares one for a connection.
func (srv *Server) session(c *conn) *session {
	s := srv.sessions.Get().(*session)
	s.c, s.ctx, s.now = c, c.context(), time.Now()
	if addr := c.rwc.RemoteAddr(); addr != nil {
		s.remote = addr.String()
	}
	if c.tls == nil {
		switch bare(c.rwc).(type) {
		case *net.TCPConn, *net.UnixConn:
			s.gather = bare(c.rwc)
		}
	}
	c.session.Store(s)
	return s
}

// release gives the session back.
func (s *session) release() {
	s.c.session.Store(nil)
	if s.abandoned {
		return
	}
	s.c, s.ctx, s.remote, s.gather, s.writeErr = nil, nil, "", nil, nil
	s.readDeadline, s.writeDeadline = time.Time{}, time.Time{}
	s.broken.Store(false)
	s.in.reset()
	s.out, s.pending = reset(s.out), s.pending[:0]
	s.watch.server.sessions.Put(s)
}

func reset(out []byte) []byte {
	if cap(out) > 4*bufferBytes { // large headers made it grow
		return make([]byte, 0, bufferBytes)
	}
	return out[:0]
}

// serve waits for a request and answers it.
func (s *session) serve() outcome {
	if o := s.await(); o != again {
		return o
	}
	var h head
	text, count, err := s.head()
	if err == nil {
		if s.isHTTP2(text) {
			s.c.handOver(&replay{Conn: s.c.rwc, rest: append([]byte(text), s.in.bytes()...)})
			return gone
		}
		err = h.parse(text, count)
	}
	if err != nil {
		return s.refuse(err)
	}
	s.c.served, s.c.afterPOST = true, h.req.Method == http.MethodPost
	return s.exchange(&h)
}

// await waits for the first bytes of a request, as long as a goroutine is worth it.
func (s *session) await() outcome {
	c := s.c
	for s.skipLineEnd(); s.in.len() == 0; s.skipLineEnd() {
		if c.served {
			c.state.Store(idle)
		}
		if c.server.closing.Load() {
			return s.giveUp()
		}
		linger := c.server.s.Linger
		if p := c.patience(); p >= 0 {
			linger = min(linger, p)
		}
		s.armRead(after(s.now, linger), linger/2)
		if err := s.in.fill(c.rwc); isTimeout(err) {
			if c.state.CompareAndSwap(fresh, idle) || c.state.Load() == idle {
				return quiet
			}
			return gone
		} else if err != nil {
			return s.giveUp()
		}
	}
	s.now = time.Now()
	for {
		state := c.state.Load()
		if state == closed {
			return gone
		}
		if c.state.CompareAndSwap(state, active) {
			return again
		}
	}
}

// skipLineEnd drops the line end that old clients send after a POST's body (RFC 9112, section 2.2).
func (s *session) skipLineEnd() bool {
	if !s.c.afterPOST || !bytes.HasPrefix(s.in.bytes(), []byte("\r\n")) {
		return false
	}
	s.in.skip(2)
	s.c.afterPOST = false
	return true
}

// giveUp closes the connection unless someone did already.
func (s *session) giveUp() outcome {
	for {
		state := s.c.state.Load()
		if state == closed {
			return gone
		}
		if s.c.state.CompareAndSwap(state, closed) {
			return done
		}
	}
}

// head reads a complete request head and answers its text and number of lines.
func (s *session) head() (string, int, error) {
	limits := &s.c.server.s
	var l lines
	for deadline := after(s.now, limits.ReadHeaderTimeout); ; {
		if l.count == 0 && s.skipLineEnd() { // it came in two pieces
			l = lines{}
		}
		size, err := l.advance(s.in.bytes())
		switch {
		case err != nil:
			return "", 0, err
		case l.first > limits.MaxRequestLine, l.count == 0 && s.in.len() > limits.MaxRequestLine:
			return "", 0, errRequestLine
		case l.count > limits.MaxHeaders+1:
			return "", 0, errHeaderCount
		case size > limits.MaxHeaderBytes, size == 0 && s.in.len() >= limits.MaxHeaderBytes:
			return "", 0, errHeaderBytes
		case size > 0 && l.count == 0:
			return "", 0, errMalformed
		case size > 0:
			text := string(s.in.bytes()[:size])
			s.in.skip(size)
			return text, l.count, nil
		}
		s.armRead(deadline, 0)
		if err := s.in.fill(s.c.rwc); err != nil {
			switch {
			case errors.Is(err, io.EOF):
				return "", 0, errHeadCut
			case isTimeout(err):
				return "", 0, errHeadTimeout
			}
			return "", 0, err
		}
	}
}

// isHTTP2 recognises the beginning of HTTP/2's preface (RFC 9113, section 3.4).
func (s *session) isHTTP2(text string) bool {
	return text == "PRI * HTTP/2.0\r\n\r\n" && !s.c.served && s.c.tls == nil && s.c.server.s.HTTP2 != nil
}

// replay is a connection whose first bytes were read already.
type replay struct {
	net.Conn
	rest []byte
}

func (r *replay) Read(p []byte) (int, error) {
	if len(r.rest) > 0 {
		n := copy(p, r.rest)
		r.rest = r.rest[n:]
		return n, nil
	}
	return r.Conn.Read(p)
}

// refuse answers a request that no handler will see, if it is one, and ends the connection.
func (s *session) refuse(err error) outcome {
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		return done // the connection broke
	}
	s.c.server.s.Refused(r.status, r.reason)
	text := fmt.Sprintf("%d %s: %s\n", r.status, http.StatusText(r.status), r.reason)
	s.out = appendStatus(s.out, 1, r.status)
	s.out = append(s.out, "Date: "...)
	s.out = append(s.out, s.c.server.clock.at(time.Now())...)
	s.out = fmt.Appendf(s.out, "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(text), text)
	s.flush()
	s.linger()
	return done
}

// exchange has one request answered.
func (s *session) exchange(h *head) outcome {
	ctx, cancel := context.WithCancelCause(s.ctx)
	w := &response{s: s, cancel: cancel, header: http.Header{}, length: -1}
	w.req = h.req.WithContext(ctx)
	w.req.RemoteAddr, w.req.TLS, w.req.Body = s.remote, s.c.tls, http.NoBody
	if w.req.ContentLength != 0 {
		w.body = &body{s: s, w: w, chunked: w.req.ContentLength < 0, left: max(w.req.ContentLength, 0)}
		w.body.awaited.Store(h.expects)
		w.expects = h.expects
		w.req.Body = w.body
	}
	w.about(w.req)
	s.watch.begin(w)
	if !s.handle(w) {
		return gone
	}
	s.watch.end()
	cancel(nil)
	if w.hijacked {
		w.unhook()
		return gone
	}
	return s.conclude(w)
}

// conclude completes the response and says whether another request may follow.
func (s *session) conclude(w *response) outcome {
	w.finish()
	reuse, unread := w.reusable(), false
	if w.body != nil {
		unread = !w.body.finish(reuse)
	}
	if form := w.req.MultipartForm; form != nil {
		_ = form.RemoveAll() // temporary files that cannot be removed stay behind in the temporary directory
	}
	if s.ownRead.Swap(false) {
		s.readDeadline = time.Time{}
	}
	if s.ownWrite.Swap(false) {
		s.writeDeadline = time.Time{}
	}
	switch {
	case s.broken.Load():
		return done
	case unread:
		s.linger()
		return done
	case !reuse:
		return done
	}
	s.out = reset(s.out)
	return again
}

// handle runs the handler. False: it panicked, or ended the goroutine; the connection is closed then, and the session
// is not used again, because goroutines that the handler left behind may still hold on to it.
func (s *session) handle(w *response) (returned bool) {
	c := s.c
	defer func() {
		if returned {
			return
		}
		e := recover()
		if err, ok := e.(error); e != nil && (!ok || !errors.Is(err, http.ErrAbortHandler)) {
			c.logPanic(e)
		}
		s.abandoned = true
		s.watch.end()
		w.cancel(nil)
		w.over.Store(true)
		if !w.hijacked {
			c.close()
		}
		if w.body != nil {
			w.body.finish(false)
		}
	}()
	c.server.s.Handler.ServeHTTP(w, w.req)
	return true
}
