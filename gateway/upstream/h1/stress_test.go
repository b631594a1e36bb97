package h1_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/upstream/h1"
)

// TestNoAnswerGoesAstray lets many requests with random uploads, cancellations and early closes meet a server that answers,
// breaks and leaves at random. What must never happen: a response that belongs to another request, or a place in the pool
// that is lost.
func TestNoAnswerGoesAstray(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	t.Run("plain", func(t *testing.T) {
		stress(t, nil, func(c *net.TCPConn) net.Conn { return c })
	})
	t.Run("tls", func(t *testing.T) {
		stress(t, clientTLS, func(c *net.TCPConn) net.Conn { return tls.Server(c, serverTLS) })
	})
}

// testTLS returns the configurations of a server and of a client that trusts it.
func testTLS(t *testing.T) (server, client *tls.Config) {
	srv := httptest.NewTLSServer(nil)
	defer srv.Close()
	client = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS13}
	client.RootCAs.AddCert(srv.Certificate())
	return &tls.Config{Certificates: srv.TLS.Certificates, MinVersion: tls.VersionTLS13}, client
}

func stress(t *testing.T, secure *tls.Config, wrap func(*net.TCPConn) net.Conn) {
	const workers, requests, conns = 16, 150, 8
	address := serve(t, func(n int, c *net.TCPConn) { misbehave(rand.New(rand.NewPCG(uint64(n), 5)), wrap(c), c) })
	c := newClient(t, h1.Settings{Address: address, TLS: secure, MaxConns: conns, MaxWaiting: workers, WaitTimeout: 10 * time.Second, HeaderTimeout: 5 * time.Second})
	var all sync.WaitGroup
	var whole, broken atomic.Int64
	for w := range workers {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 6))
			for i := range requests {
				if provoke(t, c, address, random, fmt.Sprintf("%d-%d", w, i)) {
					whole.Add(1)
				} else {
					broken.Add(1)
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d whole answers, %d broken off; %+v", whole.Load(), broken.Load(), c.Stats())
	if whole.Load() < workers*requests/10 || broken.Load() < workers*requests/10 {
		t.Error("too little of one kind to mean anything")
	}
	eventually(t, "nothing is in use", func() bool { s := c.Stats(); return s.Open == s.Idle && s.Waiting == 0 && s.Open <= conns })
}

// provoke sends one request and says whether a whole answer came.
func provoke(t *testing.T, c *h1.Client, address string, random *rand.Rand, id string) bool {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := newRequest(t, http.MethodPost, address, nil).WithContext(ctx)
	r.Header.Set("X-Id", id)
	size := random.IntN(1 << random.IntN(18))
	switch random.IntN(3) {
	case 0:
		withBody(strings.Repeat("x", size), int64(size))(r)
	case 1:
		withBody(strings.Repeat("x", size), -1)(r)
	}
	if random.IntN(4) == 0 {
		defer time.AfterFunc(time.Duration(random.IntN(2000))*time.Microsecond, cancel).Stop()
	}
	res, err := c.RoundTrip(r)
	if err != nil {
		return false
	}
	defer func() { _ = res.Body.Close() }()
	if got := res.Header.Get("X-Id"); got != id {
		t.Errorf("the header of %s came to %s", got, id)
	}
	if random.IntN(5) == 0 {
		return false // closes a body that was not read
	}
	text, err := io.ReadAll(res.Body)
	if rest := strings.ReplaceAll(string(text), id+"|", ""); rest != "" && rest != "|" && err == nil {
		t.Errorf("the body of %s has %.50q", id, rest)
	}
	return err == nil
}

// misbehave answers requests with their id, and not always to the end.
func misbehave(random *rand.Rand, c net.Conn, socket *net.TCPConn) {
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if random.IntN(3) > 0 {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
		} // else it answers early, and what it did not read breaks the next request
		text := strings.Repeat(r.Header.Get("X-Id")+"|", random.IntN(1<<random.IntN(12)))
		id := "X-Id: " + r.Header.Get("X-Id") + "\r\n"
		answer := fmt.Sprintf("%s%sContent-Length: %d\r\n\r\n%s", head, id, len(text), text)
		if random.IntN(2) == 0 {
			answer = fmt.Sprintf("HTTP/1.1 103 Early Hints\r\n\r\n%s%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", head, id, max(len(text), 1), text+strings.Repeat("|", max(1-len(text), 0)))
		}
		cut := random.IntN(20) == 0
		if cut {
			answer = answer[:random.IntN(len(answer))]
		}
		if _, err := io.WriteString(c, answer); err != nil || cut {
			return
		}
		switch random.IntN(12) {
		case 0:
			return
		case 1:
			reset(socket)
			return
		}
		if r.Body != http.NoBody {
			if n, err := io.Copy(io.Discard, r.Body); err != nil || n > 0 {
				return
			}
		}
	}
}
