package h1

import (
	"errors"
	"io"
	"sync"
)

// upgraded is the connection after 101, as the body of the response: an io.ReadWriteCloser with CloseWrite. The context of
// the request still ends it. One goroutine may read while another writes.
type upgraded struct {
	e     *exchange
	conn  *conn
	close sync.Once
}

// upgrade hands the connection over.
func (e *exchange) upgrade(asked bool) error {
	switch {
	case !asked:
		return ProtocolError("101 Switching Protocols, which the request did not ask for")
	case e.up != nil:
		return ProtocolError("101 Switching Protocols before the end of the request")
	}
	e.res.Body = &upgraded{e: e, conn: e.conn}
	return nil
}

// Read implements io.Reader.
func (u *upgraded) Read(p []byte) (int, error) {
	if in := &u.conn.in; in.len() > 0 {
		n := copy(p, in.bytes())
		in.skip(n)
		return n, nil
	}
	return u.conn.rw.Read(p)
}

// Write implements io.Writer.
func (u *upgraded) Write(p []byte) (int, error) { return u.conn.rw.Write(p) }

// CloseWrite ends our half of the connection.
func (u *upgraded) CloseWrite() error {
	if half, ok := u.conn.rw.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close implements io.Closer.
func (u *upgraded) Close() error {
	u.close.Do(func() { u.e.leave(false) })
	return nil
}

var _ io.ReadWriteCloser = (*upgraded)(nil)
