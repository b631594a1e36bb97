package health_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	grpchealth "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/tailgate-otel/tailgate/gateway/health"
)

// expect runs a check for a second at most; want is part of its error, or "".
func expect(t *testing.T, name string, check health.Check, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	switch err := check(ctx); {
	case want == "" && err != nil:
		t.Errorf("%s: %v", name, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: error %v, want %q", name, err, want)
	}
}

// serve runs f with each connection to a new listener.
func serve(t *testing.T, f func(net.Conn)) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// closed is an address where nobody listens.
func closed(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestTCP(t *testing.T) {
	expect(t, "open", health.TCP(serve(t, func(net.Conn) {})), "")
	expect(t, "closed", health.TCP(closed(t)), "connection refused")
}

func TestHTTP(t *testing.T) {
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(r.URL.Query().Get("status"))
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		io.WriteString(w, "I am "+r.Host+", ready: yes")
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	for _, tc := range []struct {
		name, query string
		settings    health.HTTPSettings
		want        string
	}{
		{"ok", "?status=200", health.HTTPSettings{}, ""},
		{"no content", "?status=204", health.HTTPSettings{}, ""},
		{"unavailable", "?status=503", health.HTTPSettings{}, "status 503, want 200 to 299"},
		{"redirects are not followed", "?status=302", health.HTTPSettings{}, "status 302"},
		{"own range", "?status=401", health.HTTPSettings{StatusMin: 200, StatusMax: 499}, ""},
		{"one status", "?status=418", health.HTTPSettings{StatusMin: 418}, ""},
		{"body", "?status=200", health.HTTPSettings{Contains: "ready: yes"}, ""},
		{"other body", "?status=200", health.HTTPSettings{Contains: "ready: no"}, `the body does not contain "ready: no"`},
		{"host", "?status=200", health.HTTPSettings{Host: "shop.example", Contains: "I am shop.example"}, ""},
	} {
		tc.settings.URL = server.URL + "/health" + tc.query
		check, err := health.HTTP(tc.settings)
		if err != nil {
			t.Fatal(err)
		}
		before := connections.Load()
		expect(t, tc.name, check, tc.want)
		expect(t, tc.name, check, tc.want)
		if made := connections.Load() - before; made != 2 {
			t.Errorf("%s: two probes made %d connections", tc.name, made)
		}
	}
	hang := serve(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	for address, want := range map[string]string{hang: "deadline exceeded", closed(t): "connection refused"} {
		check, err := health.HTTP(health.HTTPSettings{URL: "http://" + address})
		if err != nil {
			t.Fatal(err)
		}
		expect(t, address, check, want)
	}
}

func TestChecksRefuseWhatCannotBeAsked(t *testing.T) {
	for _, s := range []health.HTTPSettings{{URL: "ftp://x"}, {URL: ":"}, {URL: "http://x", StatusMin: 300, StatusMax: 200}} {
		if _, err := health.HTTP(s); err == nil {
			t.Errorf("%+v was accepted", s)
		}
	}
	for _, url := range []string{"x:1", ":", "redis://x"} {
		if _, err := health.GRPC(health.GRPCSettings{URL: url}); err == nil {
			t.Errorf("%s was accepted", url)
		}
	}
}

func TestGRPC(t *testing.T) {
	cert := httptest.NewUnstartedServer(nil)
	cert.StartTLS()
	defer cert.Close()
	roots := x509.NewCertPool()
	roots.AddCert(cert.Certificate())
	for _, tc := range []struct {
		scheme  string
		options []grpc.ServerOption
		tls     *tls.Config
	}{
		{"http", nil, nil},
		{"https", []grpc.ServerOption{grpc.Creds(credentials.NewServerTLSFromCert(&cert.TLS.Certificates[0]))}, &tls.Config{RootCAs: roots}},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := grpc.NewServer(tc.options...)
		state := grpchealth.NewServer()
		state.SetServingStatus("shop", healthpb.HealthCheckResponse_NOT_SERVING)
		healthpb.RegisterHealthServer(server, state)
		go server.Serve(l)
		defer server.Stop()
		for service, want := range map[string]string{"": "", "shop": "serving status 2, want 1", "nobody": `gRPC status "5": unknown service`} {
			check, err := health.GRPC(health.GRPCSettings{URL: tc.scheme + "://" + l.Addr().String(), Service: service, TLS: tc.tls})
			if err != nil {
				t.Fatal(err)
			}
			expect(t, tc.scheme+" "+service, check, want)
		}
		state.SetServingStatus("shop", healthpb.HealthCheckResponse_SERVING)
		check, _ := health.GRPC(health.GRPCSettings{URL: tc.scheme + "://" + l.Addr().String(), Service: "shop", TLS: tc.tls})
		expect(t, tc.scheme+" shop serves", check, "")
	}
	web := httptest.NewUnstartedServer(http.NotFoundHandler())
	web.Config.Protocols = new(http.Protocols)
	web.Config.Protocols.SetUnencryptedHTTP2(true)
	web.Start()
	defer web.Close()
	for address, want := range map[string]string{
		web.Listener.Addr().String(): "HTTP status 404 instead of an answer of gRPC",
		closed(t):                    "connection refused",
		serve(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }): "deadline exceeded",
	} {
		check, _ := health.GRPC(health.GRPCSettings{URL: "http://" + address})
		expect(t, address, check, want)
	}
}

// Faults that a real server does not show on demand.
func TestPINGFaults(t *testing.T) {
	answering := func(answer string) string {
		return serve(t, func(c net.Conn) {
			r := bufio.NewReader(c)
			for range 3 {
				if _, err := r.ReadString('\n'); err != nil {
					return
				}
			}
			io.WriteString(c, answer)
		})
	}
	for answer, want := range map[string]string{
		"+PONG\r\n":                                 "",
		"-NOAUTH Authentication required.\r\n":      "",
		"-LOADING Redis is loading the dataset\r\n": "PING was answered with \"-LOADING",
		"-MASTERDOWN Link with MASTER is down\r\n":  "-MASTERDOWN",
		"": "EOF", "+PON": "EOF", "HTTP/1.1 400 no\r\n": "HTTP/1.1 400", strings.Repeat("x", 4096): "EOF",
	} {
		expect(t, answer, health.PING(answering(answer)), want)
	}
	expect(t, "closed", health.PING(closed(t)), "connection refused")
	hang := health.PING(serve(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }))
	begun := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var timeout net.Error
	if err := hang(ctx); !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(begun) > 900*time.Millisecond {
		t.Errorf("a server that hangs: %v after %s", err, time.Since(begun))
	}
}

func TestPINGOfRedis(t *testing.T) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed")
	}
	port := closed(t)[len("127.0.0.1:"):]
	server := exec.Command(program, "--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", t.TempDir(), "--logfile", filepath.Join(t.TempDir(), "log"))
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	check := health.PING("127.0.0.1:" + port)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := check(t.Context())
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
