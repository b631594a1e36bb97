package upstream_test

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

	"go.uber.org/goleak"

	"github.com/tailgate-otel/tailgate/gateway/config"
	"github.com/tailgate-otel/tailgate/gateway/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is moved by the test.
type clock struct{ nanos atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1000, c.nanos.Load()) }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

func newRegistry(t *testing.T) (*upstream.Registry, *clock) {
	c := &clock{}
	r := upstream.NewRegistry(c.now)
	t.Cleanup(r.Close)
	return r, c
}

func apply(t *testing.T, r *upstream.Registry, ups map[string]config.Upstream) map[string]*upstream.Set {
	t.Helper()
	for name, u := range ups {
		if u.Protocol == "" {
			u.Protocol = config.HTTP1
		}
		u.Cooldown, u.MaxIdleConnections = time.Second, 8
		ups[name] = u
	}
	g, err := r.Prepare(ups, config.Default().Timeouts)
	if err != nil {
		t.Fatal(err)
	}
	r.Commit(g)
	return g.Sets
}

func send(t *testing.T, e *upstream.Endpoint) (string, error) {
	t.Helper()
	defer e.Release()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.URL.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := e.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return string(body), err
}

// refused returns the address of a port that nothing listens on.
func refused(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return "http://" + l.Addr().String()
}

func urls(n int) []string {
	all := []string{"http://a:1", "http://b:1", "http://c:1"}
	return all[:n]
}

func TestRoundRobinTakesTurns(t *testing.T) {
	r, _ := newRegistry(t)
	set := apply(t, r, map[string]config.Upstream{"u": {Endpoints: urls(3), Balance: config.RoundRobin}})["u"]
	count := map[string]int{}
	for range 30 {
		e := set.Pick(nil)
		count[e.Address]++
		e.Release()
	}
	for _, host := range []string{"a", "b", "c"} {
		if count[host] != 10 {
			t.Errorf("picks %v, want 10 each", count)
		}
	}
}

func TestLeastLoadedAvoidsBusyEndpoints(t *testing.T) {
	r, _ := newRegistry(t)
	set := apply(t, r, map[string]config.Upstream{"u": {Endpoints: urls(3), Balance: config.LeastLoaded}})["u"]
	held := map[string]int{}
	for range 30 {
		held[set.Pick(nil).Address]++ // nothing is released
	}
	for host, n := range held {
		if n != 10 {
			t.Errorf("%s holds %d of 30 requests, want 10", host, n)
		}
	}
	busy := set.Endpoints()[0]
	for range 10 {
		set.Endpoints()[1].Release()
		set.Endpoints()[2].Release()
	}
	for range 18 {
		if e := set.Pick(nil); e == busy {
			t.Fatal("picked the endpoint with 10 requests in flight while the others had fewer")
		}
	}
}

func TestPickLeavesOutTried(t *testing.T) {
	r, _ := newRegistry(t)
	set := apply(t, r, map[string]config.Upstream{"u": {Endpoints: urls(2)}})["u"]
	first := set.Pick(nil)
	second := set.Pick([]*upstream.Endpoint{first})
	if second == first || second == nil {
		t.Fatalf("picked %v after %v", second, first)
	}
	if third := set.Pick([]*upstream.Endpoint{first, second}); third != nil {
		t.Errorf("picked %s though all were tried", third.URL)
	}
}

func TestRefusingEndpointIsSkippedThenProbedOnce(t *testing.T) {
	r, c := newRegistry(t)
	set := apply(t, r, map[string]config.Upstream{"u": {Endpoints: []string{refused(t)}}})["u"]
	e := set.Pick(nil)
	_, err := send(t, e)
	var ce *upstream.ConnectError
	if !errors.As(err, &ce) {
		t.Fatalf("got %v, want a ConnectError", err)
	}
	if healthy, unhealthy := set.Health(); healthy != 0 || unhealthy != 1 {
		t.Errorf("health %d/%d, want 0/1", healthy, unhealthy)
	}
	if set.Pick(nil) != nil {
		t.Error("picked within the cooldown")
	}
	c.advance(time.Second)
	probe := set.Pick(nil)
	if probe == nil {
		t.Fatal("no probe after the cooldown")
	}
	if set.Pick(nil) != nil {
		t.Error("a second request was let through while the first one probes")
	}
	probe.Release()
}

func TestResponseEndsCooldown(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	defer srv.Close()
	r, c := newRegistry(t)
	set := apply(t, r, map[string]config.Upstream{"u": {Endpoints: []string{srv.URL}}})["u"]
	if _, err := send(t, set.Pick(nil)); err != nil { // leaves a connection open, so that the next one is not dialed
		t.Fatal(err)
	}
	set.Endpoints()[0].MarkUnreachable()
	c.advance(time.Second)
	if body, err := send(t, set.Pick(nil)); err != nil || body != "ok" {
		t.Fatalf("probe: %q, %v", body, err)
	}
	if !set.Endpoints()[0].Healthy() || !set.Endpoints()[0].RetryAt().IsZero() {
		t.Error("still cooling down after a response")
	}
}

// TestConnectionsSurviveReload sends before and after a change of another upstream and counts connections.
func TestConnectionsSurviveReload(t *testing.T) {
	var conns atomic.Int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	r, _ := newRegistry(t)
	one := config.Upstream{Endpoints: []string{srv.URL}}
	var first *upstream.Endpoint
	for i := range 20 {
		set := apply(t, r, map[string]config.Upstream{"u": one, "other": {Endpoints: urls(1 + i%3)}})["u"]
		if e := set.Endpoints()[0]; first == nil {
			first = e
		} else if e != first {
			t.Fatal("the endpoint was replaced by a reload that did not change it")
		}
		if _, err := send(t, set.Pick(nil)); err != nil {
			t.Fatal(err)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections for 20 requests across 20 reloads, want 1", n)
	}
}

// TestRetiredEndpointFinishes removes an endpoint while a response is read from it.
func TestRetiredEndpointFinishes(t *testing.T) {
	release, closed := make(chan struct{}), make(chan struct{})
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first ")
		_ = http.NewResponseController(w).Flush()
		<-release
		_, _ = io.WriteString(w, "last")
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			close(closed)
		}
	}
	srv.Start()
	defer srv.Close()
	r, _ := newRegistry(t)
	e := apply(t, r, map[string]config.Upstream{"u": {Endpoints: []string{srv.URL}}})["u"].Pick(nil)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, e.URL.String(), nil)
	res, err := e.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, r, map[string]config.Upstream{})
	close(release)
	body, err := io.ReadAll(res.Body)
	if err != nil || string(body) != "first last" {
		t.Errorf("got %q, %v", body, err)
	}
	_ = res.Body.Close()
	e.Release()
	select {
	case <-closed: // nothing stays behind
	case <-time.After(10 * time.Second):
		t.Error("the connection of the retired endpoint is still open")
	}
}

func TestProtocols(t *testing.T) {
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })
	plain := httptest.NewUnstartedServer(echo)
	plain.Config.Protocols = new(http.Protocols)
	plain.Config.Protocols.SetHTTP1(true)
	plain.Config.Protocols.SetUnencryptedHTTP2(true)
	plain.Start()
	defer plain.Close()
	for proto, want := range map[config.Protocol]string{config.HTTP1: "HTTP/1.1", config.H2C: "HTTP/2.0"} {
		r, _ := newRegistry(t)
		set := apply(t, r, map[string]config.Upstream{"u": {Endpoints: []string{plain.URL}, Protocol: proto}})["u"]
		if got, err := send(t, set.Pick(nil)); err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", proto, got, err, want)
		}
	}
}

func TestCancelledDialIsNotTheEndpointsFault(t *testing.T) {
	r, _ := newRegistry(t)
	e := apply(t, r, map[string]config.Upstream{"u": {Endpoints: []string{"http://127.0.0.1:9"}}})["u"].Pick(nil)
	defer e.Release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, e.URL.String(), nil)
	if _, err := e.RoundTrip(req); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if !e.Healthy() {
		t.Error("marked unreachable for a request that its client cancelled")
	}
}

func TestPrepareNamesTheKeyOfABadCA(t *testing.T) {
	r, _ := newRegistry(t)
	_, err := r.Prepare(map[string]config.Upstream{"u": {Endpoints: []string{"https://a"}, Protocol: config.HTTP2, TLS: config.UpstreamTLS{CAFile: "testdata/none.pem"}}}, config.Default().Timeouts)
	if err == nil || err.Error() != "upstreams.u.tls.ca_file: open testdata/none.pem: no such file or directory" {
		t.Errorf("got %v", err)
	}
}
