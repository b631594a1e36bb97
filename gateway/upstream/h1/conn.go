package h1

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"
)

// readBytes is the size of a connection's read buffer. Most headers, and most small answers with them, fit; larger bodies
// are read past it.
const readBytes = 4 << 10

// conn is a connection. One exchange at a time owns it, or the pool; only abort may be called by others.
type conn struct {
	raw net.Conn // the socket
	rw  net.Conn // raw, or TLS on it
	tls *tls.ConnectionState

	born      time.Time
	idleSince time.Time
	served    bool // has had an exchange
	armed     bool // a read deadline is set

	in    input
	watch watch
}

func newConn(raw, rw net.Conn) *conn {
	c := &conn{raw: raw, rw: rw, born: time.Now(), in: input{buf: make([]byte, readBytes)}}
	if t, ok := rw.(*tls.Conn); ok {
		state := t.ConnectionState()
		c.tls = &state
	}
	c.watch.init(raw)
	return c
}

// abort makes whoever reads or writes fail. It does not wait, unlike a TLS connection's own Close, which says good-bye.
func (c *conn) abort() { _ = c.raw.Close() }

// close ends a connection in good order.
func (c *conn) close() { _ = c.rw.Close() }

// stale says whether an idle connection is of no use any more: the peer closed it, or sent what nobody asked for. TLS
// servers send session tickets after the handshake, which a connection that was dialed ahead has not read yet.
func (c *conn) stale() bool {
	readable, gone := c.watch.look()
	return gone || readable && (c.tls == nil || c.served)
}

// arm makes reads fail at t; the zero time takes that back.
func (c *conn) arm(t time.Time) {
	if t.IsZero() && !c.armed {
		return
	}
	c.armed = !t.IsZero()
	_ = c.rw.SetReadDeadline(t) // fails on closed connections only, and then reading says so
}

// fill reads more into the buffer, which grows up to limit.
func (c *conn) fill(limit int) error {
	if !c.in.room(limit) {
		return errBufferFull
	}
	n, err := c.rw.Read(c.in.buf[c.in.w:])
	c.in.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

var errBufferFull = errors.New("buffer full")

// input is what was read and not consumed.
type input struct {
	buf  []byte
	r, w int
}

func (in *input) bytes() []byte { return in.buf[in.r:in.w] }
func (in *input) len() int      { return in.w - in.r }
func (in *input) skip(n int)    { in.r += n }

// room makes space behind what is buffered.
func (in *input) room(limit int) bool {
	switch {
	case in.r == in.w:
		in.r, in.w = 0, 0
	case in.w < len(in.buf):
	case in.r > 0:
		in.w = copy(in.buf, in.buf[in.r:in.w])
		in.r = 0
	case len(in.buf) >= limit:
		return false
	default:
		in.buf = append(make([]byte, 0, min(2*len(in.buf), limit)), in.buf...)
		in.buf = in.buf[:cap(in.buf)]
	}
	return true
}

// line takes a line that ends in CRLF from the buffer and returns it without; ok is false when its end is not there yet.
// The bytes are valid until the next fill.
func (in *input) line(limit int) (text []byte, ok bool, err error) {
	i := bytes.IndexByte(in.bytes(), '\n')
	switch {
	case i < 0 && in.len() <= limit:
		return nil, false, nil
	case i < 0 || i > limit:
		return nil, false, errLineLength
	case i == 0 || in.bytes()[i-1] != '\r':
		return nil, false, errLineEnd
	}
	text = in.bytes()[:i-1]
	in.skip(i + 1)
	return text, true, nil
}

const (
	errLineEnd    = ProtocolError("a line of chunked framing does not end in CRLF")
	errLineLength = ProtocolError("a line of chunked framing is too long")
)

// rest drops a buffer that a large header made grow, so that idle connections stay small.
func (in *input) rest() {
	if len(in.buf) > readBytes {
		in.buf = make([]byte, readBytes)
	}
	in.r, in.w = 0, 0
}
