package h1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// readHead reads up to the end of the final response's header, into e.res. Informational responses go to the call.
func (e *exchange) readHead() error {
	s := &e.client.s
	switch {
	case e.held:
		e.conn.arm(time.Now().Add(s.ContinueTimeout))
	case e.up == nil && s.HeaderTimeout > 0:
		e.conn.arm(time.Now().Add(s.HeaderTimeout))
	}
	for informational := 0; ; {
		block, err := e.readBlock(s.MaxHeaderBytes)
		if e.held && err != nil && isTimeout(err) && e.req.Context().Err() == nil {
			e.release()
			continue
		}
		if err != nil {
			return err
		}
		e.res = http.Response{Request: e.req, TLS: e.conn.tls}
		if err := parseHead(block, &e.res, s.MaxHeaders); err != nil {
			return err
		}
		if e.res.StatusCode >= 200 || e.res.StatusCode == http.StatusSwitchingProtocols {
			return nil
		}
		if informational += len(block); informational > s.MaxHeaderBytes {
			return ProtocolError(fmt.Sprintf("informational responses of more than %d bytes", s.MaxHeaderBytes))
		}
		if err := e.inform(); err != nil {
			return err
		}
	}
}

// release sends a body that was held back.
func (e *exchange) release() {
	e.conn.arm(time.Time{})
	e.startUpload()
}

// inform passes an informational response on.
func (e *exchange) inform() error {
	status, header := e.res.StatusCode, e.res.Header
	if status == http.StatusContinue && e.held {
		e.release()
	}
	if e.call.Informational != nil {
		return e.call.Informational(status, header)
	}
	trace := httptrace.ContextClientTrace(e.req.Context())
	if trace == nil {
		return nil
	}
	if status == http.StatusContinue && trace.Got100Continue != nil {
		trace.Got100Continue()
	}
	if trace.Got1xxResponse != nil {
		return trace.Got1xxResponse(status, textproto.MIMEHeader(header))
	}
	return nil
}

// readBlock reads a header as one string, up to and with its empty line.
func (e *exchange) readBlock(limit int) (string, error) {
	in := &e.conn.in
	for seen := 0; ; {
		text := in.bytes()
		if len(text) > 0 && !e.firstByte {
			e.firstByte = true
			e.call.Timings.FirstByte = time.Since(e.start)
		}
		if n := min(len(text), len(protocolPrefix)); string(text[:n]) != protocolPrefix[:n] {
			return "", ProtocolError(fmt.Sprintf("malformed answer: it begins with %q, not with HTTP/1", text[:min(len(text), 16)]))
		}
		end := headEnd(text, seen)
		if end > limit || end == 0 && len(text) >= limit {
			return "", ProtocolError(fmt.Sprintf("the response's header is larger than %d bytes", limit))
		}
		if end > 0 {
			block := string(text[:end])
			in.skip(end)
			return block, nil
		}
		seen = max(len(text)-2, 0)
		if err := e.conn.fill(limit); err != nil {
			return "", headError(err, len(text) > 0)
		}
	}
}

const protocolPrefix = "HTTP/1."

func headError(err error, begun bool) error {
	switch {
	case isTimeout(err):
		return fmt.Errorf("the header timeout passed: %w", err)
	case begun:
		return cutShort(err)
	case errors.Is(err, io.EOF):
		return errConnClosed
	}
	return err
}

// headEnd finds the end of the empty line after a header, from seen on; 0: not there yet. Lines may end in LF alone (RFC
// 9112, section 2.2): the header is written anew for the client, so that nobody can read it differently.
func headEnd(b []byte, seen int) int {
	for i := seen; ; {
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			return 0
		}
		i += n + 1
		switch rest := b[i:]; {
		case len(rest) > 0 && rest[0] == '\n':
			return i + 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return i + 2
		}
	}
}

// parseHead reads a header into r. Strings of r are parts of block; the values share one array.
func parseHead(block string, r *http.Response, maxFields int) error {
	line, rest := cutLine(block)
	if err := parseStatus(line, r); err != nil {
		return err
	}
	h, err := parseFields(rest, maxFields)
	r.Header = h
	return err
}

// parseStatus reads HTTP/1.x, a space, three digits and, after a space, whatever text (RFC 9112, section 4).
func parseStatus(line string, r *http.Response) error {
	const at = len("HTTP/1.1 ")
	if len(line) < at+3 || line[at-1] != ' ' || line[at-2] < '0' || line[at-2] > '9' || len(line) > at+3 && line[at+3] != ' ' || !isValue(line) {
		return ProtocolError("malformed status line")
	}
	code := line[at : at+3]
	for i := range len(code) {
		if code[i] < '0' || code[i] > '9' {
			return ProtocolError("malformed status code")
		}
	}
	if code[0] == '0' {
		return ProtocolError("malformed status code")
	}
	r.Status, r.StatusCode = line[at:], int(code[0]-'0')*100+int(code[1]-'0')*10+int(code[2]-'0')
	r.Proto, r.ProtoMajor, r.ProtoMinor = line[:at-1], 1, int(line[at-2]-'0')
	return nil
}

// parseFields reads fields up to the end of text or an empty line.
func parseFields(text string, limit int) (http.Header, error) {
	count := strings.Count(text, "\n") - 1
	if count > limit {
		return nil, ProtocolError(fmt.Sprintf("the response's header has more than %d fields", limit))
	}
	h := make(http.Header, max(count, 0))
	values := make([]string, 0, max(count, 0))
	for {
		var line string
		if line, text = cutLine(text); line == "" {
			return h, nil
		}
		name, value, ok := strings.Cut(line, ":")
		if line[0] == ' ' || line[0] == '\t' {
			return nil, ProtocolError("malformed header: folded line")
		}
		if name = canonical(name); !ok || name == "" {
			return nil, ProtocolError("malformed header: invalid name")
		}
		value = strings.Trim(value, " \t")
		if !isValue(value) {
			return nil, ProtocolError("malformed header: control character in a value")
		}
		if before := h[name]; before != nil {
			h[name] = append(before, value)
			continue
		}
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
}

func cutLine(text string) (line, rest string) {
	line, rest, _ = strings.Cut(text, "\n")
	return strings.TrimSuffix(line, "\r"), rest
}

// begin makes the response that the caller gets.
func (e *exchange) begin() error {
	r, c := &e.res, e.conn
	if e.up != nil {
		e.mu.Lock()
		e.headRead = true
		c.armed = c.armed || e.lateArm
		e.mu.Unlock()
	}
	if e.held { // the endpoint waits for a body that it will not get
		e.spoiled.Store(true)
		e.closeBody()
	}
	e.final = true
	keep, upgrade := !e.wire.close, e.wire.upgrade
	length, err := frame(r, e.req.Method)
	if err == nil && r.StatusCode == http.StatusSwitchingProtocols {
		if err = e.upgrade(upgrade); err == nil {
			e.freeWire()
			return nil
		}
	}
	if err != nil {
		return e.fail(PhaseHeaders, err)
	}
	e.freeWire()
	keep = keep && !r.Close
	if length == 0 {
		r.Body = http.NoBody
		e.endResponse(keep)
		return nil
	}
	e.body = body{e: e, left: length, keep: keep, chunked: len(r.TransferEncoding) > 0}
	r.Body = &e.body
	return nil
}

// frame finds out where the body ends (RFC 9112, section 6.3), and fills in what net/http fills in. What two readers could
// understand in two ways is an error, where net/http picks one.
func frame(r *http.Response, method string) (int64, error) {
	length, err := contentLength(r.Header)
	if err != nil {
		return 0, err
	}
	coding, coded := r.Header["Transfer-Encoding"]
	bodyless := method == http.MethodHead || r.StatusCode < 200 || r.StatusCode == http.StatusNoContent || r.StatusCode == http.StatusNotModified
	switch {
	case !coded:
	case r.ProtoMinor == 0:
		return 0, ProtocolError("malformed message: Transfer-Encoding in HTTP/1.0")
	case length >= 0:
		return 0, ProtocolError("malformed message: both Transfer-Encoding and Content-Length")
	case len(coding) != 1 || !strings.EqualFold(coding[0], "chunked"):
		return 0, ProtocolError(fmt.Sprintf("unsupported transfer encoding %q", coding))
	default:
		delete(r.Header, "Transfer-Encoding")
		r.TransferEncoding = []string{"chunked"}
		if err := promise(r); err != nil {
			return 0, err
		}
	}
	connection := r.Header["Connection"]
	r.Close = anyToken(connection, "close") || r.ProtoMinor == 0 && !anyToken(connection, "keep-alive")
	r.ContentLength = length
	if bodyless {
		if method != http.MethodHead {
			r.ContentLength = 0
		}
		return 0, nil
	}
	if length < 0 && !coded {
		r.Close = true
	}
	return length, nil
}

// contentLength reads Content-Length: digits only, and the same in every line that there is. -1: none.
func contentLength(h http.Header) (int64, error) {
	lines := h["Content-Length"]
	if len(lines) == 0 {
		return -1, nil
	}
	for _, l := range lines {
		if l != lines[0] {
			return 0, ProtocolError("malformed message: conflicting Content-Length fields")
		}
	}
	n, err := strconv.ParseUint(lines[0], 10, 63)
	if err != nil {
		return 0, ProtocolError("malformed message: invalid Content-Length")
	}
	if len(lines) > 1 {
		h["Content-Length"] = lines[:1]
	}
	return int64(n), nil
}

// promise moves the names of trailers to r.Trailer, without values until the body ends.
func promise(r *http.Response) error {
	lists, ok := r.Header["Trailer"]
	if !ok {
		return nil
	}
	delete(r.Header, "Trailer")
	r.Trailer = http.Header{}
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			name = textproto.CanonicalMIMEHeaderKey(strings.Trim(name, " \t"))
			if name == "" {
				continue
			}
			if !allowedTrailer(name) {
				return ProtocolError("malformed message: a trailer that is not allowed")
			}
			r.Trailer[name] = nil
		}
	}
	return nil
}
