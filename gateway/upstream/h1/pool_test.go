package h1_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/upstream/h1"
)

const ok = head + "Content-Length: 2\r\n\r\nok"

// numbering answers each request with the number of its connection.
func numbering(n int, c *net.TCPConn) {
	text := fmt.Sprint(n)
	answering(head+fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(text), text), false)(n, c)
}

// hold sends a request and leaves its response unread, which keeps its connection in use.
func hold(t *testing.T, c *h1.Client, address string) *http.Response {
	t.Helper()
	res, err := c.RoundTrip(newRequest(t, http.MethodGet, address, nil))
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// finish reads a response to its end and returns what it says.
func finish(t *testing.T, res *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return string(text)
}

func TestLastUsedIsUsedNext(t *testing.T) {
	address := serve(t, numbering)
	c := newClient(t, h1.Settings{Address: address, MaxIdle: 2})
	var held []*http.Response
	for range 3 {
		held = append(held, hold(t, c, address))
	}
	for _, i := range []int{0, 1, 2} { // 0 is idle for longest and makes room for 2
		finish(t, held[i])
	}
	if s := c.Stats(); s.Idle != 2 || s.Open != 2 {
		t.Errorf("stats %+v, want 2 idle and open", s)
	}
	first, second := hold(t, c, address), hold(t, c, address)
	if a, b := finish(t, first), finish(t, second); a != "2" || b != "1" {
		t.Errorf("used the connections %s and %s, want 2 and 1", a, b)
	}
}

func TestBoundedConnections(t *testing.T) {
	address := serve(t, numbering)
	c := newClient(t, h1.Settings{Address: address, MaxConns: 1, MaxWaiting: 2, WaitTimeout: time.Minute})
	held := hold(t, c, address)
	answers := make(chan string, 2)
	for i := range 2 {
		go func() { answers <- finish(t, hold(t, c, address)) }()
		eventually(t, "the request waits", func() bool { return c.Stats().Waiting == i+1 })
	}
	_, err := c.RoundTrip(newRequest(t, http.MethodGet, address, nil))
	if e := phaseOf(t, err); !errors.Is(err, h1.ErrExhausted) || e.Phase != h1.PhaseWait || !e.Retryable(http.MethodPost) {
		t.Errorf("got %v, want ErrExhausted", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.RoundTrip(newRequest(t, http.MethodGet, address, nil).WithContext(ctx)); err == nil {
		t.Error("no error for a cancelled request")
	}
	finish(t, held)
	for range 2 {
		if got := <-answers; got != "0" {
			t.Errorf("answered on connection %s, want the only one, 0", got)
		}
	}
	if s := c.Stats(); s.Open != 1 || s.Waiting != 0 || s.Dialed != 1 || s.Exhausted != 2 && s.Exhausted != 1 {
		t.Errorf("stats %+v", s)
	}
}

// TestPlaceOfBrokenConnection gives the place of a connection that broke to who waits, who dials.
func TestPlaceOfBrokenConnection(t *testing.T) {
	address := serve(t, numbering)
	c := newClient(t, h1.Settings{Address: address, MaxConns: 1, WaitTimeout: time.Minute})
	held := hold(t, c, address)
	answer := make(chan string)
	go func() { answer <- finish(t, hold(t, c, address)) }()
	eventually(t, "the request waits", func() bool { return c.Stats().Waiting == 1 })
	_ = held.Body.Close() // unread: the connection is of no use
	if got := <-answer; got != "1" {
		t.Errorf("answered on connection %s, want 1", got)
	}
}

func TestWaitEnds(t *testing.T) {
	address := serve(t, numbering)
	c := newClient(t, h1.Settings{Address: address, MaxConns: 1, WaitTimeout: 20 * time.Millisecond})
	held := hold(t, c, address)
	if _, err := c.RoundTrip(newRequest(t, http.MethodGet, address, nil)); !errors.Is(err, h1.ErrExhausted) {
		t.Errorf("got %v after the wait, want ErrExhausted", err)
	}
	r := withTimeout(t, newRequest(t, http.MethodGet, address, nil), 5*time.Millisecond)
	if _, err := c.RoundTrip(r); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v after the deadline, want context.DeadlineExceeded", err)
	}
	finish(t, held)
	if got := finish(t, hold(t, c, address)); got != "0" {
		t.Errorf("connection %s afterwards, want 0", got)
	}
}

func TestClose(t *testing.T) {
	address := serve(t, numbering)
	c := newClient(t, h1.Settings{Address: address, MaxConns: 1, WaitTimeout: time.Minute})
	held := hold(t, c, address)
	failed := make(chan error)
	go func() {
		_, err := c.RoundTrip(newRequest(t, http.MethodGet, address, nil))
		failed <- err
	}()
	eventually(t, "the request waits", func() bool { return c.Stats().Waiting == 1 })
	c.Close()
	c.Close()
	if err := <-failed; !errors.Is(err, h1.ErrClosed) {
		t.Errorf("who waited got %v, want ErrClosed", err)
	}
	if got := finish(t, held); got != "0" {
		t.Errorf("who was served got %q", got)
	}
	if open := c.Stats().Open; open != 0 {
		t.Errorf("%d connections open", open)
	}
	if _, err := c.RoundTrip(newRequest(t, http.MethodGet, address, nil)); !errors.Is(err, h1.ErrClosed) {
		t.Errorf("got %v after Close, want ErrClosed", err)
	}
}

// TestIdleAndAge runs on synctest's clock, with connections that are none of the kernel's.
func TestIdleAndAge(t *testing.T) {
	for name, tc := range map[string]struct {
		settings h1.Settings
		pauses   []time.Duration
		dialed   uint64
	}{
		"used often":         {h1.Settings{IdleTimeout: 10 * time.Second}, []time.Duration{9 * time.Second, 9 * time.Second, 9 * time.Second}, 1},
		"idle":               {h1.Settings{IdleTimeout: 10 * time.Second}, []time.Duration{9 * time.Second, 11 * time.Second}, 2},
		"old":                {h1.Settings{MaxAge: 20 * time.Second}, []time.Duration{9 * time.Second, 9 * time.Second, 9 * time.Second, time.Second}, 2},
		"default idle":       {h1.Settings{}, []time.Duration{59 * time.Second, 61 * time.Second}, 2},
		"warm ones in stock": {h1.Settings{MinIdle: 2, IdleTimeout: time.Hour}, []time.Duration{time.Second}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tc.settings.Address, tc.settings.Dial = "a:1", dialPipe(t)
				c, err := h1.New(tc.settings)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Warm(t.Context()); err != nil {
					t.Fatal(err)
				}
				finish(t, hold(t, c, "a:1"))
				for _, d := range tc.pauses {
					time.Sleep(d)
					finish(t, hold(t, c, "a:1"))
				}
				if s := c.Stats(); s.Dialed != tc.dialed || s.Open > 2 {
					t.Errorf("stats %+v, want %d dialed", s, tc.dialed)
				}
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				if s := c.Stats(); s.Idle != tc.settings.MinIdle {
					t.Errorf("%d idle after two hours, want %d", s.Idle, tc.settings.MinIdle)
				}
				c.Close()
				synctest.Wait()
			})
		})
	}
}

// dialPipe connects to a server at the other end of a pipe.
func dialPipe(t *testing.T) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			in := bufio.NewReader(theirs)
			for {
				if _, err := http.ReadRequest(in); err != nil {
					_ = theirs.Close()
					return
				}
				_, _ = io.WriteString(theirs, ok)
			}
		}()
		return ours, nil
	}
}

// TestWarmStock takes the connections that were dialed ahead and wants new ones, on synctest's clock.
func TestWarmStock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := h1.New(h1.Settings{Address: "a:1", MinIdle: 3, MaxConns: 5, Dial: dialPipe(t)})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Warm(t.Context()); err != nil {
			t.Fatal(err)
		}
		var held []*http.Response
		for range 3 {
			held = append(held, hold(t, c, "a:1"))
		}
		time.Sleep(6 * time.Second)
		if s := c.Stats(); s.Idle != 2 || s.Open != 5 || s.Reused != 3 {
			t.Errorf("stats %+v, want 2 idle: all that MaxConns leaves", s)
		}
		for _, res := range held {
			finish(t, res)
		}
		c.Close()
		synctest.Wait()
	})
}

// TestStaleIsNoticed lets the server close idle connections: the next POST, which could not be sent twice, goes over a new
// one without having been sent before.
func TestStaleIsNoticed(t *testing.T) {
	for name, end := range map[string]func(*net.TCPConn){
		"close":       func(c *net.TCPConn) { _ = c.Close() },
		"half close":  func(c *net.TCPConn) { _ = c.CloseWrite() },
		"reset":       reset,
		"unsolicited": func(c *net.TCPConn) { _, _ = io.WriteString(c, "HTTP/1.1 408 Request Timeout\r\n\r\n") },
	} {
		t.Run(name, func(t *testing.T) {
			conns := make(chan *net.TCPConn, 100)
			address := serve(t, func(n int, c *net.TCPConn) {
				conns <- c
				answering(ok, false)(n, c)
				awaitClose(c)
			})
			c := newClient(t, h1.Settings{Address: address})
			// On a busy machine the end may come later than the next request, which then fails: once more.
			eventually(t, "the connection is found stale", func() bool {
				finish(t, hold(t, c, address))
				end(<-conns)
				got, err := observe(c, newRequest(t, http.MethodPost, address, strings.NewReader("x")))
				return err == nil && got.body == "ok" && c.Stats().Stale == 1
			})
			if s := c.Stats(); s.Dialed < 2 {
				t.Errorf("stats %+v, want 2 dialed", s)
			}
		})
	}
}

// TestSweepClosesStale frees the descriptor of a connection that the server closed, without a request.
func TestSweepClosesStale(t *testing.T) {
	t.Parallel() // it takes five seconds
	address := serve(t, answering(ok, true))
	c := newClient(t, h1.Settings{Address: address, IdleTimeout: 20 * time.Second})
	finish(t, hold(t, c, address))
	eventually(t, "the closed connection is given up", func() bool { return c.Stats().Open == 0 && c.Stats().Stale == 1 })
}

// TestServerClosesIdleAtTheSameMoment sends requests while the server closes connections that it takes for idle, 10,000
// times: none of the idempotent ones fails, and none is answered twice.
func TestServerClosesIdleAtTheSameMoment(t *testing.T) {
	const requests, workers = 10_000, 8
	address := serve(t, func(n int, c *net.TCPConn) {
		random, in := rand.New(rand.NewPCG(uint64(n), 3)), bufio.NewReader(c)
		for range 1 + random.IntN(4) {
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			if _, err := io.WriteString(c, ok); err != nil {
				return
			}
		}
		for range random.IntN(2000) { // a few microseconds, in which the next request is or is not on its way
			_ = random.Uint64()
		}
		if random.IntN(2) == 0 {
			reset(c)
		}
	})
	c := newClient(t, h1.Settings{Address: address})
	var all sync.WaitGroup
	var resent, failed atomic.Int64
	for range workers {
		all.Go(func() {
			for range requests / workers {
				var call h1.Call
				res, err := c.Do(newRequest(t, http.MethodGet, address, nil), &call)
				if err != nil {
					failed.Add(1)
					t.Errorf("%v", err)
					continue
				}
				if text, err := io.ReadAll(res.Body); string(text) != "ok" || err != nil {
					t.Errorf("got %q, %v", text, err)
				}
				resent.Add(int64(call.Timings.Resent))
			}
		})
	}
	all.Wait()
	t.Logf("%d of %d requests sent again, %d connections found stale before use, %d dialed; %d failed",
		resent.Load(), requests, c.Stats().Stale, c.Stats().Dialed, failed.Load())
	if resent.Load() == 0 || c.Stats().Stale == 0 {
		t.Error("the race that is tested did not happen")
	}
}
