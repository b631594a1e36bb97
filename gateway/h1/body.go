package h1

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// The bounds of draining: a body that its handler did not read is read for it if little is left, so that the connection can
// serve on. net/http draws the line at the same size; the time is ours, since a client could spend hours on it.
const (
	drainBytes = 256 << 10
	drainTime  = 5 * time.Second
)

// continueResponse lets a client that asked for it send its body.
const continueResponse = "HTTP/1.1 100 Continue\r\n\r\n"

// errBodyGone is what reading a body answers that the server finished off itself.
var errBodyGone = http.ErrBodyReadAfterClose

// body is a request's body on its way through the connection's input. Other goroutines than the handler's may read it, and
// may still try when the handler has returned.
type body struct {
	s       *session
	w       *response
	chunked bool

	awaitedMu sync.Mutex  // held while the 100 Continue or another informational response is written, or ruled out
	awaited   atomic.Bool // the client waits for 100 Continue

	complete atomic.Bool // the end was reached; nothing here touches the input any more

	mu       sync.Mutex    // guards what follows; held while reading, so that finish can wait for a read's end
	left     int64         // bytes of the body, or of its current chunk
	inChunks bool          // the first chunk was begun
	excess   int           // bytes of chunk framing beyond what the data justify
	err      error         // what every further read answers
	patience time.Duration // how long reads may still wait until the minimum has arrived; 0: nothing was read yet
	arrived  int           // bytes since patience was full
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	if b.awaited.Load() {
		b.sendContinue()
	}
	n, err := b.read(p)
	b.err = err
	return n, err
}

// read reads from the connection, and says io.EOF together with the last bytes, which lets whoever passes the body on
// finish without another call. mu held.
func (b *body) read(p []byte) (int, error) {
	if b.chunked {
		return b.readChunks(p)
	}
	n, err := b.take(p)
	if err == nil && b.left == 0 {
		return n, b.end()
	}
	return n, err
}

// end marks the body as read. mu held.
func (b *body) end() error {
	b.complete.Store(true)
	return io.EOF
}

// take reads up to left bytes, from the input first. mu held.
func (b *body) take(p []byte) (int, error) {
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	in := &b.s.in
	if in.len() == 0 {
		if len(p) >= bufferBytes/2 { // straight into the caller's buffer, which saves copying
			n, err := b.readConn(p)
			b.left -= int64(n)
			return n, err
		}
		if err := b.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, in.bytes())
	in.skip(n)
	b.left -= int64(n)
	return n, nil
}

func (b *body) readConn(p []byte) (int, error) {
	start := b.arm()
	n, err := b.s.c.rwc.Read(p)
	b.progress(n, start)
	if n > 0 {
		return n, nil
	}
	return 0, b.cutShort(err)
}

// fill reads more of the body into the input. mu held.
func (b *body) fill() error {
	start := b.arm()
	before := b.s.in.len()
	err := b.s.in.fill(b.s.c.rwc)
	b.progress(b.s.in.len()-before, start)
	return b.cutShort(err)
}

// cutShort: a connection that ends or stalls within a body has not ended well, and the request is not worth going on with.
func (b *body) cutShort(err error) error {
	if err == nil {
		return nil
	}
	b.w.cancel(nil)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// arm bounds the next read by the time that the client may still take, and answers when the read begins. mu held.
func (b *body) arm() time.Time {
	limit := b.s.c.server.s.BodyTimeout
	switch {
	case b.s.ownRead.Load():
		return time.Time{}
	case limit < 0:
		if !b.s.readDeadline.IsZero() { // the one for the head
			b.s.armRead(time.Time{}, 0)
		}
		return time.Time{}
	}
	if b.patience == 0 {
		b.patience = limit
	}
	now := time.Now()
	b.s.armRead(now.Add(b.patience), limit/8)
	return now
}

// progress takes the time that a read waited from the client's account, which is filled up whenever the minimum has
// arrived. Time in which the handler does not read costs the client nothing. mu held.
func (b *body) progress(n int, start time.Time) {
	if start.IsZero() {
		return
	}
	limits := &b.s.c.server.s
	b.arrived += n
	b.patience -= time.Since(start)
	if b.arrived >= limits.MinBodyBytes {
		b.arrived, b.patience = 0, limits.BodyTimeout
	}
	b.patience = max(b.patience, 1) // the next read fails at once
}

// sendContinue asks the client for the body it holds back.
func (b *body) sendContinue() {
	b.awaitedMu.Lock()
	defer b.awaitedMu.Unlock()
	if b.awaited.Swap(false) {
		b.s.armWrite(time.Now())
		_, _ = io.WriteString(b.s.c.rwc, continueResponse) // if the connection is broken, reading says so
	}
}

// noContinue rules the 100 Continue out, because a final answer is on its way.
func (b *body) noContinue() {
	b.awaitedMu.Lock()
	b.awaited.Store(false)
	b.awaitedMu.Unlock()
}

// Close implements io.Closer: further reads answer an error. What is left on the connection is finish's to clear.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.drain()
	}
	b.err = errBodyGone
	return nil
}

// drain reads what is left and thrown away, within bounds, and says whether the end was reached. mu held.
func (b *body) drain() bool {
	switch {
	case b.complete.Load():
		return true
	case b.err != nil && !errors.Is(b.err, errBodyGone), b.awaited.Load(), !b.chunked && b.left > drainBytes, b.s.broken.Load():
		return false
	}
	b.s.ownRead.Store(true) // no window opens while there is a deadline for all of it
	b.s.readDeadline = time.Time{}
	b.s.armRead(time.Now().Add(drainTime), 0)
	var scrap [2 << 10]byte
	for read := 0; read <= drainBytes; {
		n, err := b.read(scrap[:])
		read += n
		if err != nil {
			b.err = err
			return b.complete.Load()
		}
	}
	return false
}

// finish ends the body with its request: no read comes through any more. It says whether the connection stands at the
// body's end; with try it goes there, if that is not far.
func (b *body) finish(try bool) bool {
	if !b.mu.TryLock() { // someone reads: that must end before anything else can be read from the connection
		try = false
		b.s.breakOff()
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	if try {
		b.drain()
	}
	b.err = errBodyGone
	return b.complete.Load()
}

// drainBefore reads the rest of the body before a response begins, for clients that read no response until they have sent
// everything, as net/http does. It says whether the connection can be used on.
func (b *body) drainBefore() bool {
	if b.complete.Load() {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	done := b.drain()
	b.err = errBodyGone
	return done
}
