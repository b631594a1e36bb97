package proxy

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"

	"github.com/tailgate-otel/tailgate/gateway/config"
)

// pseudonym stands for every gateway of this kind in Via (RFC 9110 section 7.6.3), so that a loop through several
// replicas is noticed too.
const pseudonym = "tailgate-gateway"

// rewriteRequest makes the request that goes upstream. The endpoint is filled in by each attempt.
func rewriteRequest(p *httputil.ProxyRequest) {
	ex := exchangeOf(p.In.Context())
	out := p.Out
	if plan := ex.route.Plan; plan.ChangesPath() {
		setPath(out.URL, plan.Path(ex.ask.Path))
	}
	forwarded(p, ex.snap.Config.TrustForwarded)
	out.Header.Add("Via", viaVersion(p.In)+" "+pseudonym)
	// Exactly one traceparent goes upstream, that of the attempt, whatever the client sent.
	out.Header.Del("Traceparent")
	out.Header.Del("Tracestate")
	if ex.snap.Config.Telemetry.TrustInboundTrace == config.TrustIgnore {
		out.Header.Del("Baggage")
	}
	ex.route.Plan.EditRequest(out.Header, ex.rewriting())
}

// clientIP is the address of the client: that of the connection, or with trust what the proxy in front of us saw, which
// is the last it wrote.
func clientIP(r *http.Request, trust bool) string {
	if lines := r.Header["X-Forwarded-For"]; trust && len(lines) > 0 {
		last := lines[len(lines)-1]
		return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr // of a test or of a listener without ports
	}
	return host
}

func setPath(u *url.URL, escaped string) {
	if path, err := url.PathUnescape(escaped); err == nil {
		u.Path, u.RawPath = path, escaped
	}
}

// forwarded sets X-Forwarded-*. ReverseProxy has removed the client's; with trust they are put back and appended to.
func forwarded(p *httputil.ProxyRequest, trust bool) {
	if trust {
		p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"]
	}
	p.SetXForwarded()
	if !trust {
		return
	}
	for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded"} {
		if v := p.In.Header[name]; len(v) > 0 {
			p.Out.Header[name] = v
		}
	}
}

func viaVersion(r *http.Request) string {
	if r.ProtoMajor >= 2 {
		return "2.0"
	}
	return protocol(r)
}

// hops counts how often the request came through gateways of this kind.
func hops(h http.Header) int {
	n := 0
	for _, v := range h["Via"] {
		n += strings.Count(v, pseudonym)
	}
	return n
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// protocol is the value of network.protocol.version.
func protocol(r *http.Request) string { return protocolVersion(r.ProtoMajor, r.ProtoMinor) }

func protocolVersion(major, minor int) string {
	switch {
	case major == 1 && minor == 0:
		return "1.0"
	case major == 1:
		return "1.1"
	case major == 2:
		return "2"
	}
	return ""
}
