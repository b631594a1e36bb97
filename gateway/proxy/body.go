package proxy

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// requestBody is the client's body on its way to an upstream: counted, limited, and given up on when the client pauses
// for too long. The transport reads it on goroutines of its own, so everything here is atomic.
type requestBody struct {
	source  io.Reader
	control *http.ResponseController
	timeout time.Duration
	limit   int64 // 0: none

	read    atomic.Int64
	reading atomic.Bool
	over    atomic.Bool
	err     atomic.Pointer[error] // the first error but io.EOF
}

var errBodyTooLarge = errors.New("the request body is larger than the route accepts")

// newRequestBody wraps the body of r. Where there is a limit the server is told too, so that it closes a connection on
// which more comes instead of reading it all.
func newRequestBody(r *http.Request, w *responseWriter, limit int64, timeout time.Duration) *requestBody {
	var source io.Reader = r.Body
	if limit > 0 {
		source = http.MaxBytesReader(w.ResponseWriter, r.Body, limit)
	}
	return &requestBody{source: source, control: w.control, timeout: timeout, limit: limit}
}

func (b *requestBody) Read(p []byte) (int, error) {
	b.reading.Store(true)
	defer b.reading.Store(false)
	if b.over.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	_ = b.control.SetReadDeadline(time.Now().Add(b.timeout)) // not supported by writers of tests only
	n, err := b.source.Read(p)
	b.read.Add(int64(n))
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil || b.over.Load():
	case errors.Is(err, io.EOF):
		// The server goes on watching the connection for the client's departure; that must not time out.
		_ = b.control.SetReadDeadline(time.Time{})
	case errors.As(err, &tooLarge):
		b.err.CompareAndSwap(nil, &errBodyTooLarge)
		return n, errBodyTooLarge
	default:
		b.err.CompareAndSwap(nil, &err)
	}
	return n, err
}

// Close ends the exchange's interest in the body, also for a transport that still waits for more of it because the
// upstream answered early: the server cannot finish the request while someone reads. The server closes the source.
func (b *requestBody) Close() error {
	b.over.Store(true)
	if b.reading.Load() {
		_ = b.control.SetReadDeadline(time.Now()) // not supported by writers of tests only
	}
	return nil
}

func (b *requestBody) failure() error {
	if b == nil {
		return nil
	}
	if p := b.err.Load(); p != nil {
		return *p
	}
	return nil
}

// bytes is how much was read from the client.
func (b *requestBody) bytes() int64 {
	if b == nil {
		return 0
	}
	return b.read.Load()
}

func (b *requestBody) tooLarge() bool { return errors.Is(b.failure(), errBodyTooLarge) }

func (b *requestBody) timedOut() bool { return isTimeout(b.failure()) }

// broke says whether the client went away within the body.
func (b *requestBody) broke() bool {
	var network net.Error
	err := b.failure()
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network) || errors.Is(err, http.ErrBodyReadAfterClose) || isClientReset(err)
}

// malformed says whether what the client sent as a body was not one, such as a broken chunked encoding.
func (b *requestBody) malformed() bool { return b.failure() != nil && !b.broke() && !b.tooLarge() }

// responseBody tells an attempt how its body ended.
type responseBody struct {
	io.ReadCloser
	attempt *attempt
}

func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		if errors.Is(err, io.EOF) {
			b.attempt.finish(nil)
		} else {
			b.attempt.noteBroken(err)
		}
	}
	return n, err
}

func (b *responseBody) Close() error {
	err := b.ReadCloser.Close()
	b.attempt.finish(b.attempt.broken())
	return err
}

// upgradedBody is the connection to the upstream after 101.
type upgradedBody struct {
	responseBody
	io.Writer
}

// CloseWrite ends our half of the connection.
func (b *upgradedBody) CloseWrite() error { return closeWrite(b.ReadCloser) }
