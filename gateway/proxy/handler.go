// Package proxy is the request path of the gateway: it matches a request, checks limits, sends it to an endpoint and
// streams the answer back, and it records the span, metrics and log line of each request.
//
// Every request works on one Snapshot from its first to its last byte; Swap puts another one in its place for requests
// that come later, and nothing waits. The package starts no goroutine of its own: a request runs on the goroutine that
// the server gave it. Under overload nothing queues here: bodies are streamed through one 32 KiB buffer per
// direction, an upstream without a usable endpoint is answered for with 503 at once, and clients that stop reading or
// sending run into the write and read timeouts.
//
// The copying of headers and bodies, trailers, 1xx responses and protocol upgrades is net/http/httputil's ReverseProxy:
// its rules for hop-by-hop headers and its corner cases have been read by many. It costs 37 microseconds per request
// where a loop of our own came to 18 in a prototype; such a loop can take its place behind the same exchange.
package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	gatewaytelemetry "github.com/tailgate-otel/tailgate/gateway/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/instruments"
)

// Settings are what a handler records with.
type Settings struct {
	Tracer  trace.TracerProvider
	Metrics *instruments.Gateway
	Logger  *slog.Logger
}

// Handler is the gateway as an http.Handler.
type Handler struct {
	tracer  trace.Tracer
	metrics *instruments.Gateway
	logger  *slog.Logger
	forward *httputil.ReverseProxy
	current atomic.Pointer[Snapshot]
}

// flushInterval is how long a part of a response of known length may wait for more of it. ReverseProxy flushes streams
// (server-sent events, bodies of unknown length) at once; doing that for all costs a second write system call per
// response, since the header then goes out alone.
const flushInterval = 10 * time.Millisecond

// New returns a handler that works by first until Swap.
func New(s Settings, first *Snapshot) *Handler {
	h := &Handler{tracer: s.Tracer.Tracer(gatewaytelemetry.Scope), metrics: s.Metrics, logger: s.Logger}
	h.current.Store(first)
	h.forward = &httputil.ReverseProxy{
		Rewrite:   rewriteRequest,
		Transport: attempts{},
		ModifyResponse: func(res *http.Response) error {
			ex := exchangeOf(res.Request.Context())
			ex.route.Plan.EditResponse(res.Header, ex.rewriting())
			return nil
		},
		FlushInterval: flushInterval,
		BufferPool:    &buffers{},
		ErrorHandler:  func(_ http.ResponseWriter, r *http.Request, err error) { exchangeOf(r.Context()).fail(err) },
		ErrorLog:      slog.NewLogLogger(s.Logger.Handler(), slog.LevelDebug),
	}
	return h
}

// Swap makes next the snapshot of all requests that come from now on.
func (h *Handler) Swap(next *Snapshot) { h.current.Store(next) }

// Current returns the snapshot in force.
func (h *Handler) Current() *Snapshot { return h.current.Load() }

// ServeHTTP serves one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ex := h.begin(w, r)
	defer func() { ex.end(recover()) }()
	if refusal := ex.admit(); refusal != nil {
		ex.answer(*refusal)
		return
	}
	if ex.upstream == nil {
		ex.redirect()
		return
	}
	ex.arm()
	h.forward.ServeHTTP(ex.out, ex.in)
	if ex.outcome.abort {
		panic(http.ErrAbortHandler)
	}
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) }

// ErrDraining is the cause of a request's context when the gateway cuts it off at the end of its shutdown.
var ErrDraining = errors.New("the gateway is shutting down")

// buffers lends the copy buffers of bodies.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return p[:]
	}
	return make([]byte, bufferSize)
}

func (b *buffers) Put(p []byte) { b.pool.Put((*[bufferSize]byte)(p)) }
