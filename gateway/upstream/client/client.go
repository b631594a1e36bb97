// Package client chooses how an endpoint is spoken to. HTTP/1.1 is package h1's: on the caller's goroutine, with pools of its
// own. HTTP/2, in TLS or with prior knowledge, and endpoints of which only the TLS handshake tells what they speak, are left
// to net/http's transport, whose multiplexing needs goroutines anyhow. Both report errors and timings in the types of h1.
//
// What HTTP/2 does not do: Warm dials nothing; MaxConns, MaxWaiting, WaitTimeout, MinIdle and MaxAge have no effect, since
// one connection carries many requests, and further ones are dialed when the endpoint allows no more streams on it. The
// goroutines of HTTP/2 connections end with CloseIdleConnections, or with their last request after Close.
package client

import (
	"context"
	"fmt"
	"net/http"

	"github.com/tailgate-otel/tailgate/gateway/upstream/h1"
)

// Protocol is what an endpoint speaks.
type Protocol string

// The protocols.
const (
	HTTP1 Protocol = "http1"
	HTTP2 Protocol = "http2" // in TLS
	H2C   Protocol = "h2c"   // without TLS, by prior knowledge
	Auto  Protocol = "auto"  // HTTP/2 or HTTP/1.1, as the TLS handshake (ALPN) decides
)

// Client sends requests to one endpoint.
type Client interface {
	http.RoundTripper
	// Do is RoundTrip with a call, which may be nil and belongs to Do until it returns. Errors, those of the response's body
	// included, are of type *h1.Error.
	Do(req *http.Request, call *h1.Call) (*http.Response, error)
	Warm(ctx context.Context) error
	CloseIdleConnections()
	Close()
	Stats() h1.Stats
}

var (
	_ Client = (*h1.Client)(nil)
	_ Client = (*transport)(nil)
)

// New returns a client for an endpoint that speaks the protocol. It opens no connection.
func New(p Protocol, s h1.Settings) (Client, error) {
	switch {
	case (p == HTTP2 || p == Auto) && s.TLS == nil:
		return nil, fmt.Errorf("protocol %s needs TLS; without TLS it is %s or %s", p, HTTP1, H2C)
	case p == H2C && s.TLS != nil:
		return nil, fmt.Errorf("protocol %s is for connections without TLS; with TLS it is %s", H2C, HTTP2)
	case p == HTTP1:
		return h1.New(s)
	case p == HTTP2, p == H2C, p == Auto:
		return newTransport(p, s)
	}
	return nil, fmt.Errorf("unknown protocol %q: it is one of %s, %s, %s, %s", p, HTTP1, HTTP2, H2C, Auto)
}
