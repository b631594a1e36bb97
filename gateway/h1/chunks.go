package h1

import (
	"bytes"
	"errors"
	"fmt"
)

// errChunk begins the messages about malformed chunked bodies.
var errChunk = errors.New("h1: malformed chunked body")

// The bounds of chunk framing.
const (
	maxChunkLine = 1 << 10 // extensions are allowed, and ignored; nobody is known to use them
	maxExcess    = 16 << 10
)

// readChunks reads from as many chunks as can be had without waiting again. mu held.
func (b *body) readChunks(p []byte) (n int, err error) {
	for n < len(p) {
		if b.left == 0 {
			if n > 0 && !b.chunkBuffered() {
				break
			}
			if err := b.nextChunk(); err != nil {
				return n, err
			}
			continue
		}
		if n > 0 && b.s.in.len() == 0 {
			break
		}
		m, err := b.take(p[n:])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// chunkBuffered says whether the next chunk can be begun without waiting: its line, and two bytes more, which are all of
// the end if it is the last one.
func (b *body) chunkBuffered() bool {
	rest := b.s.in.bytes()
	if len(rest) < 3 {
		return false
	}
	i := bytes.IndexByte(rest[2:], '\n') // the first two end the chunk before
	return i >= 0 && len(rest)-2-i > 2
}

// nextChunk reads the end of a chunk and the size of the next one; after the last it reads the trailers and answers io.EOF.
func (b *body) nextChunk() error {
	if b.inChunks {
		end, err := b.line(2)
		if err != nil {
			return err
		}
		if len(end) != 0 {
			return fmt.Errorf("%w: a chunk does not end where its size says", errChunk)
		}
	}
	line, err := b.line(maxChunkLine)
	if err != nil {
		return err
	}
	b.inChunks = true
	size, ok := chunkSize(line)
	if !ok {
		return fmt.Errorf("%w: invalid chunk size", errChunk)
	}
	// One byte per chunk is a legitimate stream, but many bytes of extensions per byte of data are an attack: what exceeds
	// 16 bytes per chunk and twice the data adds up.
	b.excess = max(b.excess+len(line)+4-16-int(min(2*uint64(size), maxExcess)), 0)
	if b.excess > maxExcess {
		return fmt.Errorf("%w: more framing than data", errChunk)
	}
	b.left = size
	if size > 0 {
		return nil
	}
	if err := b.trailers(); err != nil {
		return err
	}
	return b.end()
}

// chunkSize reads 1 to 15 hexadecimal digits, then optional blanks and extensions. 15 digits are an exbibyte.
func chunkSize(line []byte) (int64, bool) {
	digits, extension, extended := bytes.Cut(line, []byte(";"))
	if bytes.IndexByte(extension, '\r') >= 0 || extended && len(digits) == 0 {
		return 0, false
	}
	digits = bytes.TrimRight(digits, " \t")
	if len(digits) == 0 || len(digits) > 15 {
		return 0, false
	}
	var size int64
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		size = size<<4 | int64(c)
	}
	return size, true
}

// line reads up to a CRLF, which it leaves out. The bytes are valid until the next read. mu held.
func (b *body) line(limit int) ([]byte, error) {
	for seen := 0; ; {
		text := b.s.in.bytes()
		if i := bytes.IndexByte(text[seen:], '\n'); i >= 0 {
			i += seen
			if i == 0 || text[i-1] != '\r' || i-1 > limit {
				return nil, fmt.Errorf("%w: a line ends without CR, or is too long", errChunk)
			}
			b.s.in.skip(i + 1)
			return text[:i-1], nil
		}
		if seen = len(text); seen > limit+1 {
			return nil, fmt.Errorf("%w: a line is longer than %d bytes", errChunk, limit)
		}
		if err := b.fill(); err != nil {
			return nil, err
		}
	}
}

// trailers reads the fields after the last chunk into the request's trailer, those that were not promised included. mu held.
func (b *body) trailers() error {
	limits := &b.s.c.server.s
	for total, count := 0, 0; ; count++ {
		line, err := b.line(limits.MaxHeaderBytes)
		if err != nil || len(line) == 0 {
			return err
		}
		if total += len(line) + 2; total > limits.MaxHeaderBytes || count >= limits.MaxHeaders {
			return errHeaderBytes
		}
		name, value, err := field(string(line))
		if err != nil {
			return err
		}
		if forbiddenTrailer(name) {
			return errTrailer
		}
		b.w.addTrailer(name, value)
	}
}
