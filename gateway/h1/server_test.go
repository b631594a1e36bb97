package h1_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/h1"
)

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })

func quickly(s *h1.Settings) { s.Linger = time.Millisecond }

func TestSettings(t *testing.T) {
	if _, err := h1.New(h1.Settings{}); err == nil || !strings.Contains(err.Error(), "Handler") {
		t.Errorf("no handler: %v", err)
	}
	if _, err := h1.New(h1.Settings{Handler: hello, MaxHeaders: -1}); err == nil || !strings.Contains(err.Error(), "MaxHeaders: must not be negative, got -1") {
		t.Errorf("negative: %v", err)
	}
}

// TestUpgrade: the handler gets the connection with what was read too far, and the server forgets it.
func TestUpgrade(t *testing.T) {
	done := make(chan struct{})
	srv := ours(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := io.WriteString(w, "x"); !errors.Is(err, http.ErrHijacked) {
			t.Errorf("write after hijacking: %v", err)
		}
		go func() {
			defer close(done)
			defer c.Close()
			_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\n\r\n")
			_ = rw.Flush()
			if rw.Reader.Buffered() != 3 {
				t.Errorf("%d bytes are buffered", rw.Reader.Buffered())
			}
			for {
				line, err := rw.ReadString('\n')
				if err != nil {
					return
				}
				_, _ = io.WriteString(c, strings.ToUpper(line))
			}
		}()
	}), nil)
	c := dial(t, listening(t, srv))
	c.send(get("/", "Connection: Upgrade", "Upgrade: x") + "ab\n")
	c.expect(101, "")
	for _, want := range []string{"AB\n", "CD\n"} {
		if got, err := c.r.ReadString('\n'); got != want {
			t.Fatalf("%q, %v", got, err)
		}
		c.send("cd\n")
	}
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	c.Close()
	<-done
}

// TestHTTP2 is handed over, by ALPN and by prior knowledge, and works there.
func TestHTTP2(t *testing.T) {
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	second := &http.Server{Handler: hello, Protocols: &protocols}
	f := newFeed()
	var joined sync.WaitGroup
	joined.Go(func() { _ = second.Serve(f) })
	defer joined.Wait()
	defer second.Close()
	for _, name := range []string{"tcp", "tls"} {
		t.Run(name, func(t *testing.T) {
			srv := ours(t, hello, func(s *h1.Settings) { s.HTTP2 = func(c net.Conn) { f.conns <- c } })
			var addr string
			certificate := httptest.NewUnstartedServer(nil)
			certificate.StartTLS()
			config := &tls.Config{Certificates: certificate.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}}
			certificate.Close()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			addr = l.Addr().String()
			scheme := "http"
			if name == "tls" {
				scheme, l = "https", tls.NewListener(l, config)
			}
			var serving sync.WaitGroup
			serving.Go(func() { _ = srv.Serve(l) })
			defer serving.Wait()
			defer srv.Close()
			tr := &http.Transport{Protocols: &protocols, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
			defer tr.CloseIdleConnections()
			res, err := (&http.Client{Transport: tr}).Get(scheme + "://" + addr)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.ProtoMajor != 2 || string(body) != "hello" {
				t.Errorf("%s %q", res.Proto, body)
			}
		})
	}
}

// TestPlainHTTPToTLS is a mistake that deserves an answer.
func TestPlainHTTPToTLS(t *testing.T) {
	srv := ours(t, hello, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var joined sync.WaitGroup
	joined.Go(func() { _ = srv.Serve(tls.NewListener(l, &tls.Config{Certificates: make([]tls.Certificate, 1)})) })
	defer joined.Wait()
	defer srv.Close()
	c := dial(t, l.Addr().String())
	c.send(get("/"))
	res, err := http.ReadResponse(c.r, nil)
	if err != nil || res.StatusCode != 400 {
		t.Fatalf("%v, %v", res, err)
	}
	if text, _ := io.ReadAll(res.Body); !bytes.Contains(text, []byte("https://")) {
		t.Errorf("answered %q", text)
	}
}

// TestFile: files of a declared length go out whole, and no more than declared.
func TestFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f.txt")
	if err := os.WriteFile(name, []byte(big), 0o600); err != nil {
		t.Fatal(err)
	}
	srv := ours(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/served" {
			http.ServeFile(w, r, name)
			return
		}
		f, err := os.Open(name)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		w.Header().Set("Content-Type", "a/b")
		w.Header().Set("Content-Length", "1000")
		if n, err := io.Copy(w, f); !errors.Is(err, http.ErrContentLength) || n != 1000 {
			t.Errorf("copied %d of 1000, %v", n, err)
		}
	}), nil)
	c := dial(t, listening(t, srv))
	c.send(get("/served") + get("/served", "Range: bytes=5-100004") + get("/more"))
	c.expect(200, big)
	c.expect(206, big[5:100005])
	c.expect(200, big[:1000])
}

// TestPanics: a panic costs its connection, is logged unless it was meant, and nothing else happens.
func TestPanics(t *testing.T) {
	var log syncBuffer
	srv := ours(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/panic":
			panic("on purpose")
		case "/abort":
			panic(http.ErrAbortHandler)
		case "/exit":
			select {
			case <-r.Context().Done():
			default:
			}
			exit()
		}
	}), func(s *h1.Settings) { s.ErrorLog = log.logger() })
	addr := listening(t, srv)
	for _, path := range []string{"/abort", "/exit", "/panic"} {
		c := dial(t, addr)
		c.send(get(path))
		c.expectEnd()
	}
	eventually(t, "empty", func() bool { return srv.Stats() == h1.Stats{} })
	if text := log.String(); strings.Count(text, "panic serving") != 1 || !strings.Contains(text, "on purpose") {
		t.Errorf("logged %q", text)
	}
}

// TestBodyReadElsewhere: a goroutine that the handler left behind in a body read, as transports do, ends with its request.
func TestBodyReadElsewhere(t *testing.T) {
	errs := make(chan error, 1)
	srv := ours(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		reading := make(chan struct{})
		go func() {
			close(reading)
			_, err := io.Copy(io.Discard, r.Body)
			errs <- err
		}()
		<-reading
		_, _ = io.WriteString(w, "early")
	}), nil)
	c := dial(t, listening(t, srv))
	c.send(request("POST", "/", "hel", "Content-Length: 5"))
	c.expect(200, "early")
	if err := <-errs; err == nil {
		t.Error("half a body was read without an error")
	}
	c.expectEnd()
}

// TestRefusedHook is told of what handlers do not see.
func TestRefusedHook(t *testing.T) {
	var refused atomic.Int64
	srv := ours(t, hello, func(s *h1.Settings) {
		s.Refused = func(status int, reason string) {
			if status == 400 && reason == "conflicting message lengths" {
				refused.Add(1)
			}
		}
	})
	c := dial(t, listening(t, srv))
	c.send(corpus["smuggled by length"])
	c.expect(400, "400 Bad Request: conflicting message lengths\n")
	c.expectEnd()
	if refused.Load() != 1 {
		t.Errorf("told %d times", refused.Load())
	}
}

// TestLateBadLength: an invalid or contradicting length that a handler declares does not reach the client.
func TestLateBadLength(t *testing.T) {
	srv := ours(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/both" {
			w.Header().Set("Transfer-Encoding", "chunked")
			w.Header().Set("Content-Length", "5")
		} else {
			w.Header().Set("Content-Length", "-5")
		}
		_, _ = io.WriteString(w, "hello")
	}), nil)
	c := dial(t, listening(t, srv))
	c.send(get("/both") + get("/bad") + "GET /both HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
	if res := c.expect(200, "hello"); len(res.TransferEncoding) != 1 || res.Header.Get("Content-Length") != "" {
		t.Errorf("both: %v", res)
	}
	if res := c.expect(200, "hello"); res.ContentLength != 5 {
		t.Errorf("bad: %v", res)
	}
	c.expect(200, "hello") // up to the connection's end
	c.expectEnd()
}

// TestManyClients: net/http's client, many connections, all kinds of bodies, connections that come and go, and no request
// fails and nothing is left.
func TestManyClients(t *testing.T) {
	srv := ours(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read: %v", err)
		}
		w.Header().Set("X-Length", fmt.Sprint(len(body)))
		_, _ = w.Write(body)
	}), func(s *h1.Settings) { s.Linger = 500 * time.Microsecond })
	addr := listening(t, srv)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			tr := &http.Transport{}
			defer tr.CloseIdleConnections()
			hc := &http.Client{Transport: tr}
			for j := range 60 {
				text := big[:(i*7919+j*104729)%len(big)]
				var body io.Reader = strings.NewReader(text)
				if j%2 == 0 {
					body = io.MultiReader(body) // hides the length
				}
				res, err := hc.Post("http://"+addr, "a/b", body)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || string(got) != text {
					t.Errorf("%d of %d bytes came back, %v", len(got), len(text), err)
				}
				if j%7 == 0 {
					time.Sleep(time.Millisecond) // long enough to be parked, sometimes
				}
				if j%11 == 0 {
					tr.CloseIdleConnections()
				}
			}
		})
	}
	all.Wait()
	eventually(t, "empty", func() bool { return srv.Stats() == h1.Stats{} })
}
