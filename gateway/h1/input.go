package h1

import (
	"bytes"
	"io"
)

// bufferBytes is the size of the read and write buffers of a busy connection: one page, in which nearly every head fits.
const bufferBytes = 4 << 10

// input is what was read from a connection and not used yet. Bytes it answers are valid until the next fill.
type input struct {
	buf  []byte
	r, w int
}

func (in *input) bytes() []byte { return in.buf[in.r:in.w] }
func (in *input) len() int      { return in.w - in.r }
func (in *input) skip(n int)    { in.r += n }

// put appends one byte that was read elsewhere.
func (in *input) put(b byte) {
	in.makeRoom()
	in.buf[in.w] = b
	in.w++
}

// fill reads once and appends. It answers an error only if nothing was read: errors of connections repeat themselves.
func (in *input) fill(r io.Reader) error {
	in.makeRoom()
	n, err := r.Read(in.buf[in.w:])
	in.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// makeRoom leaves room for at least one byte. Who fills bounds how large that can become.
func (in *input) makeRoom() {
	switch {
	case in.r == in.w:
		in.r, in.w = 0, 0
	case in.w < len(in.buf):
		return
	case in.r > 0:
		in.w = copy(in.buf, in.buf[in.r:in.w])
		in.r = 0
	default:
		larger := make([]byte, 2*len(in.buf))
		copy(larger, in.buf)
		in.buf = larger
	}
}

// reset forgets everything, and a buffer that grew.
func (in *input) reset() {
	in.r, in.w = 0, 0
	if len(in.buf) != bufferBytes {
		in.buf = make([]byte, bufferBytes)
	}
}

// lines finds the end of a block of lines, as it arrives piece by piece.
type lines struct {
	start int // of the line looked at, from the block's first byte
	seen  int // bytes of that line known to hold no line end
	count int // complete lines, the empty last one not among them
	first int // length of the first line, if it is complete
}

// advance looks at what has arrived of the block. It answers the block's length including its empty line, or 0 if that is
// still to come. A line that ends without CR is refused: readers disagree about whether that is an end.
func (l *lines) advance(block []byte) (int, error) {
	for {
		i := bytes.IndexByte(block[l.start+l.seen:], '\n')
		if i < 0 {
			l.seen = len(block) - l.start
			return 0, nil
		}
		end := l.start + l.seen + i
		if end == l.start || block[end-1] != '\r' {
			return 0, errBareLF
		}
		if end == l.start+1 {
			return end + 1, nil
		}
		if l.count == 0 {
			l.first = end + 1
		}
		l.start, l.seen = end+1, 0
		l.count++
	}
}
