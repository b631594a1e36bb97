package h1

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// pendingBytes is how much of a body is held back until its framing is settled: a handler that returns within it gets a
// Content-Length without asking. Pieces below it are joined to one chunk. net/http holds back as much.
const pendingBytes = 2 << 10

// errOver is what a goroutine gets that a handler left behind.
var errOver = errors.New("h1: the handler has returned: its response is complete")

// response is one request's http.ResponseWriter. It is made for each request, so that a goroutine that a handler left
// behind cannot reach a later request's response. Its header goes into the session's buffer when WriteHeader is called and
// the body's framing with the first bytes that cannot be held back any more.
type response struct {
	s      *session
	req    *http.Request
	cancel context.CancelCauseFunc
	body   *body // nil: the request has none
	header http.Header
	over   atomic.Bool // the handler has returned: the session belongs to someone else

	// About the request, read before the handler could change it.
	head, http11, wantsClose, keepAlive10, expects bool

	status     int  // 0: WriteHeader was not called yet
	framed     bool // the head is complete in the buffer
	duplex     bool
	hijacked   bool
	unhook     func() bool // after Hijack
	chunking   bool
	closeAfter bool
	length     int64 // the declared or, when it is known, the actual length; -1: unknown
	written    int64

	// What the handler's header said when WriteHeader was called.
	connection                                   []string
	coding                                       string
	hasConnection, hasLength, hasType, hasCoding bool
	hasDate, hasTrailers                         bool
	trailers                                     []string
}

// about notes what the response depends on.
func (w *response) about(r *http.Request) {
	w.head, w.http11 = r.Method == http.MethodHead, r.ProtoMinor == 1
	connection := r.Header["Connection"]
	if len(connection) == 0 {
		return
	}
	w.wantsClose = anyListed(connection, "close") || hasToken(connection[0], "close")
	w.keepAlive10 = !w.http11 && !w.wantsClose && hasToken(connection[0], "keep-alive")
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter. Statuses from 100 to 199, except 101, are sent at once and any number of times.
func (w *response) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("h1: WriteHeader(%d): a status has three digits", status))
	}
	if w.over.Load() || w.hijacked || w.status != 0 {
		return
	}
	if w.body != nil && (status <= 101 || status >= 200) {
		w.body.noContinue()
	}
	if status < 200 && status != http.StatusSwitchingProtocols {
		w.inform(status)
		return
	}
	w.status = status
	w.s.out = appendStatus(w.s.out, w.req.ProtoMinor, status)
	w.writeFields()
	w.readLength()
}

// readLength takes the declared length, if it is one.
func (w *response) readLength() {
	declared := w.header.Get("Content-Length")
	if declared == "" {
		return
	}
	n, err := strconv.ParseInt(declared, 10, 64)
	if err != nil || n < 0 {
		w.hasLength = false
		return
	}
	w.length = n
}

// bodyAllowed says whether the status goes with a body (RFC 9110, section 6.4.1).
func (w *response) bodyAllowed() bool {
	return w.status >= 200 && w.status != http.StatusNoContent && w.status != http.StatusNotModified
}

// Write implements io.Writer.
func (w *response) Write(p []byte) (int, error) {
	if err := w.admit(len(p)); err != nil || len(p) == 0 {
		return 0, err
	}
	s, given := w.s, len(p)
	if len(s.pending)+len(p) <= pendingBytes {
		s.pending = append(s.pending, p...)
		return given, nil
	}
	if n := pendingBytes - len(s.pending); len(s.pending) > 0 {
		s.pending = append(s.pending, p[:n]...)
		p = p[n:]
		w.release(false)
	}
	if len(p) < pendingBytes {
		s.pending = append(s.pending, p...)
		return given, s.writeErr
	}
	w.frame(p, false)
	w.emit(p)
	return given, s.writeErr
}

// WriteString implements io.StringWriter.
func (w *response) WriteString(p string) (int, error) {
	if w.over.Load() || len(w.s.pending)+len(p) > pendingBytes {
		return w.Write([]byte(p))
	}
	if err := w.admit(len(p)); err != nil {
		return 0, err
	}
	w.s.pending = append(w.s.pending, p...)
	return len(p), nil
}

// admit says whether n more bytes of body may be written, and counts them.
func (w *response) admit(n int) error {
	switch {
	case w.over.Load():
		return errOver
	case w.hijacked:
		return http.ErrHijacked
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case n == 0:
		return nil
	case !w.bodyAllowed():
		return http.ErrBodyNotAllowed
	}
	w.written += int64(n)
	if w.length >= 0 && w.written > w.length {
		return http.ErrContentLength
	}
	return w.s.writeErr
}

// copyBytes is what io.Copy too reads at once.
const copyBytes = 32 << 10

// writerOnly hides ReadFrom from io.CopyBuffer.
type writerOnly struct{ io.Writer }

// ReadFrom implements io.ReaderFrom. A file of declared length and type goes from the kernel to the socket directly.
func (w *response) ReadFrom(r io.Reader) (int64, error) {
	sent, err, ok := w.sendFile(r)
	if ok && err != nil {
		return sent, err
	}
	copies := &w.s.c.server.copies
	buf := copies.Get().(*[copyBytes]byte)
	defer copies.Put(buf)
	n, err := io.CopyBuffer(writerOnly{w}, r, buf[:]) // after a file too: what is longer than declared is an error
	return sent + n, err
}

// systemFile is an *os.File, also within the wrapper that io.Copy sees.
type systemFile interface {
	fs.File
	io.Seeker
	syscall.Conn
}

func (w *response) sendFile(r io.Reader) (n int64, err error, ok bool) {
	limit := int64(math.MaxInt64)
	limited, isLimited := r.(*io.LimitedReader)
	if isLimited {
		r, limit = limited.R, limited.N
	}
	file, isFile := r.(systemFile)
	to, gathers := w.s.gather.(io.ReaderFrom)
	if !isFile || !gathers || w.head {
		return 0, nil, false
	}
	if info, statErr := file.Stat(); statErr != nil || !info.Mode().IsRegular() {
		return 0, nil, false //nolint:nilerr // then it is read like any other
	}
	if err := w.admit(0); err != nil {
		return 0, err, true
	}
	if limit = min(limit, w.length-w.written); limit <= 0 || !w.hasType || !w.bodyAllowed() {
		return 0, nil, false // also where the length is not known
	}
	if err := w.FlushError(); err != nil {
		return 0, err, true
	}
	n, err = w.transfer(to, file, limit)
	if isLimited {
		limited.N -= n
	}
	return n, err, true
}

// transfer lets the kernel move the file piece by piece, each with the time that a write has.
func (w *response) transfer(to io.ReaderFrom, file systemFile, limit int64) (total int64, err error) {
	for total < limit {
		w.s.armWrite(time.Now())
		n, err := to.ReadFrom(io.LimitReader(file, min(writeBytes, limit-total)))
		w.written += n
		total += n
		if err != nil {
			w.s.writeErr = err
			return total, err
		}
		if n == 0 {
			break
		}
	}
	return total, nil
}

// Flush implements http.Flusher.
func (w *response) Flush() { _ = w.FlushError() } // Flusher has no way to say it; the next write does

// FlushError sends what was written so far.
func (w *response) FlushError() error {
	if err := w.admit(0); err != nil {
		return err
	}
	w.release(false)
	w.s.flush()
	return w.s.writeErr
}

// SetReadDeadline, SetWriteDeadline and EnableFullDuplex are what http.ResponseController looks for. A deadline replaces
// the server's own until the request ends.
func (w *response) SetReadDeadline(t time.Time) error {
	if w.over.Load() {
		return errOver
	}
	w.s.ownRead.Store(true)
	err := w.s.c.rwc.SetReadDeadline(t)
	w.s.keepBroken()
	return err
}

// SetWriteDeadline sets the deadline for writes.
func (w *response) SetWriteDeadline(t time.Time) error {
	if w.over.Load() {
		return errOver
	}
	w.s.ownWrite.Store(true)
	err := w.s.c.rwc.SetWriteDeadline(t)
	w.s.keepBroken()
	return err
}

// EnableFullDuplex leaves the request's body unread when the response begins, so that both can be streamed.
func (w *response) EnableFullDuplex() error {
	w.duplex = true
	return nil
}

// Hijack implements http.Hijacker. The connection comes without deadlines and is the caller's from here on; bytes that
// were read too far are in the reader.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.over.Load() || w.hijacked {
		return nil, nil, http.ErrHijacked
	}
	s := w.s
	s.watch.end()
	if w.body != nil {
		w.body.noContinue()
		w.body.finish(false)
	}
	if w.status != 0 {
		w.release(false)
		s.flush()
	}
	if s.writeErr != nil {
		return nil, nil, s.writeErr
	}
	w.hijacked = true
	// The watch is over, so that the end of the base context needs a way of its own to the request.
	base := s.c.server.s.BaseContext
	w.unhook = context.AfterFunc(base, func() { w.cancel(context.Cause(base)) })
	s.c.state.Store(taken)
	s.c.leave()
	if err := s.c.rwc.SetDeadline(time.Time{}); err != nil {
		return nil, nil, fmt.Errorf("h1: hijack: %w", err)
	}
	rest := append([]byte(nil), s.in.bytes()...)
	reader := bufio.NewReaderSize(&replay{Conn: s.c.rwc, rest: rest}, max(bufferBytes, len(rest)))
	if len(rest) > 0 {
		_, _ = reader.Peek(len(rest)) // so that Buffered tells; replay cannot fail before its end
	}
	return s.c.rwc, bufio.NewReadWriter(reader, bufio.NewWriterSize(s.c.rwc, bufferBytes)), nil
}

// addTrailer takes a field that came after the body. The body's lock is held.
func (w *response) addTrailer(name, value string) {
	if w.req.Trailer == nil {
		w.req.Trailer = http.Header{}
	}
	w.req.Trailer[name] = append(w.req.Trailer[name], value)
}

// hasToken is listed for what blanks may separate as well: not by the standard, but net/http takes it so, and in doubt about
// a connection's end both sides are safe, since both know where the response ends.
func hasToken(value, token string) bool {
	for element := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' }) {
		if strings.EqualFold(element, token) {
			return true
		}
	}
	return false
}
