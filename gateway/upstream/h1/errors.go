package h1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// Phase is how far an exchange came.
type Phase uint8

// The phases of an exchange, in their order.
const (
	PhaseRequest Phase = iota // checking the request and reading a small body
	PhaseWait                 // waiting for one of MaxConns connections
	PhaseConnect              // resolving and connecting
	PhaseTLS                  // the handshake
	PhaseWrite                // sending
	PhaseHeaders              // waiting for and reading the response's header
	PhaseBody                 // reading the response's body
)

func (p Phase) String() string {
	switch p {
	case PhaseRequest:
		return "request"
	case PhaseWait:
		return "wait for a connection"
	case PhaseConnect:
		return "connect"
	case PhaseTLS:
		return "tls"
	case PhaseWrite:
		return "write"
	case PhaseHeaders:
		return "wait for headers"
	case PhaseBody:
		return "read body"
	}
	return "unknown"
}

// Error is how an exchange failed.
type Error struct {
	Phase    Phase
	Sent     int64 // bytes of the request, header included, that the kernel took on the last connection
	BodyRead int64 // bytes that were read from the request's body
	Answered bool  // some of a response came
	Reused   bool  // the connection had served before
	Err      error

	ended bool // the request's context had ended
}

func (e *Error) Error() string { return "h1: " + e.Phase.String() + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Timeout says whether one of the client's timeouts passed, or the context's deadline.
func (e *Error) Timeout() bool {
	var t net.Error
	return errors.As(e.Err, &t) && t.Timeout()
}

// Temporary makes Error a net.Error. It is always false, as for all errors whose retry is decided by more than a flag.
func (e *Error) Temporary() bool { return false }

// Retryable says whether the request can be sent again, here or to another endpoint, without the risk that something happens
// twice: the connection broke before an answer began, nothing is gone of the body, and either nothing was sent or the method
// is idempotent (RFC 9110, section 9.2.2). A timeout after sending, a context that ended and an answer that is not HTTP are
// left to the caller's own rules.
func (e *Error) Retryable(method string) bool {
	return e.BodyRead == 0 && e.repeatable(method)
}

// repeatable is Retryable for a request whose body is still at hand.
func (e *Error) repeatable(method string) bool {
	var protocol ProtocolError
	switch {
	case e.ended, e.Answered, e.Phase == PhaseRequest, errors.As(e.Err, &protocol):
		return false
	case e.Sent == 0:
		return true
	}
	return !e.Timeout() && idempotent(method)
}

// Ended makes the end of ctx the reason of the error, if it has ended: whoever ended the exchange is why it broke.
func (e *Error) Ended(ctx context.Context) *Error {
	if ctx.Err() != nil {
		e.Err, e.ended = cancellation(ctx), true
	}
	return e
}

func idempotent(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// ProtocolError says in which way an answer is not HTTP/1.1, or breaks a limit.
type ProtocolError string

func (e ProtocolError) Error() string { return string(e) }

var (
	// ErrExhausted says that MaxConns connections are in use and that nothing came free in time, or too many wait already.
	ErrExhausted = errors.New("all connections that the endpoint may have are in use")
	// ErrClosed says that the client was closed.
	ErrClosed = errors.New("the client is closed")
)

// errConnClosed is a connection that ended where an answer should have begun.
var errConnClosed = fmt.Errorf("the endpoint closed the connection without an answer: %w", io.EOF)

// cutShort: a connection that ends within a message has not ended well.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// cancellation is why ctx ended: context.Canceled or DeadlineExceeded, and the cause if it has one of its own.
func cancellation(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}
