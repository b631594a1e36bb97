package proxy

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/tailgate-otel/tailgate/gateway/rewrite"
	"github.com/tailgate-otel/tailgate/gateway/route"
	"github.com/tailgate-otel/tailgate/gateway/upstream"
	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/instruments"
)

// exchange is one request on its way: what it works by, and what became of it. It belongs to the goroutine that serves
// the request; body and attempts are shared with the transport and guard themselves.
type exchange struct {
	h     *Handler
	snap  *Snapshot
	route *Route // nil: none matched

	ask      route.Request // what the route was found by
	badPath  error         // why the path is refused
	upstream *upstream.Set // nil: no route, or one that redirects

	in   *http.Request // as the client sent it, with ctx, which leads back to the exchange
	out  *responseWriter
	body *requestBody // nil: no body
	ctx  context.Context
	span trace.Span

	start   time.Time
	active  instruments.ServerActive
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	tried   []*upstream.Endpoint
	last    *attempt
	outcome outcome
}

// outcome is how the exchange ended when it did not simply end.
type outcome struct {
	errorType string // see telemetry.AttrErrorType; empty: nothing went wrong, or the status says it
	reject    string // see telemetry.RejectReasons
	err       error  // for the log
	abort     bool   // end the connection or stream, since no answer can be given
}

// begin takes the snapshot, finds the route and opens the span.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request) *exchange {
	ex := &exchange{h: h, snap: h.current.Load(), start: time.Now()}
	ex.match(r)
	ctx, cancel := context.WithCancelCause(r.Context())
	ex.cancel = cancel
	ex.ctx, ex.span = ex.startServerSpan(ctx, r)
	// A copy: net/http looks at the body of its own request to see whether the connection can be used again.
	ex.in = r.WithContext(context.WithValue(ex.ctx, exchangeKey{}, ex))
	ex.out = newResponseWriter(w, ex.snap.Config.Timeouts.Write)
	ex.active = instruments.ServerActive{Method: instruments.Method(r.Method), Scheme: scheme(r)}
	h.metrics.ServerActive(ex.ctx, ex.active, 1)
	if r.ProtoMajor == 1 && r.Body != nil && r.Body != http.NoBody {
		// For bodies that nobody reads: the server reads the rest of one before the next request, however slowly it comes.
		_ = ex.out.control.SetReadDeadline(ex.start.Add(ex.snap.Config.Timeouts.Read)) // not supported by writers of tests only
	}
	return ex
}

// match finds the route of a request and the upstream that it goes to.
func (ex *exchange) match(r *http.Request) {
	ex.ask = route.Request{Method: r.Method, Host: r.Host, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Header: r.Header,
		ClientIP: clientIP(r, ex.snap.Config.TrustForwarded)}
	if name := ex.snap.Config.TenantHeader; name != "" {
		ex.ask.Tenant = r.Header.Get(name)
	}
	var i int
	if i, ex.badPath = ex.snap.Table.Match(&ex.ask); i == route.None {
		return
	}
	ex.route = &ex.snap.Routes[i]
	ex.upstream = ex.route.pick(&ex.ask)
}

// rewriting is what the plan of the route works on.
func (ex *exchange) rewriting() *rewrite.Request {
	q := &ex.ask
	return &rewrite.Request{Path: q.Path, Query: q.Query, Host: q.Host, Scheme: scheme(ex.in), ClientIP: q.ClientIP, Tenant: q.Tenant}
}

// redirect sends the client elsewhere.
func (ex *exchange) redirect() {
	q := ex.rewriting()
	status, location := ex.route.Plan.Redirect(q)
	if location == "" {
		ex.answer(answer{status: http.StatusBadRequest, reject: telemetry.RejectBadRequest, detail: "The Host header is not the name of a host."})
		return
	}
	h := ex.out.Header()
	h.Set("Location", location)
	h.Set("Content-Length", "0")
	ex.route.Plan.EditResponse(h, q)
	ex.out.WriteHeader(status)
}

// arm starts the timeout of the exchange and puts the limits on the request body.
func (ex *exchange) arm() {
	if ex.route.Timeout > 0 {
		ex.timer = time.AfterFunc(ex.route.Timeout, func() { ex.cancel(errTimeout) })
	}
	if ex.in.Body != nil && ex.in.Body != http.NoBody {
		ex.body = newRequestBody(ex.in, ex.out, ex.route.MaxBody, ex.snap.Config.Timeouts.Read)
		ex.in.Body = ex.body
		// net/http would read the whole body of an HTTP/1.1 request before it lets the response begin.
		_ = ex.out.control.EnableFullDuplex() // not supported by writers of tests only
	}
}

// disarm ends the timeout: a connection that changed its protocol may live as long as it likes.
func (ex *exchange) disarm() {
	if ex.timer != nil {
		ex.timer.Stop()
	}
}

// end records the request. panicked is what the handler panicked with, if it did: ReverseProxy ends a response that
// breaks off in the middle that way, and so do we.
func (ex *exchange) end(panicked any) {
	ex.disarm()
	if panicked != nil && !ex.outcome.abort {
		ex.brokeOff(panicked)
	}
	if ex.last != nil {
		ex.last.finish(ex.outcome.err)
	}
	if ex.body != nil {
		_ = ex.body.Close() // never an error
	}
	ex.record()
	ex.cancel(nil)
	if panicked != nil {
		panic(http.ErrAbortHandler)
	}
}

// record writes metrics, span and log line, in the order in which they need each other.
func (ex *exchange) record() {
	errorType, status := ex.outcome.errorType, ex.out.status
	if errorType == "" && status >= http.StatusInternalServerError {
		errorType = strconv.Itoa(status)
	}
	m := instruments.ServerRequest{Method: ex.active.Method, Status: status, ErrorType: metricErrorType(errorType),
		Scheme: ex.active.Scheme, Protocol: protocol(ex.in)}
	if ex.route != nil {
		m.Route = ex.route.Template
	}
	received, duration := ex.body.bytes(), time.Since(ex.start)
	ex.h.metrics.ServerActive(ex.ctx, ex.active, -1)
	ex.h.metrics.ServerRequest(ex.ctx, m, duration, received, ex.out.bytes.Load())
	if ex.outcome.reject != "" {
		ex.h.metrics.Rejected(ex.ctx, ex.outcome.reject)
		ex.span.SetAttributes(attribute.String(telemetry.AttrGatewayRejectReason.Key, ex.outcome.reject))
	}
	if status != 0 {
		ex.span.SetAttributes(attribute.Int(telemetry.AttrHTTPResponseStatusCode.Key, status))
	}
	if errorType != "" {
		ex.span.SetAttributes(attribute.String(telemetry.AttrErrorType.Key, errorType))
		ex.span.SetStatus(codes.Error, ex.outcome.text())
	}
	ex.logAccess(status, errorType, duration, received)
	ex.span.End()
}

// metricErrorType keeps error.type within the contract's closed set: upstreams may answer with any number.
func metricErrorType(t string) string {
	if t != "" && telemetry.AttrErrorType.Allows(t) != nil {
		return telemetry.ErrorOther
	}
	return t
}

func (o outcome) text() string {
	if o.err == nil {
		return ""
	}
	return o.err.Error()
}
