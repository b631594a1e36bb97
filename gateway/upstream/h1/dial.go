package h1

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// sessionCache is how many TLS sessions an endpoint's client keeps. One would do for one server; behind one address may be
// several that do not know each other's.
const sessionCache = 16

// clientTLS completes the configuration of TLS without changing the caller's.
func clientTLS(c *tls.Config, network, address string) *tls.Config {
	if c == nil {
		return nil
	}
	c = c.Clone()
	if c.ServerName == "" && network != "unix" {
		if host, _, err := net.SplitHostPort(address); err == nil {
			c.ServerName = host
		}
	}
	if len(c.NextProtos) == 0 {
		c.NextProtos = []string{"http/1.1"}
	}
	if c.ClientSessionCache == nil {
		c.ClientSessionCache = tls.NewLRUClientSessionCache(sessionCache)
	}
	return c
}

// dial makes a connection and notes in t how long each step took.
func (s *Settings) dial(ctx context.Context, t *Timings) (*conn, *Error) {
	bounded, cancel := context.WithTimeout(ctx, s.ConnectTimeout)
	defer cancel()
	start, dns := time.Now(), dnsTime{}
	raw, err := s.Dial(dns.trace(bounded, s.Address), s.Network, s.Address)
	t.DNS = dns.total()
	t.Connect = time.Since(start) - t.DNS
	if err != nil {
		return nil, dialError(ctx, PhaseConnect, err)
	}
	if s.TLS == nil {
		return newConn(raw, raw), nil
	}
	start = time.Now()
	secured := tls.Client(raw, s.TLS)
	err = secured.HandshakeContext(bounded)
	t.TLS = time.Since(start)
	if p := secured.ConnectionState().NegotiatedProtocol; err == nil && p != "" && p != "http/1.1" {
		err = ProtocolError(fmt.Sprintf("the endpoint chose the protocol %q, not http/1.1", p))
	}
	if err != nil {
		_ = raw.Close()
		return nil, dialError(ctx, PhaseTLS, err)
	}
	return newConn(raw, secured), nil
}

// dialError names the phase. ctx is without the connect timeout, which is the endpoint's fault and not the caller's wish.
func dialError(ctx context.Context, phase Phase, err error) *Error {
	if isTimeout(err) {
		err = fmt.Errorf("the connect timeout passed: %w", err)
	}
	return (&Error{Phase: phase, Err: err}).Ended(ctx)
}

// dnsTime measures name resolution. A dial that races two address families may still report when it is over: hence atomic.
type dnsTime struct{ start, nanos *atomic.Int64 }

func (d *dnsTime) trace(ctx context.Context, address string) context.Context {
	host, _, err := net.SplitHostPort(address)
	if err != nil || net.ParseIP(host) != nil {
		return ctx
	}
	start, nanos, begin := new(atomic.Int64), new(atomic.Int64), time.Now()
	d.start, d.nanos = start, nanos
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart: func(httptrace.DNSStartInfo) { start.Store(int64(time.Since(begin))) },
		DNSDone:  func(httptrace.DNSDoneInfo) { nanos.Store(int64(time.Since(begin)) - start.Load()) },
	})
}

func (d *dnsTime) total() time.Duration {
	if d.nanos == nil {
		return 0
	}
	return time.Duration(d.nanos.Load())
}
