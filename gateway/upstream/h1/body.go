package h1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// directRead is the least room in the caller's buffer for which the connection's own is passed over.
const directRead = readBytes / 2

// maxChunkLine bounds the line with a chunk's size. Extensions are allowed, and ignored; nobody is known to use them.
const maxChunkLine = 1 << 10

// body is a response's body. Read and Close may be called by different goroutines; a Close during a Read ends it.
type body struct {
	e       *exchange
	chunked bool
	keep    bool // the connection can be used again after the end

	mu    sync.Mutex // guards what follows, and the connection's input; held while reading
	left  int64      // bytes of the body, or of the current chunk; -1 until the connection closes
	stage stage      // of a chunked body
	err   error      // what further reads answer
}

// stage is what comes next in a chunked body once left is 0.
type stage uint8

const (
	chunkSizeNext stage = iota
	chunkEndNext
	trailerNext
)

// Read implements io.Reader. It says io.EOF together with the last bytes, so that the connection is free early.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	var n int
	var err error
	if b.chunked {
		n, err = b.readChunks(p)
	} else {
		n, err = b.readPlain(p)
	}
	switch {
	case err == nil:
	case errors.Is(err, errEnd):
		b.err = io.EOF
		b.e.endResponse(b.keep)
		return n, io.EOF
	default:
		b.err = b.e.fail(PhaseBody, cutShort(err))
		return n, b.err
	}
	return n, nil
}

// errEnd is the end of a body, unlike io.EOF, which is the end of a connection.
var errEnd = errors.New("end of body")

// Close implements io.Closer. A connection with a body that was not read to its end is closed: the rest may be endless.
func (b *body) Close() error {
	if !b.mu.TryLock() { // someone reads
		b.e.interrupt()
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	if b.err == nil {
		b.e.leave(false)
	}
	if !errors.Is(b.err, io.EOF) {
		b.err = http.ErrBodyReadAfterClose
	}
	return nil
}

// interrupt ends a read. The connection may change hands at the same moment, when the read meets the end of the body.
func (e *exchange) interrupt() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.conn; c != nil {
		e.spoiled.Store(true)
		c.abort()
	}
}

// readPlain reads from a body with a length, or one that ends with the connection. mu held.
func (b *body) readPlain(p []byte) (int, error) {
	n, err := b.take(p)
	switch {
	case b.left == 0:
		return n, errEnd
	case b.left < 0 && errors.Is(err, io.EOF):
		return n, errEnd
	}
	return n, err
}

// take reads up to left bytes, from the buffer first. mu held.
func (b *body) take(p []byte) (int, error) {
	if b.left >= 0 && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	c := b.e.conn
	if c.in.len() == 0 {
		c.arm(time.Time{})
		if len(p) >= directRead || int64(len(p)) == b.left && !b.chunked {
			n, err := c.rw.Read(p)
			b.count(n)
			if n > 0 {
				err = nil // it comes again
			}
			return n, err
		}
		if err := c.fill(readBytes); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.in.bytes())
	c.in.skip(n)
	b.count(n)
	return n, nil
}

func (b *body) count(n int) {
	if b.left > 0 {
		b.left -= int64(n)
	}
}

// readChunks reads from as many chunks as can be had without waiting twice. mu held.
func (b *body) readChunks(p []byte) (n int, err error) {
	c := b.e.conn
	for {
		if b.left > 0 {
			if n == len(p) || n > 0 && c.in.len() == 0 {
				return n, nil
			}
			m, err := b.take(p[n:])
			n += m
			if err != nil {
				return n, err
			}
			if b.left == 0 {
				b.stage = chunkEndNext
			}
			continue
		}
		progress, err := b.step()
		switch {
		case err != nil:
			return n, err
		case progress:
			continue
		case n > 0:
			return n, nil
		}
		c.arm(time.Time{})
		if err := c.fill(b.e.client.s.MaxHeaderBytes + 2); err != nil {
			return n, err
		}
	}
}

// step consumes the next piece of framing, if all of it is there. mu held.
func (b *body) step() (progress bool, err error) {
	in := &b.e.conn.in
	if b.stage == trailerNext {
		return b.trailers(in)
	}
	line, ok, err := in.line(maxChunkLine)
	if !ok || err != nil {
		return false, err
	}
	if b.stage == chunkEndNext {
		if len(line) > 0 {
			return false, ProtocolError("malformed chunk: it does not end where its size says")
		}
		b.stage = chunkSizeNext
		return true, nil
	}
	size, ok := chunkSize(line)
	if !ok {
		return false, ProtocolError("malformed chunk: invalid size")
	}
	if b.left = size; size == 0 {
		b.stage = trailerNext
	}
	return true, nil
}

// chunkSize reads 1 to 15 hexadecimal digits, then blanks and extensions as there may be (RFC 9112, section 7.1).
func chunkSize(line []byte) (size int64, ok bool) {
	i := 0
	for ; i < len(line); i++ {
		c := line[i]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			c = 16
		}
		if c == 16 {
			break
		}
		size = size<<4 | int64(c)
	}
	return size, 0 < i && i <= 15 && extension(line[i:])
}

// extension says whether what follows a chunk's size may be there: blanks, which some servers pad with, or a semicolon and
// text.
func extension(rest []byte) bool {
	if len(rest) > 0 && rest[0] == ';' {
		return isValue(string(rest))
	}
	return len(bytes.Trim(rest, " \t")) == 0
}

// trailers reads the fields after the last chunk, once they are there, promised or not. mu held.
func (b *body) trailers(in *input) (bool, error) {
	text, limit := in.bytes(), b.e.client.s.MaxHeaderBytes
	var end int
	if len(text) >= 2 && text[0] == '\r' && text[1] == '\n' {
		end = 2
	} else {
		end = headEnd(text, 0)
	}
	switch {
	case end > limit || end == 0 && len(text) >= limit:
		return false, ProtocolError(fmt.Sprintf("trailers of more than %d bytes", limit))
	case end == 0:
		return false, nil
	}
	h, err := parseFields(string(text[:end]), b.e.client.s.MaxHeaders)
	if err != nil {
		return false, err
	}
	for name, values := range h {
		if !allowedTrailer(name) {
			return false, ProtocolError("malformed message: a trailer that is not allowed")
		}
		if b.e.res.Trailer == nil {
			b.e.res.Trailer = http.Header{}
		}
		b.e.res.Trailer[name] = values
	}
	in.skip(end)
	return false, errEnd
}
