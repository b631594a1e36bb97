// Package h1 is an HTTP/1.1 client for one upstream endpoint that runs on the goroutine of its caller: the request is
// written, the response read and the body streamed where RoundTrip and Body.Read are called. net/http's transport keeps two
// goroutines for each connection and hands every request and response between them and the caller. BenchmarkClientCPU, with
// 64 requests at a time on two cores: 27 to 32 µs of CPU and 16 allocations per request, server and caller included, against
// 41 to 51 µs and 46 allocations.
//
// A Client owns the connections of its endpoint: how many there may be, which idle one is used next (the one used last),
// when an idle one is too old, and whether the endpoint has closed it meanwhile. HTTP/2, proxies, cookies, redirects and
// compression are not its business, neither is the choice among endpoints: an Error says how far a request came, so that
// the caller knows what may be tried elsewhere.
//
// Goroutines: none for a request without a body or with one of a known length up to 16 KiB, which is read before a
// connection is taken and sent together with the header. A larger body, or one whose end is unknown, is sent by a goroutine
// of its own, because the endpoint may answer before it has all of it. That goroutine ends with the exchange, as soon as
// the body's Close or its own end lets go of a Read. A client with idle connections looks after them from a timer, every few
// seconds.
//
// When MaxConns connections are in use, up to MaxWaiting requests wait for WaitTimeout, first come, first served; the rest
// get ErrExhausted at once.
package h1

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"
)

// Settings describe an endpoint and the bounds of its connections. Only Address is needed: zero stands for the default.
type Settings struct {
	Network string      // tcp, tcp4, tcp6 or unix. Default tcp.
	Address string      // host:port; for unix the path of the socket
	TLS     *tls.Config // nil: none. ServerName defaults to the host of Address, NextProtos to http/1.1; sessions are resumed.

	// Dial replaces net.Dialer, which races IPv6 and IPv4 (RFC 8305). TLS goes on top of what it returns.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// ConnectTimeout bounds name resolution, connecting and the TLS handshake together. Default 5s: three SYNs, which go
	// out after 0, 1 and 3 seconds.
	ConnectTimeout time.Duration
	// HeaderTimeout bounds the time from the end of the request to the end of the response's header. Default none: the
	// context of the request ends it too.
	HeaderTimeout time.Duration
	// ContinueTimeout is how long a body with Expect: 100-continue is held back for an answer. Default 1s, as in net/http.
	ContinueTimeout time.Duration
	// MaxHeaderBytes bounds a response's header, and its trailers. Default 256 KiB: sixteen times what browsers send.
	MaxHeaderBytes int
	// MaxHeaders bounds the number of fields in a header. Default 1000.
	MaxHeaders int

	// MaxConns bounds the connections in use, idle and being dialed. Default none.
	MaxConns int
	// MaxWaiting bounds the requests that wait for one of MaxConns. Default MaxConns: a queue as long as what is served
	// doubles the latency; a longer one would not be served within it.
	MaxWaiting int
	// WaitTimeout bounds that wait. Default 1s.
	WaitTimeout time.Duration
	// MaxIdle bounds the idle connections; the one idle for longest goes first. Default 64. An idle one costs 4 KiB.
	MaxIdle int
	// MinIdle is how many idle connections are kept ready. Warm dials them; afterwards the count is looked at every few
	// seconds. Default none.
	MinIdle int
	// IdleTimeout closes a connection that was not used for as long. Default 60s: less than nginx's 75s, so that we close
	// before the endpoint does.
	IdleTimeout time.Duration
	// MaxAge closes a connection after the exchange in which it becomes as old, so that new addresses of a name and new
	// certificates come into use. Default none.
	MaxAge time.Duration
}

// Defaults of Settings; the reasons stand with the fields.
const (
	defaultConnectTimeout  = 5 * time.Second
	defaultContinueTimeout = time.Second
	defaultMaxHeaderBytes  = 256 << 10
	defaultMaxHeaders      = 1000
	defaultWaitTimeout     = time.Second
	defaultMaxIdle         = 64
	defaultIdleTimeout     = time.Minute
)

// Complete returns the settings with all defaults filled in.
func (s Settings) Complete() (Settings, error) {
	if s.Address == "" {
		return s, errors.New("an endpoint needs an address: host:port, or the path of a unix socket")
	}
	if s.Network == "" {
		s.Network = "tcp"
	}
	for _, d := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{
		{&s.ConnectTimeout, defaultConnectTimeout}, {&s.ContinueTimeout, defaultContinueTimeout},
		{&s.WaitTimeout, defaultWaitTimeout}, {&s.IdleTimeout, defaultIdleTimeout},
	} {
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	for _, d := range []struct {
		value    *int
		fallback int
	}{
		{&s.MaxHeaderBytes, defaultMaxHeaderBytes}, {&s.MaxHeaders, defaultMaxHeaders},
		{&s.MaxIdle, defaultMaxIdle}, {&s.MaxWaiting, s.MaxConns},
	} {
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	if s.Dial == nil {
		s.Dial = (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext
	}
	s.TLS = clientTLS(s.TLS, s.Network, s.Address)
	return s, nil
}

// Client sends requests to one endpoint. It is safe for concurrent use.
type Client struct {
	s    Settings
	pool *pool
}

// New returns a client that has no connection yet.
func New(s Settings) (*Client, error) {
	s, err := s.Complete()
	if err != nil {
		return nil, err
	}
	c := &Client{s: s}
	c.pool = newPool(&c.s)
	return c, nil
}

// Timings is where the time of a request went. What did not happen is zero.
type Timings struct {
	Wait      time.Duration // for one of MaxConns connections
	DNS       time.Duration
	Connect   time.Duration // without DNS
	TLS       time.Duration
	FirstByte time.Duration // from the start of sending to the first byte of an answer, 1xx included
	Reused    bool          // the connection had served before
	Resent    int           // how often the request met a connection that the endpoint had closed
}

// Call is what a request may bring and take besides itself.
type Call struct {
	// Informational gets each 1xx response but 101; its error ends the exchange. Without it the hooks Got1xxResponse and
	// Got100Continue of net/http/httptrace are asked.
	Informational func(status int, header http.Header) error
	Timings       Timings
}

// RoundTrip implements http.RoundTripper. Unlike net/http's transport it adds no User-Agent and no Accept-Encoding.
func (c *Client) RoundTrip(req *http.Request) (*http.Response, error) { return c.Do(req, nil) }

// Do is RoundTrip with a Call, which may be nil and belongs to Do until it returns. Errors, those of the response's body
// included, are of type *Error. A request that met a dead connection is sent again on another one when nothing can have
// happened twice: none of it was sent, or its method is idempotent; a body that was begun and not kept rules it out.
// The request's body is closed, also on failure; who wants to try elsewhere passes one with a Close that does nothing.
func (c *Client) Do(req *http.Request, call *Call) (*http.Response, error) {
	e := &exchange{req: req, client: c, call: call}
	if call == nil {
		e.call = &e.ownCall
	}
	e.call.Timings = Timings{}
	return e.run()
}

// Warm dials until MinIdle connections are idle.
func (c *Client) Warm(ctx context.Context) error { return c.pool.warm(ctx) }

// CloseIdleConnections closes those that are not in use.
func (c *Client) CloseIdleConnections() { c.pool.closeIdle() }

// Close closes the idle connections, and those in use when their exchanges end. Requests that wait or come later get
// ErrClosed.
func (c *Client) Close() { c.pool.close() }

// Stats counts the connections of a client.
type Stats struct {
	Idle, Open, Waiting int    // now; Open includes idle ones and those being dialed
	Dialed, DialFailed  uint64 // ever
	Reused              uint64 // requests that took an idle connection, or waited for one that came back
	Stale               uint64 // idle connections that the endpoint had closed
	Expired             uint64 // connections closed for idleness or age
	Exhausted           uint64 // requests turned away for want of a connection
}

// Stats returns the current counts.
func (c *Client) Stats() Stats { return c.pool.stats() }
