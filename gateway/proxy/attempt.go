package proxy

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/tailgate-otel/tailgate/gateway/upstream"
	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/instruments"
)

// attempts is the transport of ReverseProxy: it tries a request on one endpoint after another.
type attempts struct{}

// RoundTrip returns the first response that comes. A further endpoint is tried when the last one accepted no connection,
// so that it has seen nothing of the request, or when a request that may be repeated broke before its response.
func (attempts) RoundTrip(r *http.Request) (*http.Response, error) {
	ex := exchangeOf(r.Context())
	set := ex.upstream
	for {
		endpoint := set.Pick(ex.tried)
		if endpoint == nil {
			if ex.last != nil {
				return nil, ex.last.broken()
			}
			return nil, errNoEndpoint
		}
		res, err := ex.attempt(r, endpoint)
		if err == nil || len(ex.tried) >= set.Attempts || !ex.repeatable(r, err) {
			return res, err
		}
	}
}

func (ex *exchange) repeatable(r *http.Request, err error) bool {
	if ex.ctx.Err() != nil {
		return false
	}
	var connect *upstream.ConnectError
	if errors.As(err, &connect) {
		return ex.body.bytes() == 0
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return ex.body == nil && errorTypeOf(err) == telemetry.ErrorReset
	}
	return false
}

// attempt is one try of a request at one endpoint, with its own span.
type attempt struct {
	ex       *exchange
	endpoint *upstream.Endpoint
	span     trace.Span
	req      *http.Request // carries the span's context
	start    time.Time
	metric   instruments.ClientRequest

	breakage atomic.Pointer[error] // how the connection or the response body broke
	once     sync.Once
}

func (ex *exchange) attempt(r *http.Request, e *upstream.Endpoint) (*http.Response, error) {
	a := &attempt{ex: ex, endpoint: e, start: time.Now()}
	a.metric = instruments.ClientRequest{Method: ex.active.Method, Upstream: e.Upstream, Address: e.Address, Port: e.Port}
	resend := len(ex.tried)
	ex.tried, ex.last = append(ex.tried, e), a
	a.prepare(r, resend)
	ex.h.metrics.ClientActive(a.req.Context(), a.active(), 1)
	res, err := e.RoundTrip(a.req)
	if err != nil {
		a.noteBroken(err)
		a.finish(err)
		return nil, err
	}
	a.metric.Status, a.metric.Protocol = res.StatusCode, protocolVersion(res.ProtoMajor, res.ProtoMinor)
	a.wrap(res)
	return res, nil
}

// prepare makes the request of this attempt: the endpoint's address and the attempt's own span as parent.
func (a *attempt) prepare(r *http.Request, resend int) {
	u := *r.URL
	u.Scheme, u.Host = a.endpoint.URL.Scheme, a.endpoint.URL.Host
	ctx, span := a.startSpan(r.Context(), &u, resend)
	out := r.WithContext(ctx)
	out.URL, a.span, a.req = &u, span, out
	out.Trailer = a.ex.in.Trailer // the server fills it when the body ends; ReverseProxy's copy would stay empty
	if resend > 0 {               // goroutines of the last attempt's connection may still read the old header
		out.Header = r.Header.Clone()
	}
	if host := a.ex.route.Plan.Host(); host != "" {
		out.Host = host
	} else if a.ex.upstream.HostOfEndpoint {
		out.Host = u.Host
	}
	if body := a.ex.body; body != nil {
		// Each attempt gets a reader that it may close. ReverseProxy's own is of no use after the first close.
		out.Body = io.NopCloser(body)
		// The transport may meet a connection that the endpoint has just closed: it takes another one as long as nothing
		// of the body is gone.
		out.GetBody = func() (io.ReadCloser, error) {
			if body.bytes() > 0 {
				return nil, errors.New("the body has been read")
			}
			return io.NopCloser(body), nil
		}
	}
	propagator.Inject(ctx, headerCarrier(out.Header))
}

// wrap makes the end of the response body the end of the attempt.
func (a *attempt) wrap(res *http.Response) {
	body := responseBody{res.Body, a}
	if w, ok := res.Body.(io.Writer); ok && res.StatusCode == http.StatusSwitchingProtocols {
		a.ex.disarm()
		res.Body = &upgradedBody{body, w}
		return
	}
	res.Body = &body
}

func (a *attempt) active() instruments.ClientActive {
	return instruments.ClientActive{Upstream: a.endpoint.Upstream, Address: a.endpoint.Address, Port: a.endpoint.Port}
}

func (a *attempt) noteBroken(err error) { a.breakage.CompareAndSwap(nil, &err) }

// broken is how the attempt broke, or nil. It may be called on nil.
func (a *attempt) broken() error {
	if a == nil {
		return nil
	}
	if p := a.breakage.Load(); p != nil {
		return *p
	}
	return nil
}

// finish ends the attempt. Only the first call counts: the end of the body, its closing, an error, or the end of the
// exchange.
func (a *attempt) finish(err error) {
	a.once.Do(func() {
		a.endpoint.Release()
		ctx := a.req.Context()
		a.ex.h.metrics.ClientActive(ctx, a.active(), -1)
		m := a.metric
		text := ""
		switch {
		case err != nil:
			m.ErrorType, text = a.errorType(err), err.Error()
		case m.Status >= http.StatusInternalServerError:
			m.ErrorType = strconv.Itoa(m.Status)
		}
		if m.Status != 0 {
			a.span.SetAttributes(attribute.Int(telemetry.AttrHTTPResponseStatusCode.Key, m.Status),
				attribute.String(telemetry.AttrNetworkProtocolVersion.Key, m.Protocol))
		}
		if m.ErrorType != "" {
			a.span.SetAttributes(attribute.String(telemetry.AttrErrorType.Key, m.ErrorType))
			a.span.SetStatus(codes.Error, text)
		}
		m.ErrorType = metricErrorType(m.ErrorType)
		a.ex.h.metrics.ClientRequest(ctx, m, time.Since(a.start))
		a.span.End()
	})
}

// errorType names the error of an attempt; what ended the exchange as a whole comes first.
func (a *attempt) errorType(err error) string {
	if t := explain(a.ex.ctx, a.ex.body, err).errorType; t != "" {
		return t
	}
	if t := errorTypeOf(err); t != "" {
		return t
	}
	return telemetry.ErrorOther
}
