package retry_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/budget"
	"github.com/tailgate-otel/tailgate/gateway/retry"
)

// client tries a GET at one server after another, within a deadline budget, as the gateway does.
type client struct {
	t         *testing.T
	transport *http.Transport
	servers   []string
	budget    budget.Budget
	dials     atomic.Int64
}

func newClient(t *testing.T, b budget.Budget, servers ...string) *client {
	c := &client{t: t, servers: servers, budget: b}
	c.transport = &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c.dials.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	return c
}

func (c *client) attempt(ctx context.Context, try retry.Try) (*http.Response, retry.Failure) {
	now := time.Now()
	left, ok := c.budget.Try(now)
	if !ok {
		return nil, retry.Failure{Class: retry.Final, Err: budget.ErrExpired}
	}
	own := budget.NewContext(ctx, left)
	context.AfterFunc(ctx, own.Stop)
	req, err := http.NewRequestWithContext(own, http.MethodGet, c.servers[try.Number%len(c.servers)], nil)
	if err != nil {
		c.t.Error(err)
	}
	left.Forward(req.Header, now)
	res, err := c.transport.RoundTrip(req)
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "dial":
		return nil, retry.Failure{Class: retry.NotSent, Err: err}
	case errors.Is(context.Cause(own), budget.ErrExpired):
		return nil, retry.Failure{Class: retry.Timeout, Err: err}
	case err != nil:
		return nil, retry.Failure{Class: retry.Reset, Err: err}
	case res.StatusCode >= 500:
		return res, retry.Failure{Class: retry.Status, Code: res.StatusCode}
	}
	return res, retry.Failure{}
}

func discard(res *http.Response) {
	if res != nil {
		_ = res.Body.Close()
	}
}

func start(t *testing.T, s budget.Settings) budget.Budget {
	t.Helper()
	p, err := budget.New(s)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Start(http.Header{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func serve(t *testing.T, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// TestOverHTTP: a dead endpoint, one that resets, one that hangs and one that is busy, and then an answer. Each server is
// told what a try has, not what the route has.
func TestOverHTTP(t *testing.T) {
	refused := httptest.NewServer(nil)
	refused.Close()
	told := func(r *http.Request) {
		if got := r.Header.Get(budget.DefaultHeader); got != "300" {
			t.Errorf("a server was told %q ms, a try has 300", got)
		}
	}
	resets := serve(t, func(_ http.ResponseWriter, r *http.Request) { told(r); panic(http.ErrAbortHandler) })
	hangs := serve(t, func(_ http.ResponseWriter, r *http.Request) { told(r); <-r.Context().Done() })
	busy := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	works := serve(t, func(w http.ResponseWriter, r *http.Request) { told(r); _, _ = io.WriteString(w, "ok") })
	c := newClient(t, start(t, budget.Settings{Total: 10 * time.Second, PerTry: 300 * time.Millisecond}), refused.URL, resets, hangs, busy, works)
	ctx := budget.NewContext(t.Context(), c.budget)
	defer ctx.Stop()
	res := retry.Do(ctx, policy(t, retry.Settings{Attempts: 5}), retry.NewState(time.Now()), get, c.attempt, discard)
	if res.Failure.Class != retry.OK || res.Tries != 5 {
		t.Fatalf("%+v", res)
	}
	defer discard(res.Answer)
	if body, err := io.ReadAll(res.Answer.Body); err != nil || string(body) != "ok" {
		t.Errorf("%q, %v", body, err)
	}
}

// TestAnExpiredBudgetNeverDials, neither at first nor between tries.
func TestAnExpiredBudgetNeverDials(t *testing.T) {
	hangs := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	b := start(t, budget.Settings{Total: 100 * time.Millisecond})
	c := newClient(t, b, hangs)
	for _, dials := range []int64{1, 1} { // the second request finds the budget used up
		ctx := budget.NewContext(t.Context(), b)
		res := retry.Do(ctx, policy(t, retry.Settings{Attempts: 10}), retry.NewState(time.Now()), get, c.attempt, discard)
		ctx.Stop()
		if res.Failure.Class == retry.OK || c.dials.Load() != dials {
			t.Errorf("%d dials, want %d: %+v", c.dials.Load(), dials, res)
		}
	}
}
