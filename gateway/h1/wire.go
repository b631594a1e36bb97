package h1

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// writeBytes is the largest piece handed to the connection at once: each has WriteTimeout for itself.
const writeBytes = 64 << 10

func appendStatus(out []byte, minor, status int) []byte {
	if minor == 1 {
		out = append(out, "HTTP/1.1 "...)
	} else {
		out = append(out, "HTTP/1.0 "...)
	}
	out = strconv.AppendInt(out, int64(status), 10)
	out = append(out, ' ')
	if text := http.StatusText(status); text != "" {
		out = append(out, text...)
	} else {
		out = append(out, "status code "...)
		out = strconv.AppendInt(out, int64(status), 10)
	}
	return append(out, '\r', '\n')
}

// appendField writes a header line. Line ends within a value become blanks, since a handler may put there what it was
// sent, and nobody shall write a client's next response.
func appendField(out []byte, name, value string) []byte {
	out = append(out, name...)
	out = append(out, ": "...)
	value = strings.Trim(value, " \t\r\n")
	start := len(out)
	out = append(out, value...)
	if strings.IndexByte(value, '\n') >= 0 || strings.IndexByte(value, '\r') >= 0 {
		for i := start; i < len(out); i++ {
			if out[i] == '\n' || out[i] == '\r' {
				out[i] = ' '
			}
		}
	}
	return append(out, '\r', '\n')
}

// inform sends an informational response. Meanwhile another goroutine may read the body and want to write one too.
func (w *response) inform(status int) {
	if w.body != nil {
		w.body.awaitedMu.Lock()
		defer w.body.awaitedMu.Unlock()
	}
	s := w.s
	s.out = appendStatus(s.out, w.req.ProtoMinor, status)
	for name, values := range w.header {
		if name == "Content-Length" || name == "Transfer-Encoding" || !isToken(name) {
			continue
		}
		for _, v := range values {
			s.out = appendField(s.out, name, v)
		}
	}
	s.out = append(s.out, '\r', '\n')
	s.flush()
}

// writeFields writes the handler's header, except for what frames the message, which is noted.
func (w *response) writeFields() {
	out := w.s.out
	for name, values := range w.header {
		switch name {
		case "Connection":
			w.connection, w.hasConnection = values, true
			continue
		case "Content-Length":
			w.hasLength = true
			continue
		case "Transfer-Encoding":
			if len(values) > 0 {
				w.coding = values[0]
			}
			continue
		case "Content-Type":
			w.hasType = true
			if w.status == http.StatusNotModified {
				continue
			}
		case "Content-Encoding":
			w.hasCoding = len(values) > 0 && values[0] != ""
		case "Date":
			w.hasDate = true
		case "Trailer":
			w.promiseTrailers(values)
		}
		if strings.HasPrefix(name, http.TrailerPrefix) {
			w.hasTrailers = true
			continue
		}
		if !isToken(name) {
			continue
		}
		for _, v := range values {
			out = appendField(out, name, v)
		}
	}
	w.s.out = out
}

func (w *response) promiseTrailers(lists []string) {
	w.hasTrailers = len(lists) > 0
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			if name = http.CanonicalHeaderKey(trim(name)); isToken(name) && !forbiddenResponseTrailer(name) {
				w.trailers = append(w.trailers, name)
			}
		}
	}
}

// forbiddenResponseTrailer names the fields that a recipient must know before the content (RFC 9110, section 6.5.1).
func forbiddenResponseTrailer(name string) bool {
	switch name {
	case "Authorization", "Cache-Control", "Connection", "Content-Encoding", "Content-Range", "Content-Type", "Expect", "Keep-Alive",
		"Max-Forwards", "Pragma", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Range", "Realm", "Te", "Www-Authenticate":
		return true
	}
	return forbiddenTrailer(name) || strings.HasPrefix(name, "If-")
}

// frame completes the head once it is known how the body begins or, with last, that this is all of it.
func (w *response) frame(first []byte, last bool) {
	if w.framed {
		return
	}
	w.framed = true
	if last && !w.hasTrailers && w.coding == "" && w.bodyAllowed() && !w.hasLength && (!w.head || len(first) > 0) {
		w.length, w.hasLength = int64(len(first)), true
	}
	forced := w.settleConnection()
	out := w.s.out
	if w.bodyAllowed() && !w.hasType && !w.hasCoding && w.coding == "" && len(first) > 0 {
		out = appendField(out, "Content-Type", http.DetectContentType(first))
	}
	if !w.hasDate {
		w.s.now = time.Now()
		out = append(out, "Date: "...)
		out = append(out, w.s.c.server.clock.at(w.s.now)...)
		out = append(out, '\r', '\n')
	}
	out = w.frameBody(out)
	out = w.writeConnection(out, forced)
	w.s.out = append(out, '\r', '\n')
}

// settleConnection decides whether the connection ends after this response; forced, whatever the handler wrote.
func (w *response) settleConnection() (forced bool) {
	closing := w.s.c.server.closing.Load()
	first := ""
	if len(w.connection) > 0 {
		first = w.connection[0]
	}
	bounded := w.head || w.length >= 0 || !w.bodyAllowed()
	if w.wantsClose || closing || hasToken(first, "close") || !w.http11 && (!w.keepAlive10 || !bounded) {
		w.closeAfter = true
	}
	if w.body == nil {
		return false
	}
	switch {
	case w.expects && !w.body.complete.Load():
		w.closeAfter = true
	case !w.closeAfter && !w.duplex && !w.body.drainBefore():
		w.closeAfter = true
		return true
	}
	return false
}

// frameBody writes what says where the body ends (RFC 9112, section 6.3).
func (w *response) frameBody(out []byte) []byte {
	if w.length >= 0 && w.coding != "" && w.coding != "identity" {
		w.length = -1 // the handler said both; one of them must go
	}
	switch {
	case w.head || !w.bodyAllowed():
	case w.length >= 0:
	case w.http11 && w.coding != "identity":
		w.chunking = true
		if w.coding != "" && w.coding != "chunked" {
			out = appendField(out, "Transfer-Encoding", w.coding)
		}
		return append(out, "Transfer-Encoding: chunked\r\n"...)
	default:
		w.closeAfter = true
		return out
	}
	if w.length >= 0 && w.bodyAllowed() {
		out = append(out, "Content-Length: "...)
		out = strconv.AppendInt(out, w.length, 10)
		out = append(out, '\r', '\n')
	}
	return out
}

func (w *response) writeConnection(out []byte, forced bool) []byte {
	first := ""
	if len(w.connection) > 0 {
		first = w.connection[0]
	}
	switching := w.status == http.StatusSwitchingProtocols && hasToken(first, "upgrade")
	switch {
	case forced, w.closeAfter && !switching && !hasToken(first, "close"):
		if w.http11 || forced {
			out = append(out, "Connection: close\r\n"...)
		}
		return out
	case w.keepAlive10 && !w.closeAfter && !w.hasConnection:
		return append(out, "Connection: keep-alive\r\n"...)
	}
	for _, v := range w.connection {
		out = appendField(out, "Connection", v)
	}
	return out
}

// release frames what was held back.
func (w *response) release(last bool) {
	w.frame(w.s.pending, last)
	if len(w.s.pending) > 0 {
		w.emit(w.s.pending)
		w.s.pending = w.s.pending[:0]
	}
}

// emit puts a piece of body on its way, as a chunk if need be. p may be the caller's: it is not kept.
func (w *response) emit(p []byte) {
	switch {
	case w.head:
	case w.chunking:
		w.s.out = strconv.AppendInt(w.s.out, int64(len(p)), 16)
		w.s.out = append(w.s.out, '\r', '\n')
		w.s.push(p)
		w.s.out = append(w.s.out, '\r', '\n')
	default:
		w.s.push(p)
	}
}

// finish completes the response.
func (w *response) finish() {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.over.Store(true)
	w.release(true)
	if w.chunking {
		w.s.out = append(w.s.out, "0\r\n"...)
		w.writeTrailers()
		w.s.out = append(w.s.out, '\r', '\n')
	}
	w.s.flush()
}

func (w *response) writeTrailers() {
	for name, values := range w.header {
		if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok && isToken(name) {
			for _, v := range values {
				w.s.out = appendField(w.s.out, name, v)
			}
		}
	}
	for _, name := range w.trailers {
		for _, v := range w.header[name] {
			w.s.out = appendField(w.s.out, name, v)
		}
	}
}

// reusable says whether both sides agree where this response ended.
func (w *response) reusable() bool {
	short := !w.head && w.length >= 0 && w.bodyAllowed() && w.length != w.written
	return !w.closeAfter && !short && w.s.writeErr == nil && !w.s.c.server.closing.Load()
}

// push appends to the output, which is written once it is full; what does not fit is not copied, where the connection can
// write two buffers at once.
func (s *session) push(p []byte) {
	for len(s.out)+len(p) > cap(s.out) && s.writeErr == nil {
		piece := p[:min(len(p), writeBytes)]
		if s.gather == nil && len(s.out) > 0 { // two writes would be two TLS records: fill the first
			piece = p[:min(len(p), cap(s.out)-len(s.out))]
			s.out = append(s.out, piece...)
			s.flush()
		} else {
			s.write(piece)
		}
		p = p[len(piece):]
	}
	s.out = append(s.out, p...)
}

// flush writes the output.
func (s *session) flush() {
	if len(s.out) > 0 {
		s.write(nil)
	}
}

// write writes the output and p, which is not kept. After the first error, everything is dropped.
func (s *session) write(p []byte) {
	if s.writeErr == nil {
		s.now = time.Now()
		s.armWrite(s.now)
		switch {
		case len(s.out) == 0:
			_, s.writeErr = s.c.rwc.Write(p)
		case len(p) == 0:
			_, s.writeErr = s.c.rwc.Write(s.out)
		default: // gather is set: push sees to it
			s.vector = [2][]byte{s.out, p}
			s.buffers = s.vector[:]
			_, s.writeErr = s.buffers.WriteTo(s.gather)
			s.vector = [2][]byte{}
		}
		if s.writeErr != nil {
			s.watch.cancel(nil) // nobody is left to answer
		}
	}
	s.out = s.out[:0]
}
