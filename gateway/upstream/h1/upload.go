package h1

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// uploadBytes is the size of an upload's buffer, as io.Copy's: at 4 KiB twice as many system calls cost 15 % more.
const uploadBytes = 32 << 10

// sizeRoom is space for a chunk's size before its data, so that both go out in one write: 8000\r\n.
const sizeRoom = 6

var uploadBuffers = sync.Pool{New: func() any {
	b := make([]byte, sizeRoom+uploadBytes+2)
	return &b
}}

// upload is a body that is sent by a goroutine of its own.
type upload struct {
	started bool
	length  int64 // -1: in chunks
	trailer http.Header

	read, sent  atomic.Int64
	bodyFailure atomic.Pointer[error] // what the request's body failed with
}

// prepareUpload decides whether the body goes with the header.
func (e *exchange) prepareUpload() {
	w := e.wire
	if w.bodyLength < 0 || w.bodyLength > inlineBody || w.expects {
		e.up = &upload{length: w.bodyLength, trailer: e.req.Trailer}
		e.held = w.expects
	}
}

func (e *exchange) startUpload() {
	e.held = false
	e.up.started = true
	e.parties.Add(1)
	go e.upload()
}

// upload sends the body. A body that fails breaks the connection, since the endpoint cannot be told otherwise; an endpoint
// that stops reading does not: its answer may be on the way.
func (e *exchange) upload() {
	buf := uploadBuffers.Get().(*[]byte)
	err := e.send(*buf)
	uploadBuffers.Put(buf)
	if err == nil {
		e.armAfterUpload()
	} else if e.up.bodyFailure.Load() == nil { // the connection failed
		e.spoiled.Store(true)
		err = nil
	}
	e.closeBody()
	e.leave(err == nil)
}

func (e *exchange) send(buf []byte) error {
	body, left := e.req.Body, e.up.length
	for ended := false; !ended; {
		n, err := body.Read(buf[sizeRoom : sizeRoom+uploadBytes])
		e.up.read.Add(int64(n))
		ended = errors.Is(err, io.EOF)
		if err != nil && !ended {
			return e.bodyFailed(fmt.Errorf("read the request's body: %w", err))
		}
		if e.up.length >= 0 {
			if left -= int64(n); left < 0 || ended && left > 0 {
				return e.bodyFailed(bodyLengthError(e.up.length, e.up.read.Load()))
			}
		}
		if err := e.sendPiece(buf, n, ended); err != nil {
			return err
		}
	}
	return nil
}

// sendPiece sends n bytes of buf, behind the room for a size.
func (e *exchange) sendPiece(buf []byte, n int, last bool) error {
	from, to := sizeRoom, sizeRoom+n
	if e.up.length < 0 && n > 0 {
		from = sizeRoom - putSize(buf[:sizeRoom], n)
		to += copy(buf[to:], "\r\n")
	}
	piece := buf[from:to]
	if e.up.length < 0 && last {
		piece = append(piece[:len(piece):len(piece)], "0\r\n"...)
		for name, values := range e.up.trailer {
			for _, v := range values {
				if allowedTrailer(name) && isValue(v) {
					piece = appendField(piece, name, v)
				}
			}
		}
		piece = append(piece, '\r', '\n')
	}
	if len(piece) == 0 {
		return nil
	}
	sent, err := e.conn.rw.Write(piece)
	e.up.sent.Add(int64(sent))
	return err
}

// putSize writes a chunk's size to the end of room, and says how many bytes that took.
func putSize(room []byte, n int) int {
	const digits = "0123456789abcdef"
	i := copy(room[len(room)-2:], "\r\n")
	for ; n > 0; n >>= 4 {
		i++
		room[len(room)-i] = digits[n&15]
	}
	return i
}

func (e *exchange) bodyFailed(err error) error {
	e.up.bodyFailure.Store(&err)
	return err
}

// armAfterUpload starts the header timeout, which the end of the request begins.
func (e *exchange) armAfterUpload() {
	timeout := e.client.s.HeaderTimeout
	if timeout <= 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.headRead {
		e.lateArm = true
		_ = e.conn.rw.SetReadDeadline(time.Now().Add(timeout)) // fails on closed connections only
	}
}
