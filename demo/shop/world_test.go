package shop_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/tailgate-otel/tailgate/demo/fault"
	"github.com/tailgate-otel/tailgate/demo/internal/otlptest"
	"github.com/tailgate-otel/tailgate/demo/shop"
)

// world is a shop behind a reverse proxy with the routes that the gateway has, and a sink for its telemetry.
type world struct {
	t       *testing.T
	shop    *shop.Shop
	sink    *otlptest.Sink
	gateway *httptest.Server
	client  *http.Client
	log     *syncBuffer
}

// syncBuffer is a log that can be read, and waited for, while it is written.
type syncBuffer struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	await string
	seen  chan struct{} // closed when await is written
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.await != "" && bytes.Contains(p, []byte(b.await)) {
		close(b.seen)
		b.await = ""
	}
	return b.buf.Write(p)
}

// expect returns a channel that is closed once a record with the text is written.
func (b *syncBuffer) expect(text string) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.await, b.seen = text, make(chan struct{})
	return b.seen
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func open(t *testing.T, faults string) *world {
	t.Helper()
	w := &world{t: t, sink: otlptest.Start(t), log: &syncBuffer{}}
	mux := http.NewServeMux()
	w.gateway = httptest.NewServer(mux)
	t.Cleanup(w.gateway.Close)
	cfg, err := fault.Parse("faults.yaml", []byte(faults), shop.Routes())
	if err != nil {
		t.Fatal(err)
	}
	s := shop.Settings{Gateway: w.gateway.URL, Admin: "127.0.0.1:0", Faults: cfg, Log: w.log, Level: slog.LevelDebug, Listen: map[string]string{}}
	for _, name := range shop.Names() {
		s.Listen[name] = "127.0.0.1:0"
	}
	if w.shop, err = shop.Start(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.shop.Shutdown(context.Background()) })
	w.route(mux)
	w.client = &http.Client{
		Transport:     &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(w.client.CloseIdleConnections)
	return w
}

func (w *world) route(mux *http.ServeMux) {
	transport := &http.Transport{}
	w.t.Cleanup(transport.CloseIdleConnections)
	for prefix, name := range map[string]string{
		"/": "storefront", "/api/catalog/": "catalog", "/api/cart/": "cart", "/api/checkout": "checkout", "/api/payment": "payment",
	} {
		target := &url.URL{Scheme: "http", Host: w.shop.Addr(name)}
		mux.Handle(prefix, &httputil.ReverseProxy{
			Transport: transport,
			Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
			// The client that gives up is part of the tests: no line on stderr for it.
			ErrorHandler: func(rw http.ResponseWriter, _ *http.Request, _ error) { rw.WriteHeader(http.StatusBadGateway) },
		})
	}
}

// do sends a request through the gateway and returns status and body.
func (w *world) do(method, path, directives, contentType, body string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.gateway.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if directives != "" {
		req.Header.Set(fault.Header, directives)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func (w *world) get(path, directives string) (int, string) {
	w.t.Helper()
	return w.do(http.MethodGet, path, directives, "", "")
}

func (w *world) form(path, directives, form string) (int, string) {
	w.t.Helper()
	return w.do(http.MethodPost, path, directives, "application/x-www-form-urlencoded", form)
}

func (w *world) fill(user, product string) {
	w.t.Helper()
	if status, text := w.form("/shop/cart/"+user+"/items", "", "product="+product+"&quantity=2"); status != http.StatusSeeOther {
		w.t.Fatalf("add to cart: %d %s", status, text)
	}
}

// close ends the shop, so that the sink has everything.
func (w *world) close() {
	w.t.Helper()
	if err := w.shop.Shutdown(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}
