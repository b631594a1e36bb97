package h1_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/h1"
)

// TestFullLot: connections beyond the bound keep their goroutine and serve as well.
func TestFullLot(t *testing.T) {
	srv := ours(t, hello, func(s *h1.Settings) { s.Linger, s.MaxParked = time.Millisecond, 1 })
	addr := listening(t, srv)
	a, b := dial(t, addr), dial(t, addr)
	for range 3 {
		eventually(t, "one parked, one waiting", func() bool { return srv.Stats() == h1.Stats{Parked: 1, Idle: 1} })
		a.send(get("/"))
		b.send(get("/"))
		a.expect(200, "hello")
		b.expect(200, "hello")
	}
}

// TestIdleTimeout ends parked connections, and those that wait on a goroutine.
func TestIdleTimeout(t *testing.T) {
	for _, parked := range []int{0, 1} { // 0 is no bound
		srv := ours(t, hello, func(s *h1.Settings) {
			s.Linger, s.IdleTimeout, s.MaxParked = time.Millisecond, 50*time.Millisecond, parked
		})
		addr := listening(t, srv)
		for range 2 {
			c := dial(t, addr)
			c.send(get("/"))
			c.expect(200, "hello")
			defer c.expectEnd()
		}
	}
}

// TestShutdown: idle and parked connections end at once, a request in flight ends well and says that it was the last.
func TestShutdown(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	srv := ours(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(started)
			<-release
		}
		_, _ = io.WriteString(w, "hello")
	}), quickly)
	addr := listening(t, srv)
	quiet, busy, untouched := dial(t, addr), dial(t, addr), dial(t, addr)
	quiet.send(get("/"))
	quiet.expect(200, "hello")
	busy.send(get("/slow"))
	<-started
	eventually(t, "two parked", func() bool { return srv.Stats() == h1.Stats{Active: 1, Parked: 2} })
	ended := make(chan error, 1)
	go func() { ended <- srv.Shutdown(t.Context()) }()
	quiet.expectEnd()
	untouched.expectEnd()
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := srv.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a request in flight: %v", err)
	}
	close(release)
	if res := busy.expect(200, "hello"); !res.Close {
		t.Error("the last response does not say so")
	}
	busy.expectEnd()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := srv.Serve(newFeed()); !errors.Is(err, h1.ErrServerClosed) {
		t.Errorf("serve after shutdown: %v", err)
	}
}

// TestClose cancels what is in flight.
func TestClose(t *testing.T) {
	started, causes := make(chan struct{}), make(chan error, 1)
	srv := ours(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(started)
		<-r.Context().Done()
		causes <- context.Cause(r.Context())
	}), nil)
	c := dial(t, listening(t, srv))
	c.send(get("/"))
	<-started
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	if cause := <-causes; !errors.Is(cause, h1.ErrServerClosed) && !errors.Is(cause, context.Canceled) {
		t.Errorf("cause %v", cause)
	}
	c.expectEnd()
}

type key struct{}

// TestBaseContext: its values are every request's, and its end is the end of those in flight, with its cause.
func TestBaseContext(t *testing.T) {
	errCut := errors.New("cut")
	base, cut := context.WithCancelCause(context.WithValue(context.Background(), key{}, "value"))
	started, causes := make(chan struct{}, 2), make(chan error, 2)
	srv := ours(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Context().Value(key{}) != "value" || r.Context().Value(http.LocalAddrContextKey) == nil {
			t.Error("a value is missing")
		}
		started <- struct{}{}
		<-r.Context().Done()
		causes <- context.Cause(r.Context())
	}), func(s *h1.Settings) { s.BaseContext = base })
	addr := listening(t, srv)
	c := dial(t, addr)
	c.send(get("/"))
	<-started
	cut(errCut)
	if err := <-causes; !errors.Is(err, errCut) {
		t.Errorf("cause %v", err)
	}
	late := dial(t, addr)
	late.send(get("/"))
	if err := <-causes; !errors.Is(err, errCut) {
		t.Errorf("cause of a later request %v", err)
	}
}

// TestClientGone: the request's context ends when the client leaves, also when it left unread input behind, over links
// with and without a descriptor; and not before.
func TestClientGone(t *testing.T) {
	for name, link := range links(t) {
		for _, input := range []string{get("/"), post("/read", "hello"), get("/") + get("/next")} {
			t.Run(name, func(t *testing.T) {
				started, causes := make(chan struct{}), make(chan error, 1)
				var once sync.Once
				srv := ours(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					once.Do(func() {
						close(started)
						select {
						case <-r.Context().Done():
							causes <- r.Context().Err()
						case <-time.After(10 * time.Second):
							causes <- nil
						}
					})
				}), nil)
				c := newClient(t, link(t, srv)())
				c.send(input)
				<-started
				select {
				case err := <-causes:
					t.Fatalf("cancelled with %v while the client was there", err)
				case <-time.After(120 * time.Millisecond): // twice as long as it takes until someone looks
				}
				c.Close()
				if err := <-causes; !errors.Is(err, context.Canceled) {
					t.Errorf("context ended with %v", err)
				}
			})
		}
	}
}

// TestClientGoneWithin: a client that leaves within its body or while it is answered ends the request's context at once.
func TestClientGoneWithin(t *testing.T) {
	causes := make(chan error, 1)
	srv := ours(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			if _, err := io.Copy(io.Discard, r.Body); err == nil {
				t.Error("half a body was read without an error")
			}
		}
		for err := error(nil); r.Method == http.MethodGet && err == nil; {
			_, err = io.WriteString(w, big)
		}
		causes <- r.Context().Err()
	}), nil)
	addr := listening(t, srv)
	for _, input := range []string{request("POST", "/", "ab", "Content-Length: 3"), get("/")} {
		c := dial(t, addr)
		c.send(input)
		if input == get("/") {
			if _, err := c.r.Peek(1); err != nil {
				t.Fatal(err)
			}
		}
		c.Close()
		if err := <-causes; !errors.Is(err, context.Canceled) {
			t.Errorf("%q: context ended with %v", input, err)
		}
	}
}

// TestSlowRequestThenNext: looking after the client takes nothing from the next request, pipelined or not.
func TestSlowRequestThenNext(t *testing.T) {
	srv := ours(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			time.Sleep(120 * time.Millisecond)
		}
		_, _ = io.WriteString(w, r.URL.Path)
	}), quickly)
	c := dial(t, listening(t, srv))
	for range 3 {
		c.send(get("/slow"))
		c.expect(200, "/slow")
		c.send(get("/slow") + get("/a"))
		c.expect(200, "/slow")
		c.expect(200, "/a")
	}
}
