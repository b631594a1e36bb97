package proxy

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/tailgate-otel/tailgate/gateway/config"
	"github.com/tailgate-otel/tailgate/telemetry"
)

// propagator carries W3C trace context. Baggage is not parsed: its header is passed on as it came.
var propagator = propagation.TraceContext{}

// Attributes of OpenTelemetry's HTTP semantic conventions 1.37 that only spans have.
const (
	attrMethodOriginal = attribute.Key("http.request.method_original")
	attrResendCount    = attribute.Key("http.request.resend_count")
	attrURLPath        = attribute.Key("url.path")
	attrURLQuery       = attribute.Key("url.query")
	attrURLFull        = attribute.Key("url.full")
	attrClientAddress  = attribute.Key("client.address")
	attrPeerAddress    = attribute.Key("network.peer.address")
	attrPeerPort       = attribute.Key("network.peer.port")
	attrUserAgent      = attribute.Key("user_agent.original")
)

// headerCarrier reads and writes trace context on a header.
type headerCarrier http.Header

// Get joins repeated tracestate headers, as W3C Trace Context section 3.3.1 asks. Of any other repeated header nothing is
// returned: two traceparents name two parents, so neither is believed (section 3.2).
func (c headerCarrier) Get(key string) string {
	values := http.Header(c).Values(key)
	switch {
	case len(values) == 1:
		return values[0]
	case strings.EqualFold(key, "tracestate"):
		return strings.Join(values, ",")
	}
	return ""
}

// Set replaces all values of a header.
func (c headerCarrier) Set(key, value string) { http.Header(c).Set(key, value) }

// Keys is part of the interface of carriers; the propagator does not call it.
func (c headerCarrier) Keys() []string {
	keys := make([]string, 0, len(c))
	for k := range c {
		keys = append(keys, k)
	}
	return keys
}

// startServerSpan opens the span of a request, within the client's trace if the configuration believes it.
func (ex *exchange) startServerSpan(ctx context.Context, r *http.Request) (context.Context, trace.Span) {
	opts := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(ex.start), trace.WithAttributes(ex.serverAttributes(r)...)}
	switch ex.snap.Config.Telemetry.TrustInboundTrace {
	case config.TrustIgnore:
	case config.TrustLink:
		remote := trace.SpanContextFromContext(propagator.Extract(ctx, headerCarrier(r.Header)))
		if remote.IsValid() {
			opts = append(opts, trace.WithLinks(trace.Link{SpanContext: remote}))
		}
	default:
		ctx = propagator.Extract(ctx, headerCarrier(r.Header))
	}
	return ex.h.tracer.Start(ctx, ex.spanName(r), opts...)
}

// spanName is {method} {route}, or the method alone; "HTTP" stands for a method that is not in the conventions.
func (ex *exchange) spanName(r *http.Request) string {
	name := spanMethod(r.Method)
	if ex.route != nil {
		name += " " + ex.route.Template
	}
	return name
}

func spanMethod(method string) string {
	if telemetry.AttrHTTPRequestMethod.Allows(method) != nil {
		return "HTTP"
	}
	return method
}

// methodAttributes appends the method, and what the client really sent when that is outside the closed set.
func methodAttributes(attrs []attribute.KeyValue, method string) []attribute.KeyValue {
	if telemetry.AttrHTTPRequestMethod.Allows(method) != nil {
		return append(attrs, attribute.String(telemetry.AttrHTTPRequestMethod.Key, "_OTHER"), attrMethodOriginal.String(method))
	}
	return append(attrs, attribute.String(telemetry.AttrHTTPRequestMethod.Key, method))
}

func (ex *exchange) serverAttributes(r *http.Request) []attribute.KeyValue {
	attrs := methodAttributes(make([]attribute.KeyValue, 0, 16), r.Method)
	attrs = append(attrs, attrURLPath.String(r.URL.Path),
		attribute.String(telemetry.AttrURLScheme.Key, scheme(r)),
		attribute.String(telemetry.AttrNetworkProtocolVersion.Key, protocol(r)))
	if r.URL.RawQuery != "" {
		attrs = append(attrs, attrURLQuery.String(redactQuery(r.URL.RawQuery)))
	}
	attrs = hostAttributes(attrs, r)
	if host, port, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		attrs = append(attrs, attrClientAddress.String(host), attrPeerAddress.String(host))
		if n, err := strconv.Atoi(port); err == nil {
			attrs = append(attrs, attrPeerPort.Int(n))
		}
	}
	if agent := r.UserAgent(); agent != "" {
		attrs = append(attrs, attrUserAgent.String(agent))
	}
	if ex.route != nil {
		attrs = append(attrs, attribute.String(telemetry.AttrHTTPRoute.Key, ex.route.Template))
	}
	if ex.upstream != nil {
		attrs = append(attrs, attribute.String(telemetry.AttrGatewayUpstream.Key, ex.upstream.Name))
	}
	return attrs
}

// hostAttributes appends what the client called this server.
func hostAttributes(attrs []attribute.KeyValue, r *http.Request) []attribute.KeyValue {
	u := url.URL{Host: r.Host}
	port := 80
	if r.TLS != nil {
		port = 443
	}
	if n, err := strconv.Atoi(u.Port()); err == nil {
		port = n
	}
	return append(attrs, attribute.String(telemetry.AttrServerAddress.Key, u.Hostname()), attribute.Int(telemetry.AttrServerPort.Key, port))
}

// secretParameters are query parameters whose values the conventions ask to redact: signatures that grant access.
var secretParameters = []string{"AWSAccessKeyId", "Signature", "sig", "X-Goog-Signature"}

func redactQuery(query string) string {
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

// startSpan opens the span of an attempt. A 4xx answer does not make it an error: whether one is, the client knows, to
// whom the gateway hands it on.
func (a *attempt) startSpan(ctx context.Context, u *url.URL, resend int) (context.Context, trace.Span) {
	full := *u
	full.RawQuery = redactQuery(u.RawQuery)
	attrs := methodAttributes(make([]attribute.KeyValue, 0, 12), a.ex.in.Method)
	attrs = append(attrs, attrURLFull.String(full.String()),
		attribute.String(telemetry.AttrServerAddress.Key, a.endpoint.Address),
		attribute.Int(telemetry.AttrServerPort.Key, a.endpoint.Port),
		attribute.String(telemetry.AttrGatewayUpstream.Key, a.endpoint.Upstream))
	if resend > 0 {
		attrs = append(attrs, attrResendCount.Int(resend))
	}
	return a.ex.h.tracer.Start(ctx, spanMethod(a.ex.in.Method), trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(a.start), trace.WithAttributes(attrs...))
}
