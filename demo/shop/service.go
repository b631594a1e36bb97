package shop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/tailgate-otel/tailgate/demo/fault"
	"github.com/tailgate-otel/tailgate/demo/telemetry"
)

const scope = "github.com/tailgate-otel/tailgate/demo/shop"

// service is what the five have in common. The fields of one service's own are set for that one only.
type service struct {
	name     string
	tel      *telemetry.Telemetry
	log      *slog.Logger
	tracer   trace.Tracer
	calls    *client
	faults   *fault.Injector
	known    fault.Services
	injected metric.Int64Counter
	server   *http.Server
	listener net.Listener

	carts  *carts  // cart
	orders *orders // checkout
}

// endpoint is one route of a service.
type endpoint struct {
	pattern string
	serve   http.HandlerFunc
}

func (s *service) endpoints() []endpoint {
	switch s.name {
	case "storefront":
		return s.storefront()
	case "catalog":
		return s.catalog()
	case "cart":
		return s.cart()
	case "checkout":
		return s.checkout()
	default:
		return s.payment()
	}
}

func newService(ctx context.Context, name string, gateway *url.URL, st Settings, faults *fault.Injector) (*service, error) {
	listener, err := listen(name, st.Listen[name])
	if err != nil {
		return nil, err
	}
	tel, err := telemetry.Start(ctx, telemetry.Settings{Service: name, Version: Version, Log: st.Log, Level: st.Level})
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s := &service{
		name: name, tel: tel, log: tel.Log, listener: listener, faults: faults, known: Routes(),
		tracer: tel.Tracers.Tracer(scope), calls: newClient(gateway, tel),
	}
	if err := s.instruments(); err != nil {
		return nil, errors.Join(err, listener.Close(), tel.Shutdown(ctx))
	}
	s.server = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      fault.MaxDelay + 10*time.Second, // a delayed request is still to be answered
		IdleTimeout:       2 * time.Minute,                 // longer than the gateway keeps a connection, so that we never close under its hands
		ErrorLog:          slog.NewLogLogger(tel.Log.Handler(), slog.LevelWarn),
	}
	s.log.Info("serving", "addr", listener.Addr().String())
	return s, nil
}

func (s *service) instruments() error {
	meter := s.tel.Meters.Meter(scope)
	var err error
	s.injected, err = meter.Int64Counter("demo.faults", metric.WithUnit("{fault}"),
		metric.WithDescription("Faults that the demo inflicted on requests on purpose."))
	if err != nil {
		return fmt.Errorf("instruments of %s: %w", s.name, err)
	}
	switch s.name {
	case "cart":
		s.carts, err = newCarts(meter)
	case "checkout":
		s.orders, err = newOrders(meter)
	}
	if err != nil {
		return fmt.Errorf("instruments of %s: %w", s.name, err)
	}
	return nil
}

func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	for _, e := range s.endpoints() {
		mux.Handle(e.pattern, s.faulty(e.pattern, e.serve))
	}
	return otelhttp.NewHandler(mux, s.name,
		otelhttp.WithTracerProvider(s.tel.Tracers), otelhttp.WithMeterProvider(s.tel.Meters),
		otelhttp.WithPropagators(s.tel.Propagators))
}

// statusClientGone is what nginx made the custom for a request whose caller left before the answer.
const statusClientGone = 499

// faulty lets happen to a request what its directives or the odds say, and then, if it survives, its work.
func (s *service) faulty(route string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, fate, err := s.fate(r, route)
		if err != nil {
			fail(w, http.StatusBadRequest, err.Error())
			return
		}
		r = r.WithContext(ctx)
		// otelhttp around a ServeMux knows the route too late for the span.
		trace.SpanFromContext(ctx).SetAttributes(attribute.String("http.route", route[strings.IndexByte(route, '/'):]))
		if fate.Delay > 0 && !s.delay(w, r, route, fate.Delay) {
			return
		}
		if fate.Status != 0 {
			s.mark(ctx, "error", attribute.Int("demo.fault.status", fate.Status))
			s.log.WarnContext(ctx, "failing on purpose", "route", route, "status", fate.Status)
			fail(w, fate.Status, "this request failed on purpose, see demo/README.md")
			return
		}
		next(w, r)
	}
}

// delay holds a request up. When its caller gives up before it has answered and returns false.
func (s *service) delay(w http.ResponseWriter, r *http.Request, route string, d time.Duration) bool {
	ctx := r.Context()
	// The server notices that a caller is gone only once the body has been read: it is the next thing on the connection.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		fail(w, http.StatusBadRequest, "the body cannot be read: "+err.Error())
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.mark(ctx, "slow", attribute.String("demo.fault.delay", d.String()))
	s.log.DebugContext(ctx, "delaying on purpose", "route", route, "delay", d.String())
	if pause(ctx, d) {
		return true
	}
	s.log.WarnContext(ctx, "the caller gave up", "route", route, "delay", d.String())
	trace.SpanFromContext(ctx).SetStatus(codes.Error, "the caller gave up")
	w.WriteHeader(statusClientGone)
	return false
}

// mark counts a fault and notes it on the span.
func (s *service) mark(ctx context.Context, kind string, more attribute.KeyValue) {
	k := attribute.String("demo.fault.kind", kind)
	s.injected.Add(ctx, 1, metric.WithAttributes(k))
	trace.SpanFromContext(ctx).AddEvent("demo.fault", trace.WithAttributes(k, more))
}

// pause waits for d; it returns false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The caller may be gone by now; its own span says so.
	_ = json.NewEncoder(w).Encode(body)
}

// problem is the body of every answer that is not a success.
type problem struct {
	Error string `json:"error"`
}

func fail(w http.ResponseWriter, status int, text string) { answer(w, status, problem{text}) }

// maxBody bounds what is read of a request or an answer; the largest real one is the catalog with 2 KB.
const maxBody = 1 << 20

// decode reads a JSON request; it has answered when it returns false.
func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		fail(w, http.StatusBadRequest, "the body must be JSON: "+err.Error())
		return false
	}
	return true
}
