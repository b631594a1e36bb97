package h1_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tailgate-otel/tailgate/gateway/upstream/h1"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // net/http's transport logs what scripted servers send too much
	goleak.VerifyTestMain(m)
}

// script is what a server does with the nth connection, counted from 0. The connection is closed when it returns.
type script func(n int, c *net.TCPConn)

// serve runs script for each connection that comes, and waits for all at the end of the test.
func serve(t testing.TB, run script) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer func() { _ = c.Close() }()
				run(n, c.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return l.Addr().String()
}

// answering reads each request with its body and answers it with the same text; with hangUp it closes after the first.
func answering(text string, hangUp bool) script {
	return func(_ int, c *net.TCPConn) {
		in := bufio.NewReader(c)
		for {
			if r, err := http.ReadRequest(in); err != nil {
				return
			} else if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
			if _, err := io.WriteString(c, text); err != nil || hangUp {
				return
			}
		}
	}
}

func newClient(t testing.TB, s h1.Settings) *h1.Client {
	t.Helper()
	c, err := h1.New(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		eventually(t, "all connections are closed", func() bool { return c.Stats().Open == 0 })
	})
	return c
}

func newRequest(t testing.TB, method, address string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+"/", body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// outcome is all that a caller sees of a response.
type outcome struct {
	status, proto    string
	header, trailer  string
	length           int64
	encoding         string
	close            bool
	body             string
	failed, bodyFail bool
	informational    string
}

// observe sends a request and reads everything.
func observe(rt http.RoundTripper, r *http.Request) (o outcome, failure error) {
	informational := ""
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			informational += http.StatusText(code) + flat(http.Header(h))
			return nil
		},
	}))
	res, err := rt.RoundTrip(r)
	if err != nil {
		return outcome{failed: true}, err
	}
	res.Header.Del("Date") // which passes while the other client asks
	o = outcome{status: res.Status, proto: res.Proto, header: flat(res.Header), length: res.ContentLength,
		encoding: strings.Join(res.TransferEncoding, ","), close: res.Close, informational: informational}
	if _, ok := res.Body.(io.Writer); ok { // of an upgrade: the test has no more to say
		return o, res.Body.Close()
	}
	text, err := io.ReadAll(res.Body)
	o.body, o.bodyFail, o.trailer = string(text), err != nil, flat(res.Trailer)
	return o, errors.Join(err, res.Body.Close())
}

// flat is a header in the order of its names.
func flat(h http.Header) string {
	var b strings.Builder
	_ = h.Write(&b)
	return strings.ReplaceAll(b.String(), "\r\n", "|")
}

// eventually polls for what another goroutine or the kernel has to do first.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

func phaseOf(t testing.TB, err error) *h1.Error {
	t.Helper()
	var e *h1.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v (%T), want an *h1.Error", err, err)
	}
	return e
}

func withTimeout(t testing.TB, r *http.Request, d time.Duration) *http.Request {
	ctx, cancel := context.WithTimeout(r.Context(), d)
	t.Cleanup(cancel)
	return r.WithContext(ctx)
}
