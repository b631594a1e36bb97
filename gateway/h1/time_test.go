package h1_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/h1"
)

// inMemory serves one connection without a descriptor, whose writes block until they are read. Called in a synctest bubble.
func inMemory(t *testing.T, h http.HandlerFunc, change func(*h1.Settings)) *client {
	srv := ours(t, h, change)
	near, far := net.Pipe()
	srv.ServeConn(far)
	c := &client{Conn: near, t: t, r: bufio.NewReader(near)}
	t.Cleanup(c.helpers.Wait)
	t.Cleanup(func() { near.Close() })
	return c
}

// took says how long f takes.
func took(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// within checks a duration. Body timeouts may come an eighth too early, and the watch looks every 50 ms.
func within(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if got < want*7/8 || got > want+200*time.Millisecond {
		t.Errorf("%s took %s, want %s", what, got, want)
	}
}

func TestSilentConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := inMemory(t, hello, nil)
		within(t, "closing a silent connection", took(c.expectEnd), 10*time.Second)
	})
}

func TestIdleConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := inMemory(t, hello, nil)
		for range 2 {
			c.send(get("/"))
			c.expect(200, "hello")
			time.Sleep(time.Minute)
		}
		within(t, "closing an idle connection", took(c.expectEnd), time.Minute)
	})
}

// TestSlowHead: a head that trickles in ends after the time for heads, and is not given more for each byte.
func TestSlowHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := inMemory(t, hello, nil)
		start := time.Now()
		c.helpers.Go(func() {
			for _, b := range []byte(get("/", "A: "+strings.Repeat("x", 100))) {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		})
		c.expect(408, "408 Request Timeout: request head took too long\n")
		within(t, "refusing a slow head", time.Since(start), 10*time.Second)
	})
}

// TestSlowBody: a body that trickles ends after one window; one that makes progress may take its time, and a handler too.
func TestSlowBody(t *testing.T) {
	for _, tc := range []struct {
		name          string
		piece, length int
		pause, think  time.Duration
		fails         bool
		after         time.Duration
	}{
		{name: "trickle", piece: 1, pause: time.Second, length: 1000, fails: true, after: 30 * time.Second},
		{name: "nothing", piece: 1, pause: time.Hour, length: 1000, fails: true, after: 30 * time.Second},
		{name: "slow progress", piece: 300, pause: 25 * time.Second, length: 300 * 20, after: 25 * 19 * time.Second},
		{name: "slow handler", piece: 10, pause: time.Millisecond, think: time.Minute, length: 100, after: 5 * time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				result := make(chan error, 1)
				c := inMemory(t, func(_ http.ResponseWriter, r *http.Request) {
					var err error
					for n := 0; err == nil; n++ {
						if n < 5 {
							time.Sleep(tc.think)
						}
						_, err = r.Body.Read(make([]byte, 64))
					}
					result <- err
				}, nil)
				c.send(request("POST", "/", "", "Content-Length: "+itoa(tc.length)))
				start := time.Now()
				c.helpers.Go(func() {
					for sent := 0; sent < tc.length; sent += tc.piece {
						if _, err := c.Write(make([]byte, tc.piece)); err != nil {
							return
						}
						time.Sleep(tc.pause)
					}
				})
				err := <-result
				if failed := errors.Is(err, os.ErrDeadlineExceeded); failed != tc.fails || !failed && !errors.Is(err, io.EOF) {
					t.Errorf("the body ended with %v", err)
				}
				within(t, "the body", time.Since(start), tc.after)
				c.Close()
			})
		})
	}
}

// TestOwnReadDeadline: a handler's deadline replaces the server's, for one request.
func TestOwnReadDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		result := make(chan time.Duration, 1)
		c := inMemory(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/own" {
				if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
					t.Error(err)
				}
			}
			result <- took(func() { _, _ = io.Copy(io.Discard, r.Body) })
		}, nil)
		c.send(request("POST", "/own", "", "Content-Length: 3"))
		time.Sleep(50 * time.Minute)
		c.send("abc")
		within(t, "the body", <-result, 50*time.Minute)
		c.expect(200, "")
		c.send(request("POST", "/", "", "Content-Length: 3"))
		within(t, "the next body", <-result, 30*time.Second)
		c.Close()
	})
}

// TestSlowReader: a response that nobody reads ends after the time for writes; one that is read slowly does not.
func TestSlowReader(t *testing.T) {
	respond := func(result chan<- error) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			_, err := io.WriteString(w, strings.Repeat(big, 4))
			result <- err
		}
	}
	synctest.Test(t, func(t *testing.T) {
		result := make(chan error, 1)
		c := inMemory(t, respond(result), nil)
		c.send(get("/"))
		start := time.Now()
		if err := <-result; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("writing ended with %v", err)
		}
		within(t, "writing to nobody", time.Since(start), 30*time.Second)
	})
	synctest.Test(t, func(t *testing.T) {
		result := make(chan error, 1)
		c := inMemory(t, respond(result), nil)
		c.send(get("/"))
		read := 0
		for buf := make([]byte, 8<<10); read < 4*len(big); time.Sleep(time.Second) {
			n, err := c.Read(buf)
			read += n
			if err != nil {
				t.Fatalf("after %d bytes: %v", read, err)
			}
		}
		if err := <-result; err != nil {
			t.Errorf("writing slowly ended with %v", err)
		}
	})
}

// TestRequestTimeout cancels the request with its own cause and ends reads that block.
func TestRequestTimeout(t *testing.T) {
	type outcome struct{ cause, read error }
	synctest.Test(t, func(t *testing.T) {
		results := make(chan outcome, 1)
		c := inMemory(t, func(_ http.ResponseWriter, r *http.Request) {
			var o outcome
			_, o.read = io.Copy(io.Discard, r.Body)
			o.cause = context.Cause(r.Context())
			results <- o
		}, func(s *h1.Settings) { s.RequestTimeout, s.BodyTimeout = time.Minute, -1 })
		c.send(post("/", "abc"))
		if o := <-results; o.read != nil || o.cause != nil {
			t.Errorf("in time: %v", o)
		}
		c.expect(200, "")
		c.send(request("POST", "/", "ab", "Content-Length: 3"))
		start := time.Now()
		if o := <-results; !errors.Is(o.cause, h1.ErrRequestTimeout) || !errors.Is(o.read, os.ErrDeadlineExceeded) {
			t.Errorf("too late: %v", o)
		}
		within(t, "the request", time.Since(start), time.Minute)
		c.expectEnd()
	})
}

// TestDrainIsBounded: a body that its handler did not want keeps the connection for 5 s only.
func TestDrainIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := inMemory(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(413) }, nil)
		c.send(request("POST", "/", "ab", "Content-Length: 1000"))
		start := time.Now()
		if res := c.expect(413, ""); !res.Close {
			t.Error("the connection is to go on")
		}
		within(t, "the answer", time.Since(start), 5*time.Second)
		c.expectEnd()
	})
}

// TestContinue: the client is asked for its body when the handler wants it, and not before or if it never does.
func TestContinue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := inMemory(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/refuse" {
				w.WriteHeader(403)
				return
			}
			time.Sleep(3 * time.Second)
			body, _ := io.ReadAll(r.Body)
			_, _ = w.Write(body)
		}, nil)
		c.send(request("POST", "/", "", "Content-Length: 3", "Expect: 100-continue"))
		within(t, "the 100 Continue", took(func() { c.expect(100, "") }), 3*time.Second)
		c.send("abc")
		c.expect(200, "abc")
		c.send(request("POST", "/refuse", "", "Content-Length: 3", "Expect: 100-continue"))
		if res := c.expect(403, ""); !res.Close {
			t.Error("the connection goes on, although it is not known whether a body follows")
		}
		c.expectEnd()
	})
}

// TestClientGoneInMemory: without a descriptor, a byte read ahead tells; it is not lost.
func TestClientGoneInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		results := make(chan error, 1)
		c := inMemory(t, func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-time.After(time.Second):
			}
			results <- r.Context().Err()
		}, nil)
		c.send(get("/"))
		time.Sleep(100 * time.Millisecond)
		c.helpers.Go(func() { c.send(get("/")) }) // its first byte is read during the first request
		if err := <-results; err != nil {
			t.Errorf("cancelled with %v while the client was there", err)
		}
		c.expect(200, "")
		<-results
		c.expect(200, "")
		c.send(get("/"))
		time.Sleep(100 * time.Millisecond)
		c.Close()
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	})
}

// TestTrailersArriveLate: data of a body is handed on while its trailers are still to come.
func TestTrailersArriveLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := inMemory(t, func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex()
			for buf := make([]byte, 100); ; {
				n, err := r.Body.Read(buf)
				_, _ = w.Write(buf[:n])
				w.(http.Flusher).Flush()
				if err != nil {
					_, _ = io.WriteString(w, r.Trailer.Get("X-T"))
					return
				}
			}
		}, nil)
		c.send(chunked("/", "3\r\nabc\r\n4\r\ndefg\r\n"))
		res, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 7)
		if _, err := io.ReadFull(res.Body, buf); err != nil || string(buf) != "abcdefg" {
			t.Fatalf("%q, %v", buf, err)
		}
		time.Sleep(time.Second)
		c.send("0\r\nX-T: u\r\n\r\n")
		if rest, _ := io.ReadAll(res.Body); string(rest) != "u" {
			t.Errorf("then %q", rest)
		}
	})
}
