package proxy

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// responseWriter counts what goes to the client and gives up on a client that takes nothing for a while.
type responseWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
	armed   time.Time

	status  int // 0 until the final header is written; 101 for an upgrade
	bytes   atomic.Int64
	lastErr atomic.Pointer[error]
}

func newResponseWriter(w http.ResponseWriter, timeout time.Duration) *responseWriter {
	return &responseWriter{ResponseWriter: w, control: http.NewResponseController(w), timeout: timeout}
}

// WriteHeader sends a header. Informational ones (1xx) may come before the final one.
func (w *responseWriter) WriteHeader(status int) {
	if status >= http.StatusOK && w.status == 0 {
		w.status = status
	}
	w.arm()
	w.ResponseWriter.WriteHeader(status)
}

func (w *responseWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.arm()
	n, err := w.ResponseWriter.Write(p)
	w.bytes.Add(int64(n))
	w.note(err)
	return n, err
}

// FlushError is what http.ResponseController calls for Flush.
func (w *responseWriter) FlushError() error {
	err := w.control.Flush()
	w.note(err)
	return err
}

// Hijack hands the connection over for a protocol upgrade.
func (w *responseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := w.control.Hijack()
	if err != nil {
		return nil, nil, err
	}
	w.status = http.StatusSwitchingProtocols
	return countingConn{conn, &w.bytes}, rw, nil
}

// Unwrap lets http.ResponseController reach the server's writer.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// arm moves the write deadline. A quarter of the timeout may have passed before that is done again: moving it costs a
// timer operation, for HTTP/2 a message to the connection's goroutine too.
func (w *responseWriter) arm() {
	now := time.Now()
	if now.Sub(w.armed) < w.timeout/4 {
		return
	}
	w.armed = now
	_ = w.control.SetWriteDeadline(now.Add(w.timeout + w.timeout/4)) // not supported by writers of tests only
}

func (w *responseWriter) note(err error) {
	if err != nil {
		w.lastErr.CompareAndSwap(nil, &err)
	}
}

// failure is the first error of writing to the client.
func (w *responseWriter) failure() error {
	if p := w.lastErr.Load(); p != nil {
		return *p
	}
	return nil
}

func (w *responseWriter) started() bool { return w.status != 0 }

// countingConn counts the bytes that a protocol after an upgrade sends to the client.
type countingConn struct {
	net.Conn
	written *atomic.Int64
}

func (c countingConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// CloseWrite ends our half of the connection, for protocols that go on in one direction.
func (c countingConn) CloseWrite() error { return closeWrite(c.Conn) }

func closeWrite(v any) error {
	if half, ok := v.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
