// Package httpspans describes the gateway's requests and attempts as spans, by OpenTelemetry's HTTP semantic conventions
// 1.37 and the contract: names, kinds, attributes, status.
//
// What is the same for all requests of a route or an endpoint is encoded when these are made (NewRoute, NewEndpoint), what
// is the same for a method, scheme or protocol when the program starts. The rest is appended to the caller's span.Record
// without allocating. Ids and sampling come from package tracecontext; nothing here keeps state or starts goroutines.
package httpspans

import (
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/tailgate-otel/tailgate/gateway/telemetry/span"
	"github.com/tailgate-otel/tailgate/gateway/telemetry/tracecontext"
	"github.com/tailgate-otel/tailgate/telemetry"
)

var (
	keyMethodOriginal = span.NewKey("http.request.method_original")
	keyResendCount    = span.NewKey("http.request.resend_count")
	keyURLPath        = span.NewKey("url.path")
	keyURLQuery       = span.NewKey("url.query")
	keyURLFull        = span.NewKey("url.full")
	keyClientAddress  = span.NewKey("client.address")
	keyPeerAddress    = span.NewKey("network.peer.address")
	keyPeerPort       = span.NewKey("network.peer.port")
	keyUserAgent      = span.NewKey("user_agent.original")
	keyServerAddress  = span.NewKey(telemetry.AttrServerAddress.Key)
	keyServerPort     = span.NewKey(telemetry.AttrServerPort.Key)
	keyStatus         = span.NewKey(telemetry.AttrHTTPResponseStatusCode.Key)
	keyProtocol       = span.NewKey(telemetry.AttrNetworkProtocolVersion.Key)
	keyErrorType      = span.NewKey(telemetry.AttrErrorType.Key)
	keyRejectReason   = span.NewKey(telemetry.AttrGatewayRejectReason.Key)
)

const (
	otherMethod = "_OTHER" // value of http.request.method for a method outside the conventions
	otherName   = "HTTP"   // what stands for it in names of spans
)

// methods holds the attribute of each method of the conventions.
var methods = func() map[string]span.Block {
	blocks := map[string]span.Block{}
	for _, m := range telemetry.AttrHTTPRequestMethod.Values {
		blocks[m] = span.NewBlock(attribute.String(telemetry.AttrHTTPRequestMethod.Key, m))
	}
	return blocks
}()

// setMethod adds the method, and what the client really sent when that is outside the closed set.
func setMethod(r *span.Record, method string) {
	b, ok := methods[method]
	if !ok || method == otherMethod {
		r.Block(methods[otherMethod])
		r.Str(keyMethodOriginal, method)
		return
	}
	r.Block(b)
}

// schemes holds url.scheme and network.protocol.version by both.
var schemes = func() (blocks map[[2]string]span.Block) {
	blocks = map[[2]string]span.Block{}
	for _, scheme := range telemetry.AttrURLScheme.Values {
		for _, version := range append([]string{""}, telemetry.AttrNetworkProtocolVersion.Values...) {
			blocks[[2]string{scheme, version}] = span.NewBlock(
				attribute.String(telemetry.AttrURLScheme.Key, scheme), attribute.String(telemetry.AttrNetworkProtocolVersion.Key, version))
		}
	}
	return blocks
}()

// Route is what all requests of a route have in common.
type Route struct {
	block span.Block
	names map[string]string // by method
	other string
}

// NewRoute returns the route with the given path template, which leads to upstream.
func NewRoute(template, upstream string) *Route {
	r := &Route{names: map[string]string{}, other: otherName + " " + template, block: span.NewBlock(
		attribute.String(telemetry.AttrHTTPRoute.Key, template), attribute.String(telemetry.AttrGatewayUpstream.Key, upstream))}
	for m := range methods {
		r.names[m] = m + " " + template
	}
	r.names[otherMethod] = r.other
	return r
}

// name is {method} {route}, or the method alone. It may be called on nil.
func (r *Route) name(method string) string {
	if r == nil {
		return attemptName(method)
	}
	if name, ok := r.names[method]; ok {
		return name
	}
	return r.other
}

func attemptName(method string) string {
	if _, ok := methods[method]; ok && method != otherMethod {
		return method
	}
	return otherName
}

// BeginServer begins the span of a request; route is nil if none matched. version is the value of
// network.protocol.version.
func BeginServer(rec *span.Record, c tracecontext.Context, r *http.Request, version string, route *Route, start time.Time) {
	rec.Begin(c, trace.SpanKindServer, route.name(r.Method), start)
	if !rec.Recording() {
		return
	}
	setMethod(rec, r.Method)
	scheme, port := "http", 80
	if r.TLS != nil {
		scheme, port = "https", 443
	}
	rec.Block(schemes[[2]string{scheme, version}])
	if route != nil {
		rec.Block(route.block)
	}
	rec.Str(keyURLPath, r.URL.Path)
	if r.URL.RawQuery != "" {
		rec.Str(keyURLQuery, redact(r.URL.RawQuery))
	}
	setHost(rec, r.Host, port)
	setPeer(rec, r.RemoteAddr)
	if agent := r.UserAgent(); agent != "" {
		rec.Str(keyUserAgent, agent)
	}
}

// setHost adds what the client called this server.
func setHost(rec *span.Record, host string, port int) {
	u := url.URL{Host: host}
	if n, err := strconv.Atoi(u.Port()); err == nil {
		port = n
	}
	rec.Str(keyServerAddress, u.Hostname())
	rec.Int(keyServerPort, port)
}

// setPeer adds the other end of the connection. Unix sockets have no address worth naming.
func setPeer(rec *span.Record, remote string) {
	host, port, err := net.SplitHostPort(remote)
	if err != nil {
		return
	}
	rec.Str(keyClientAddress, host)
	rec.Str(keyPeerAddress, host)
	if n, err := strconv.Atoi(port); err == nil {
		rec.Int(keyPeerPort, n)
	}
}

// Endpoint is what all attempts at an endpoint have in common.
type Endpoint struct{ block span.Block }

// NewEndpoint returns an endpoint of upstream.
func NewEndpoint(upstream, address string, port int) *Endpoint {
	return &Endpoint{span.NewBlock(
		attribute.String(telemetry.AttrServerAddress.Key, address),
		attribute.Int(telemetry.AttrServerPort.Key, port),
		attribute.String(telemetry.AttrGatewayUpstream.Key, upstream))}
}

// BeginAttempt begins the span of an attempt to send a request to u at e, the resend'th after the first.
func BeginAttempt(rec *span.Record, c tracecontext.Context, method string, u *url.URL, e *Endpoint, resend int, start time.Time) {
	rec.Begin(c, trace.SpanKindClient, attemptName(method), start)
	if !rec.Recording() {
		return
	}
	setMethod(rec, method)
	rec.Block(e.block)
	setFullURL(rec, u)
	if resend > 0 {
		rec.Int(keyResendCount, resend)
	}
}

// setFullURL adds u without secrets, as u.String would write it.
func setFullURL(rec *span.Record, u *url.URL) {
	path := u.EscapedPath()
	if u.Opaque != "" || u.User != nil || !strings.HasPrefix(path, "/") || u.ForceQuery || u.Fragment != "" {
		plain := *u // a target such as *, which is rare enough to allocate for
		plain.User, plain.RawQuery = nil, redact(u.RawQuery)
		rec.Str(keyURLFull, plain.String())
		return
	}
	if u.RawQuery == "" {
		rec.Join(keyURLFull, u.Scheme, "://", u.Host, path)
		return
	}
	rec.Join(keyURLFull, u.Scheme, "://", u.Host, path, "?", redact(u.RawQuery))
}

// secretParameters are query parameters whose values the conventions ask to redact: signatures that grant access.
var secretParameters = []string{"AWSAccessKeyId", "Signature", "sig", "X-Goog-Signature"}

// redact allocates only if there is something to hide.
func redact(query string) string {
	for _, name := range secretParameters {
		if !strings.Contains(query, name+"=") {
			continue
		}
		parts := strings.Split(query, "&")
		for i, p := range parts {
			if strings.HasPrefix(p, name+"=") {
				parts[i] = name + "=REDACTED"
			}
		}
		query = strings.Join(parts, "&")
	}
	return query
}

// Rejected says that the gateway answered itself, and why.
func Rejected(rec *span.Record, reason string) { rec.Str(keyRejectReason, reason) }

// SetOutcome says how a request or attempt ended: the status, 0 if there was none; and if it failed, how, and what the
// error said. An errorType makes the span one in error; a 4xx alone does not, since whether that is an error, the client
// knows.
func SetOutcome(rec *span.Record, status int, errorType, text string) {
	if status != 0 {
		rec.Int(keyStatus, status)
	}
	if errorType != "" {
		rec.Str(keyErrorType, errorType)
		rec.SetStatus(codes.Error, text)
	}
}

// SetProtocol says in what version an endpoint answered.
func SetProtocol(rec *span.Record, version string) { rec.Str(keyProtocol, version) }
