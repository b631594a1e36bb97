package upstream

import (
	"context"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// Settings says all that makes an endpoint what it is. Two configurations with equal settings share the endpoint, its
// connections and its state.
type Settings struct {
	Upstream       string
	URL            string // scheme://host:port
	Protocol       string // http1, h2c, http2
	ConnectTimeout time.Duration
	HeaderTimeout  time.Duration // 0: none
	IdleTimeout    time.Duration
	MaxIdle        int
	Cooldown       time.Duration
	CAFile         string
	ServerName     string
}

// Endpoint is one address of an upstream with its connections. It is safe for concurrent use.
type Endpoint struct {
	Upstream string
	URL      *url.URL
	Address  string // host of the URL, for telemetry
	Port     int

	transport *http.Transport
	cooldown  time.Duration
	now       func() time.Time

	inFlight atomic.Int64
	// retryAt is 0 while the endpoint is healthy, else the Unix nanosecond from which one request may try it.
	retryAt atomic.Int64
	retired atomic.Bool
}

// take says whether a request may go to the endpoint now. For an unhealthy one whose time has come exactly one caller
// gets it, as a probe; the others wait for the next time.
func (e *Endpoint) take(now time.Time) (ok, probe bool) {
	at := e.retryAt.Load()
	if at == 0 {
		return true, false
	}
	if now.UnixNano() < at {
		return false, false
	}
	ok = e.retryAt.CompareAndSwap(at, now.Add(e.cooldown).UnixNano())
	return ok, ok
}

// Healthy says whether the endpoint accepted the last connection that was tried.
func (e *Endpoint) Healthy() bool { return e.retryAt.Load() == 0 }

// RetryAt is when an unhealthy endpoint is tried again; the zero time for a healthy one.
func (e *Endpoint) RetryAt() time.Time {
	if at := e.retryAt.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// InFlight is the number of requests at the endpoint.
func (e *Endpoint) InFlight() int64 { return e.inFlight.Load() }

// MarkUnreachable makes the balancer skip the endpoint for its cooldown.
func (e *Endpoint) MarkUnreachable() { e.retryAt.Store(e.now().Add(e.cooldown).UnixNano()) }

// MarkReachable ends a cooldown.
func (e *Endpoint) MarkReachable() {
	if e.retryAt.Load() != 0 {
		e.retryAt.Store(0)
	}
}

// RoundTrip sends one request. The caller has picked the endpoint and calls Release when the exchange is over. A response
// ends a cooldown, because the request may have gone over a connection that was open already.
func (e *Endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := e.transport.RoundTrip(r)
	if err == nil {
		e.MarkReachable()
	}
	return res, err
}

// Release ends what Pick began.
func (e *Endpoint) Release() {
	if e.inFlight.Add(-1) == 0 && e.retired.Load() {
		e.transport.CloseIdleConnections()
	}
}

// retire closes the unused connections now and those in use when their requests end: a change of configuration breaks
// nothing that is under way.
func (e *Endpoint) retire() {
	e.retired.Store(true)
	e.transport.CloseIdleConnections()
}

// ConnectError says that no connection to the endpoint could be made, so that it has seen nothing of the request.
type ConnectError struct{ Err error }

func (e *ConnectError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *ConnectError) Unwrap() error { return e.Err }

// marking wraps a dial function: failures become a ConnectError and change the state of the endpoint. The dialing itself
// is not bound to one request, so its own context is what tells a cancelled dial from a failed one.
func (e *Endpoint) marking(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (conn, error) {
		c, err := dial(ctx, network, addr)
		if err == nil {
			e.MarkReachable()
			return c, nil
		}
		if ctx.Err() == nil {
			e.MarkUnreachable()
		}
		return nil, &ConnectError{Err: err}
	}
}
