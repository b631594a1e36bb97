package h1

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"
)

// Settings are what a Server needs. A zero duration or number means the default; a negative duration means no limit.
type Settings struct {
	// Handler serves the requests. It must not be nil.
	Handler http.Handler
	// BaseContext carries the values that every request's context has, and its end cancels all requests in flight with its
	// cause. Nil: context.Background().
	BaseContext context.Context
	// HTTP2 takes over a connection that speaks HTTP/2, by ALPN (then it is the *tls.Conn) or by prior knowledge (then what
	// was read of the preface is read again). The Server forgets the connection. Nil: such clients are refused.
	HTTP2 func(net.Conn)

	// MaxHeaderBytes bounds a request's head, request line included, and its trailers. Default 64 KiB: twice what browsers
	// and proxies send at most, and what 10,000 slow clients could make us hold stays below 1 GiB.
	MaxHeaderBytes int
	// MaxHeaders bounds the number of header lines. Default 256, as each costs about 100 bytes beyond its text.
	MaxHeaders int
	// MaxRequestLine bounds the request line, longer ones are answered 414. Default 16 KiB; RFC 9112 asks for at least 8,000.
	MaxRequestLine int

	// HandshakeTimeout bounds the TLS handshake. Default 10s.
	HandshakeTimeout time.Duration
	// ReadHeaderTimeout bounds the time from a request's first byte to the end of its head, and the time a new connection
	// may stay silent. Default 10s.
	ReadHeaderTimeout time.Duration
	// IdleTimeout is how long a connection may wait for its next request. Default 2 min.
	IdleTimeout time.Duration
	// BodyTimeout is how long reads of a request's body may wait, in all, for MinBodyBytes, give or take an eighth. A
	// handler that sets a read deadline of its own takes over. Default 30s.
	BodyTimeout time.Duration
	// MinBodyBytes is the least progress per BodyTimeout, unless the body ends. Default 256: a client that sends a byte a
	// second is stopped after half a minute, one that sends a line every few seconds is not.
	MinBodyBytes int
	// WriteTimeout is how long 64 KiB of a response may take to be accepted by the client's side. A handler that sets a
	// write deadline of its own takes over. Default 30s: 2 KiB/s.
	WriteTimeout time.Duration
	// RequestTimeout bounds a request from the end of its head to the end of its response. It cancels the request's context
	// with ErrRequestTimeout and breaks off its reads and writes. Default none: it would end every long stream.
	RequestTimeout time.Duration
	// Linger is how long a goroutine waits for the next request before the connection is parked. Default 100ms: a client
	// that comes back within it is served without the cost of parking (about 3 µs), and at 10,000 connections with one
	// request every ten seconds one in a hundred holds a goroutine and a buffer.
	Linger time.Duration
	// MaxParked bounds the parked connections. Further ones keep their goroutine, without buffers. Default no bound.
	MaxParked int

	// Refused is told of each request that was answered here instead of by the handler, and of each failed TLS handshake,
	// with status 0. The reasons are a closed set. It may be nil.
	Refused func(status int, reason string)
	// ErrorLog takes panics of handlers and failing accepts. Nil: the log package's standard logger.
	ErrorLog *log.Logger
}

func (s Settings) withDefaults() Settings {
	fallback(&s.BaseContext, context.Background())
	fallback(&s.MaxHeaderBytes, 64<<10)
	fallback(&s.MaxHeaders, 256)
	fallback(&s.MaxRequestLine, 16<<10)
	fallback(&s.HandshakeTimeout, 10*time.Second)
	fallback(&s.ReadHeaderTimeout, 10*time.Second)
	fallback(&s.IdleTimeout, 2*time.Minute)
	fallback(&s.BodyTimeout, 30*time.Second)
	fallback(&s.MinBodyBytes, 256)
	fallback(&s.WriteTimeout, 30*time.Second)
	fallback(&s.Linger, 100*time.Millisecond)
	fallback(&s.ErrorLog, log.Default())
	if s.Refused == nil {
		s.Refused = func(int, string) {}
	}
	return s
}

func fallback[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (s Settings) check() error {
	if s.Handler == nil {
		return errors.New("h1: Handler: must be set")
	}
	for _, n := range []struct {
		name  string
		value int
	}{{"MaxHeaderBytes", s.MaxHeaderBytes}, {"MaxHeaders", s.MaxHeaders}, {"MaxRequestLine", s.MaxRequestLine}, {"MinBodyBytes", s.MinBodyBytes}, {"MaxParked", s.MaxParked}} {
		if n.value < 0 {
			return fmt.Errorf("h1: %s: must not be negative, got %d", n.name, n.value)
		}
	}
	return nil
}

// after answers the time d from now, or none when d is no limit.
func after(now time.Time, d time.Duration) time.Time {
	if d < 0 {
		return time.Time{}
	}
	return now.Add(d)
}
