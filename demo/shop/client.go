package shop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/tailgate-otel/tailgate/demo/telemetry"
)

// client calls other services through the gateway.
type client struct {
	gateway   *url.URL
	transport *http.Transport
	http      *http.Client
}

func newClient(gateway *url.URL, tel *telemetry.Telemetry) *client {
	transport := &http.Transport{ // no proxy: the gateway is on our own network
		DialContext:         (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 64, // the 2 of the default would open a connection for nearly every call
		IdleConnTimeout:     30 * time.Second,
	}
	return &client{gateway: gateway, transport: transport, http: &http.Client{Transport: otelhttp.NewTransport(transport,
		otelhttp.WithTracerProvider(tel.Tracers), otelhttp.WithMeterProvider(tel.Meters),
		otelhttp.WithPropagators(tel.Propagators))}}
}

func (c *client) close() { c.transport.CloseIdleConnections() }

// callError is a call that did not succeed, as the status that our own caller shall see.
type callError struct {
	status int
	text   string
}

func (e *callError) Error() string { return e.text }

// call sends in as JSON, if it is not nil, and reads the answer into out, if that is not nil.
func (c *client) call(ctx context.Context, timeout time.Duration, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode the request to %s: %w", path, err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.gateway.JoinPath(path).String(), body)
	if err != nil {
		return fmt.Errorf("request to %s: %w", path, err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return unanswered(ctx, method, path, err)
	}
	defer func() { _ = resp.Body.Close() }() // read only
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return unanswered(ctx, method, path, err)
	}
	if resp.StatusCode >= 400 {
		return refused(method, path, resp.StatusCode, data)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return &callError{http.StatusBadGateway, fmt.Sprintf("%s %s: answer is not JSON: %v", method, path, err)}
	}
	return nil
}

func unanswered(ctx context.Context, method, path string, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &callError{http.StatusGatewayTimeout, fmt.Sprintf("%s %s: no answer in time", method, path)}
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return &callError{statusClientGone, fmt.Sprintf("%s %s: the caller gave up", method, path)}
	}
	return &callError{http.StatusBadGateway, fmt.Sprintf("%s %s: %v", method, path, err)}
}

// refused passes on what the customer can do something about, and a timeout as such; every other failure of a service
// behind us is a bad gateway.
func refused(method, path string, status int, body []byte) error {
	var p problem
	if err := json.Unmarshal(body, &p); err != nil || p.Error == "" {
		p.Error = http.StatusText(status) // not one of ours: the gateway itself answered
	}
	text := fmt.Sprintf("%s %s: %d: %s", method, path, status, p.Error)
	if status < 500 || status == http.StatusGatewayTimeout {
		return &callError{status, text}
	}
	return &callError{http.StatusBadGateway, text}
}

// failCall answers with the status of a failed call.
func failCall(w http.ResponseWriter, err error) { fail(w, statusOf(err), err.Error()) }

func statusOf(err error) int {
	var ce *callError
	if errors.As(err, &ce) {
		return ce.status
	}
	return http.StatusInternalServerError
}
