package client

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync/atomic"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/upstream/h1"
)

// The pings of HTTP/2 find connections that died without a word: after 15 s of silence one is sent, and 5 s later the
// connection is given up. Requests on such a connection would otherwise wait for TCP's retransmissions, a quarter of an hour.
const (
	pingAfter   = 15 * time.Second
	pingTimeout = 5 * time.Second
)

// transport is net/http's transport with one endpoint behind it.
type transport struct {
	http   *http.Transport
	closed atomic.Bool

	open, dialed, dialFailed, reused atomic.Int64
}

func newTransport(p Protocol, s h1.Settings) (*transport, error) {
	s, err := s.Complete()
	if err != nil {
		return nil, err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(p == Auto)
	protocols.SetHTTP2(p == HTTP2 || p == Auto)
	protocols.SetUnencryptedHTTP2(p == H2C)
	t := &transport{}
	t.http = &http.Transport{
		Protocols:              protocols,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return t.dial(ctx, &s) },
		TLSHandshakeTimeout:    s.ConnectTimeout,
		ResponseHeaderTimeout:  s.HeaderTimeout,
		ExpectContinueTimeout:  s.ContinueTimeout,
		MaxResponseHeaderBytes: int64(s.MaxHeaderBytes),
		MaxIdleConnsPerHost:    s.MaxIdle,
		IdleConnTimeout:        s.IdleTimeout,
		DisableCompression:     true, // what the client asked for is what the endpoint is asked for
	}
	if s.TLS != nil {
		t.http.TLSClientConfig = s.TLS
		t.http.TLSClientConfig.NextProtos = nil // the transport derives it from Protocols
	}
	return t, nil
}

func (t *transport) dial(ctx context.Context, s *h1.Settings) (net.Conn, error) {
	if t.closed.Load() {
		return nil, h1.ErrClosed
	}
	ctx, cancel := context.WithTimeout(ctx, s.ConnectTimeout)
	defer cancel()
	c, err := s.Dial(ctx, s.Network, s.Address)
	if err != nil {
		t.dialFailed.Add(1)
		return nil, err
	}
	t.dialed.Add(1)
	t.open.Add(1)
	return &counted{Conn: c, open: &t.open}, nil
}

// counted takes its close off the count of open connections.
type counted struct {
	net.Conn
	open   *atomic.Int64
	closed atomic.Bool
}

func (c *counted) Close() error {
	if !c.closed.Swap(true) {
		c.open.Add(-1)
	}
	return c.Conn.Close()
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) { return t.Do(req, nil) }

// Do implements Client.
func (t *transport) Do(req *http.Request, call *h1.Call) (*http.Response, error) {
	if call == nil {
		call = new(h1.Call)
	}
	call.Timings = h1.Timings{}
	p := &progress{start: time.Now()}
	out := req.WithContext(httptrace.WithClientTrace(req.Context(), p.trace(call.Informational)))
	if req.Body != nil && req.Body != http.NoBody {
		out.Body = &countedBody{req.Body, &p.bodyRead}
	}
	res, err := t.http.RoundTrip(out)
	p.report(&call.Timings)
	if call.Timings.Reused {
		t.reused.Add(1)
	}
	if err != nil {
		return nil, p.failure(req.Context(), err)
	}
	res.Request = req
	if res.StatusCode != http.StatusSwitchingProtocols && res.Body != http.NoBody {
		res.Body = &responseBody{res.Body, req.Context(), p}
	}
	return res, nil
}

// Warm implements Client; see the package comment.
func (t *transport) Warm(context.Context) error { return nil }

// CloseIdleConnections implements Client.
func (t *transport) CloseIdleConnections() { t.http.CloseIdleConnections() }

// Close implements Client.
func (t *transport) Close() {
	t.closed.Store(true)
	t.http.CloseIdleConnections()
}

// Stats implements Client. Idle is not known.
func (t *transport) Stats() h1.Stats {
	return h1.Stats{Open: int(t.open.Load()), Dialed: uint64(t.dialed.Load()), DialFailed: uint64(t.dialFailed.Load()), Reused: uint64(t.reused.Load())}
}

// progress is how far a request came. The transport reports from goroutines of its own, also when the request is over: all
// is atomic, and times are nanoseconds after start.
type progress struct {
	start time.Time

	phase                                               atomic.Int32
	dnsStart, dns, connectStart, connect, tlsStart, tls atomic.Int64
	written, firstByte, bodyRead                        atomic.Int64
	reused, answered                                    atomic.Bool
}

func (p *progress) now() int64 { return int64(time.Since(p.start)) }

// reach moves the phase on; a second dial that goes on in the background does not turn it back.
func (p *progress) reach(phase h1.Phase) {
	for {
		at := p.phase.Load()
		if at >= int32(phase) || p.phase.CompareAndSwap(at, int32(phase)) {
			return
		}
	}
}

func (p *progress) trace(informational func(int, http.Header) error) *httptrace.ClientTrace {
	t := &httptrace.ClientTrace{
		GetConn:           func(string) { p.reach(h1.PhaseWait) },
		DNSStart:          func(httptrace.DNSStartInfo) { p.reach(h1.PhaseConnect); p.dnsStart.Store(p.now()) },
		DNSDone:           func(httptrace.DNSDoneInfo) { p.dns.Store(p.now() - p.dnsStart.Load()) },
		ConnectStart:      func(string, string) { p.reach(h1.PhaseConnect); p.connectStart.Store(p.now()) },
		ConnectDone:       func(string, string, error) { p.connect.Store(p.now() - p.connectStart.Load()) },
		TLSHandshakeStart: func() { p.reach(h1.PhaseTLS); p.tlsStart.Store(p.now()) },
		GotConn:           func(i httptrace.GotConnInfo) { p.reach(h1.PhaseWrite); p.reused.Store(i.Reused) },
		WroteHeaders:      func() { p.reach(h1.PhaseHeaders); p.written.Store(p.now()) },
		GotFirstResponseByte: func() {
			p.answered.Store(true)
			p.firstByte.Store(p.now() - p.written.Load())
		},
	}
	t.TLSHandshakeDone = func(tls.ConnectionState, error) { p.tls.Store(p.now() - p.tlsStart.Load()) }
	if informational != nil {
		t.Got1xxResponse = func(code int, h textproto.MIMEHeader) error { return informational(code, http.Header(h)) }
	}
	return t
}

func (p *progress) report(t *h1.Timings) {
	t.DNS, t.Connect, t.TLS = time.Duration(p.dns.Load()), time.Duration(p.connect.Load()), time.Duration(p.tls.Load())
	t.FirstByte, t.Reused = time.Duration(p.firstByte.Load()), p.reused.Load()
	if t.Reused { // what was dialed meanwhile was not for this request
		t.DNS, t.Connect, t.TLS = 0, 0, 0
	}
}

// failure describes an error. How much of a header was sent is not known: it counts as one byte.
func (p *progress) failure(ctx context.Context, err error) error {
	f := &h1.Error{Phase: h1.Phase(p.phase.Load()), BodyRead: p.bodyRead.Load(), Sent: p.bodyRead.Load(), Answered: p.answered.Load(),
		Reused: p.reused.Load(), Err: err}
	if p.written.Load() > 0 {
		f.Sent++
	}
	if f.Phase == h1.PhaseWait && !errors.Is(err, h1.ErrClosed) {
		f.Phase = h1.PhaseConnect // a dial of the caller's own reports nothing
	}
	return f.Ended(ctx)
}

// countedBody counts what the transport reads of a request's body.
type countedBody struct {
	io.ReadCloser
	read *atomic.Int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read.Add(int64(n))
	return n, err
}

// responseBody puts its errors into the form of h1's.
type responseBody struct {
	io.ReadCloser
	ctx context.Context // of the request, whose end is why a body ends
	p   *progress
}

func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, http.ErrBodyReadAfterClose) {
		return n, err
	}
	b.p.reach(h1.PhaseBody)
	return n, b.p.failure(b.ctx, err)
}
