package h1

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

const (
	// inlineBody is the size up to which a body is read before its request is sent: most forms and API calls. The endpoint
	// waits for all of such a body anyhow, and meanwhile no connection is held for a slow client.
	inlineBody = 16 << 10
	// wireKeep is the largest buffer that is kept for other requests: a large header with the largest inline body.
	wireKeep = 32 << 10
)

// wire is a request as it goes out: the header, and the body if it is small.
type wire struct {
	buf        []byte
	bodyLength int64 // -1: unknown, sent in chunks
	bodyRead   int64
	close      bool // the request asks for the connection's end
	upgrade    bool // the request asks for another protocol
	expects    bool // the request holds its body back
}

// wires keeps buffers between requests; most requests need less than 1 KiB.
var wires = sync.Pool{New: func() any { return &wire{buf: make([]byte, 0, 2<<10)} }}

func newWire() *wire {
	w := wires.Get().(*wire)
	*w = wire{buf: w.buf[:0]}
	return w
}

func (w *wire) free() {
	if cap(w.buf) <= wireKeep {
		wires.Put(w)
	}
}

// request writes the header of r (RFC 9112, sections 3 and 5). What could end a line early, and so begin a request that
// nobody checked, is an error.
func (w *wire) request(r *http.Request) error {
	method, host := r.Method, r.Host
	if method == "" {
		method = http.MethodGet
	}
	if host == "" {
		host = withoutZone(r.URL.Host)
	}
	switch {
	case !isToken(method):
		return fmt.Errorf("invalid method %q", method)
	case method == http.MethodConnect:
		return errors.New("the method CONNECT needs a proxy, not an endpoint")
	case !isHost(host):
		return fmt.Errorf("invalid host %q", host)
	}
	w.bodyLength = bodyLength(r)
	w.buf = append(append(w.buf, method...), ' ')
	if err := w.target(r.URL); err != nil {
		return err
	}
	w.buf = append(w.buf, " HTTP/1.1\r\nHost: "...)
	w.buf = append(append(w.buf, host...), '\r', '\n')
	w.frame(method, r.Trailer)
	if err := w.fields(r.Header); err != nil {
		return err
	}
	if r.Close && !w.close {
		w.close = true
		w.buf = append(w.buf, "Connection: close\r\n"...)
	}
	w.buf = append(w.buf, '\r', '\n')
	return nil
}

// target writes the path and query, or * for the server as a whole.
func (w *wire) target(u *url.URL) error {
	start := len(w.buf)
	switch path := u.EscapedPath(); {
	case u.Opaque != "":
		w.buf = append(w.buf, u.RequestURI()...)
	case path == "*":
		w.buf = append(w.buf, '*')
	default:
		if !strings.HasPrefix(path, "/") {
			w.buf = append(w.buf, '/')
		}
		w.buf = append(w.buf, path...)
		if u.ForceQuery || u.RawQuery != "" {
			w.buf = append(append(w.buf, '?'), u.RawQuery...)
		}
	}
	for _, c := range w.buf[start:] {
		if c <= ' ' || c == 0x7f {
			return fmt.Errorf("the path or query contains the byte 0x%02x, which must be percent-encoded", c)
		}
	}
	return nil
}

// bodyLength is how long the body is; -1 says that its end shows only when it comes.
func bodyLength(r *http.Request) int64 {
	switch {
	case r.Body == nil || r.Body == http.NoBody:
		return 0
	case r.ContentLength <= 0, len(r.TransferEncoding) > 0 && r.TransferEncoding[0] == "chunked":
		return -1
	}
	return r.ContentLength
}

// frame writes what says where the body ends.
func (w *wire) frame(method string, trailer http.Header) {
	switch {
	case w.bodyLength < 0:
		w.buf = append(w.buf, "Transfer-Encoding: chunked\r\n"...)
		before := len(w.buf)
		for name := range trailer {
			if !allowedTrailer(name) {
				continue
			}
			if len(w.buf) == before {
				w.buf = append(w.buf, "Trailer: "...)
			} else {
				w.buf = append(w.buf, ',')
			}
			w.buf = append(w.buf, name...)
		}
		if len(w.buf) > before {
			w.buf = append(w.buf, '\r', '\n')
		}
	case w.bodyLength > 0 || method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch:
		w.buf = append(w.buf, "Content-Length: "...)
		w.buf = append(strconv.AppendInt(w.buf, w.bodyLength, 10), '\r', '\n')
	}
}

// fields writes the header but for what request and frame say.
func (w *wire) fields(h http.Header) error {
	for name, values := range h {
		switch name {
		case "Host", "Content-Length", "Transfer-Encoding", "Trailer":
			continue
		case "User-Agent": // net/http's convention: an empty one is none
			if len(values) > 0 && values[0] == "" {
				continue
			}
		case "Connection":
			w.close = anyToken(values, "close")
			w.upgrade = anyToken(values, "upgrade") && len(h["Upgrade"]) > 0
		case "Expect":
			w.expects = anyToken(values, "100-continue") && w.bodyLength != 0
		default:
			if isFraming(name) {
				return fmt.Errorf("header name %q is not in its canonical form", name)
			}
		}
		if !isToken(name) {
			return fmt.Errorf("invalid header name %q", name)
		}
		for _, v := range values {
			if !isValue(v) {
				return fmt.Errorf("header %s: the value contains a control character", name)
			}
			w.buf = appendField(w.buf, name, v)
		}
	}
	return nil
}

// isFraming finds the fields that frame and request write in any spelling: two of a kind would be read in two ways.
func isFraming(name string) bool {
	switch len(name) {
	case len("Host"):
		return strings.EqualFold(name, "Host")
	case len("Trailer"):
		return strings.EqualFold(name, "Trailer")
	case len("Content-Length"):
		return strings.EqualFold(name, "Content-Length")
	case len("Transfer-Encoding"):
		return strings.EqualFold(name, "Transfer-Encoding")
	}
	return false
}

func appendField(b []byte, name, value string) []byte {
	b = append(append(b, name...), ':', ' ')
	return append(append(b, value...), '\r', '\n')
}

// readBody appends a body of known length, and makes sure that it has this length.
func (w *wire) readBody(body io.Reader) error {
	head := len(w.buf)
	end := head + int(w.bodyLength)
	for len(w.buf) <= end {
		if len(w.buf) == cap(w.buf) {
			w.buf = append(w.buf, make([]byte, end+1-len(w.buf))...)[:len(w.buf)]
		}
		n, err := body.Read(w.buf[len(w.buf):min(cap(w.buf), end+1)])
		w.buf = w.buf[:len(w.buf)+n]
		w.bodyRead += int64(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read the request's body: %w", err)
		}
	}
	if len(w.buf) != end {
		return bodyLengthError(w.bodyLength, w.bodyRead)
	}
	return nil
}

func bodyLengthError(promised, read int64) error {
	if read > promised {
		return fmt.Errorf("the request's body is longer than its length of %d bytes", promised)
	}
	return fmt.Errorf("the request's body ends after %d of %d bytes: %w", read, promised, io.ErrUnexpectedEOF)
}
