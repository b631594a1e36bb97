package h1

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// maxResends is how often a request is sent again on another idle connection after it met a dead one; then it gets a new
// connection. One restart of an endpoint kills all idle connections at once, and the poll before use finds nearly all.
const maxResends = 2

// uploadGrace is how long an upload may go on after the end of its response, before the connection is given up: the last
// bytes of a request and the end of its response may cross, and net/http waits as long.
const uploadGrace = 50 * time.Millisecond

// exchange is a request and its response. The caller's goroutine owns it, and what is marked as shared is shared with the
// upload and with abort, which runs when the context ends.
type exchange struct {
	req    *http.Request
	client *Client
	call   *Call

	stop func() bool // takes back the context's call of abort; false: it has been made
	wire *wire       // the request as it goes out, kept until an answer comes
	up   *upload     // the rest of the body, when it is sent by its own goroutine
	held bool        // the body waits for 100 Continue

	start     time.Time
	sent      int64
	firstByte bool
	final     bool // the response's header was read: no other attempt follows

	mu       sync.Mutex // guards the next four; never held while waiting
	conn     *conn      // written by the caller's goroutine, or when both parties have left
	aborted  bool
	headRead bool
	lateArm  bool // the upload's end has armed the header timeout

	// The response and the upload end in any order; the last one settles the connection.
	parties    atomic.Int32
	spoiled    atomic.Bool
	grace      *time.Timer
	bodyClosed atomic.Bool

	res     http.Response
	body    body
	ownCall Call
}

// run carries out the exchange up to the response's header.
func (e *exchange) run() (*http.Response, error) {
	e.wire = newWire()
	if ctx := e.req.Context(); ctx.Done() != nil {
		e.stop = context.AfterFunc(ctx, e.abort)
	}
	err := e.encode()
	for err == nil {
		if err = e.attempt(); err == nil {
			return &e.res, nil
		}
		if !e.again(err) {
			break
		}
		err = nil
		e.call.Timings.Resent++
	}
	e.freeWire()
	if e.stop != nil {
		e.stop()
	}
	if e.up == nil || !e.up.started {
		e.closeBody()
	}
	return nil, err
}

// encode makes the request ready to be sent, with its body if that is small.
func (e *exchange) encode() error {
	err := e.wire.request(e.req)
	if err == nil {
		e.prepareUpload()
	}
	if err == nil && e.up == nil && e.wire.bodyLength > 0 {
		err = e.wire.readBody(e.req.Body)
		e.closeBody()
	}
	if err == nil {
		return nil
	}
	return (&Error{Phase: PhaseRequest, BodyRead: e.wire.bodyRead, Err: err}).Ended(e.req.Context())
}

// again says whether a failed attempt is to be followed by one on another connection.
func (e *exchange) again(err error) bool {
	var failure *Error
	if !errors.As(err, &failure) || !failure.Reused || e.call.Timings.Resent > maxResends {
		return false
	}
	if e.up != nil && e.up.started { // its body is not kept, and closed
		return false
	}
	return failure.repeatable(e.req.Method)
}

// attempt sends the request on one connection and reads the header of the response.
func (e *exchange) attempt() error {
	t := &e.call.Timings
	c, err := e.client.pool.get(e.req.Context(), t, t.Resent >= maxResends)
	if err != nil {
		err.BodyRead = e.wire.bodyRead
		return err
	}
	e.start, e.sent, e.firstByte = time.Now(), 0, false
	e.spoiled.Store(false)
	e.parties.Store(1)
	if !e.attach(c) {
		return e.fail(PhaseWrite, nil)
	}
	n, writeErr := c.rw.Write(e.wire.buf)
	e.sent = int64(n)
	if writeErr != nil {
		return e.writeFailed(writeErr)
	}
	if e.up != nil && !e.held {
		e.startUpload()
	}
	if err := e.readHead(); err != nil {
		return e.fail(PhaseHeaders, err)
	}
	return e.begin()
}

// writeFailed looks for an answer of an endpoint that took the connection and refused to read: it may have said why.
func (e *exchange) writeFailed(err error) error {
	c := e.conn
	if c.served || e.req.Context().Err() != nil {
		return e.fail(PhaseWrite, err)
	}
	e.spoiled.Store(true)
	if e.up != nil {
		e.closeBody()
		e.up, e.held = nil, false
	}
	c.arm(time.Now().Add(uploadGrace))
	if c.fill(readBytes) != nil || e.readHead() != nil {
		return e.fail(PhaseWrite, err)
	}
	return e.begin()
}

// attach makes c the connection that abort closes, unless it is too late.
func (e *exchange) attach(c *conn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.conn = c
	return !e.aborted
}

// abort ends everything that waits, because the context did. It runs on a goroutine of its own.
func (e *exchange) abort() {
	e.mu.Lock()
	e.aborted = true
	c := e.conn
	e.mu.Unlock()
	if c != nil {
		c.abort()
	}
	e.closeBody()
}

// closeBody closes the request's body once, which ends a read of it.
func (e *exchange) closeBody() {
	if e.req.Body != nil && !e.bodyClosed.Swap(true) {
		_ = e.req.Body.Close() // nobody to tell
	}
}

// fail gives the connection up and says why: the end of the context before the body's failure, and that before what it
// made of the connection.
func (e *exchange) fail(phase Phase, err error) error {
	failure := e.failure(phase, err)
	e.leave(false)
	return failure
}

func (e *exchange) failure(phase Phase, err error) *Error {
	f := &Error{Phase: phase, Sent: e.sent, BodyRead: e.wireBodyRead(), Answered: e.firstByte, Reused: e.conn.served, Err: err}
	if e.up != nil {
		f.Sent += e.up.sent.Load()
		f.BodyRead += e.up.read.Load()
		if cause := e.up.bodyFailure.Load(); cause != nil {
			f.Phase, f.Err = PhaseWrite, *cause
		}
	}
	return f.Ended(e.req.Context())
}

func (e *exchange) wireBodyRead() int64 {
	if e.wire == nil {
		return max(e.req.ContentLength, 0)
	}
	return e.wire.bodyRead
}

func (e *exchange) freeWire() {
	if e.wire != nil {
		e.wire.free()
		e.wire = nil
	}
}

// leave ends one party's part in the connection: the response's or the upload's. reusable says that it left the connection
// at the end of its message. What is not reusable is closed at once, which ends the other party too.
func (e *exchange) leave(reusable bool) {
	if !reusable {
		e.spoiled.Store(true)
		e.conn.abort()
		if e.up != nil && e.up.started {
			go e.closeBody() // closing the body of a server's request waits for a read of it, which may wait for a slow client
		}
	}
	if e.parties.Add(-1) == 0 {
		e.settle()
	}
}

// endResponse is leave for a response that came to its end. An upload that goes on gets a short time.
func (e *exchange) endResponse(reusable bool) {
	reusable = reusable && e.conn.in.len() == 0 && !e.spoiled.Load()
	if e.up != nil && e.up.started && reusable && e.parties.Load() > 1 {
		runtime.Gosched() // mostly the last write is over, and its goroutine only has to run to give the connection back
		e.grace = time.AfterFunc(uploadGrace, e.abort)
	}
	e.leave(reusable)
}

// settle gives the connection back or up. Both parties are through with it; only abort may still come, and when that cannot
// be taken back the connection goes to nobody else.
func (e *exchange) settle() {
	clean := e.grace == nil || e.grace.Stop()
	if e.final && e.stop != nil && !e.stop() {
		clean = false
	}
	e.mu.Lock()
	c := e.conn
	clean = clean && !e.spoiled.Load() // interrupt spoils with the lock held
	e.conn = nil
	e.mu.Unlock()
	if clean {
		c.served = true
		e.client.pool.put(c)
		return
	}
	c.abort()
	e.client.pool.gone()
}
