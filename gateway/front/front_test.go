package front_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tailgate-otel/tailgate/gateway/config"
	"github.com/tailgate-otel/tailgate/gateway/front"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errCut = errors.New("cut off")

type fixture struct {
	*front.Front
	open atomic.Int64 // connections as Settings.Connections counts them
}

// frontend is what the tests of this package run on. They do not run side by side.
var frontend = config.FrontendOwn

// TestOnNetHTTP runs the tests once more on the other implementation.
func TestOnNetHTTP(t *testing.T) {
	frontend = config.FrontendNetHTTP
	defer func() { frontend = config.FrontendOwn }()
	for name, test := range map[string]func(*testing.T){
		"drain": TestDrain, "drain delay": TestDrainDelay, "cut off": TestDrainCutsOff, "connections": TestConnectionsAreCountedAndLimited,
		"header limit": TestHeaderLimit, "slow header": TestSlowHeaderIsGivenUp, "tls": TestTLS,
	} {
		t.Run(name, test)
	}
}

func listen(t *testing.T, h http.HandlerFunc, change func(*front.Settings)) *fixture {
	t.Helper()
	f := &fixture{}
	s := front.Settings{
		Listen: "127.0.0.1:0", Frontend: frontend, MaxConnections: 100, MaxHeader: 8 << 10, Timeouts: config.Default().Timeouts, Handler: h,
		Connections: func(n int64) { f.open.Add(n) }, ErrorLog: log.New(io.Discard, "", 0), CutCause: errCut,
	}
	if change != nil {
		change(&s)
	}
	var err error
	if f.Front, err = front.Listen(s); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.Close()
		if n := f.open.Load(); n != 0 {
			t.Errorf("%d connections are still counted after Close", n)
		}
	})
	return f
}

func (f *fixture) url() string { return "http://" + f.Addr().String() }

func client(t *testing.T, h2c bool) *http.Client {
	p := new(http.Protocols)
	p.SetHTTP1(!h2c)
	p.SetUnencryptedHTTP2(h2c)
	tr := &http.Transport{Protocols: p}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// TestDrain: a request in flight ends well, its client is asked to go, new connections are refused, and Drain returns.
func TestDrain(t *testing.T) {
	for _, h2c := range []bool{false, true} {
		t.Run(fmt.Sprintf("h2c=%v", h2c), func(t *testing.T) {
			arrived, release := make(chan struct{}), make(chan struct{})
			f := listen(t, func(w http.ResponseWriter, _ *http.Request) {
				close(arrived)
				<-release
				_, _ = io.WriteString(w, "done")
			}, nil)
			type result struct {
				res *http.Response
				err error
			}
			results := make(chan result, 1)
			go func() {
				res, err := client(t, h2c).Get(f.url())
				results <- result{res, err}
			}()
			<-arrived
			drained := make(chan error, 1)
			go func() { drained <- f.Drain(t.Context()) }()
			untilRefused(t, f.Addr().String())
			if f.Ready() {
				t.Error("still ready")
			}
			close(release)
			r := <-results
			if r.err != nil {
				t.Fatalf("the request in flight failed: %v", r.err)
			}
			body, _ := io.ReadAll(r.res.Body)
			_ = r.res.Body.Close()
			if string(body) != "done" || !h2c && !r.res.Close {
				t.Errorf("body %q, connection to be closed: %v", body, r.res.Close)
			}
			if err := <-drained; err != nil {
				t.Errorf("drain: %v", err)
			}
		})
	}
}

// untilRefused connects until nobody listens any more. Connections that come through on the way are closed.
func untilRefused(t *testing.T, addr string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		_ = c.Close()
		if time.Now().After(deadline) {
			t.Fatal("still accepting after 10s of draining")
		}
	}
}

// TestDrainDelay: while load balancers take notice, requests are served and clients asked to close.
func TestDrainDelay(t *testing.T) {
	f := listen(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }, func(s *front.Settings) { s.Timeouts.DrainDelay = time.Hour })
	ctx, cancel := context.WithCancel(t.Context())
	drained := make(chan error, 1)
	go func() { drained <- f.Drain(ctx) }()
	deadline := time.Now().Add(10 * time.Second)
	for asked := false; !asked; { // the goroutine has yet to begin
		res, err := client(t, false).Get(f.url())
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if asked = res.Close; !asked && time.Now().After(deadline) {
			t.Fatal("clients are not asked to close their connections")
		}
	}
	if f.Ready() {
		t.Error("still ready")
	}
	cancel()
	<-drained
}

// TestDrainCutsOff: what does not end within the timeout is told why, upgraded connections included.
func TestDrainCutsOff(t *testing.T) {
	var mu sync.Mutex
	var causes []error
	arrived := make(chan struct{}, 2)
	f := listen(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/upgrade" {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer func() { _ = conn.Close() }()
		}
		arrived <- struct{}{}
		<-r.Context().Done()
		mu.Lock()
		defer mu.Unlock()
		causes = append(causes, context.Cause(r.Context()))
	}, func(s *front.Settings) { s.Timeouts.Drain = 20 * time.Millisecond })
	for _, path := range []string{"/upgrade", "/plain"} {
		conn, err := net.Dial("tcp", f.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n")
		<-arrived
	}
	err := f.Drain(t.Context())
	if err == nil || !strings.Contains(err.Error(), "2 connections were still busy") {
		t.Errorf("drain: %v, want a word about 2 connections", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(causes) != 2 || !errors.Is(causes[0], errCut) || !errors.Is(causes[1], errCut) {
		t.Errorf("causes %v, want twice %v", causes, errCut)
	}
}

func TestConnectionsAreCountedAndLimited(t *testing.T) {
	f := listen(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }, func(s *front.Settings) { s.MaxConnections = 2 })
	var conns []net.Conn
	ask := func(c net.Conn, wait time.Duration) error {
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		_ = c.SetReadDeadline(time.Now().Add(wait))
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err == nil {
			_ = res.Body.Close()
		}
		return err
	}
	for range 3 {
		c, err := net.Dial("tcp", f.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		conns = append(conns, c)
	}
	for _, c := range conns[:2] {
		if err := ask(c, 10*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if n := f.open.Load(); n != 2 {
		t.Errorf("%d connections counted, want 2", n)
	}
	if err := ask(conns[2], 50*time.Millisecond); err == nil {
		t.Error("a third connection was served at a limit of 2")
	}
	_ = conns[0].Close()
	_ = conns[2].SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := http.ReadResponse(bufio.NewReader(conns[2]), nil); err != nil {
		t.Errorf("the waiting connection was not served once there was room: %v", err)
	}
}

func TestHeaderLimit(t *testing.T) {
	f := listen(t, func(http.ResponseWriter, *http.Request) {}, nil)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url(), nil)
	req.Header.Set("X-Large", strings.Repeat("x", 20<<10))
	res, err := client(t, false).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d, want 431", res.StatusCode)
	}
}

func TestSlowHeaderIsGivenUp(t *testing.T) {
	f := listen(t, func(http.ResponseWriter, *http.Request) {}, func(s *front.Settings) { s.Timeouts.ReadHeader = 50 * time.Millisecond })
	conn, err := net.Dial("tcp", f.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost")
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadAll(conn); err != nil { // the server closes
		t.Errorf("the connection was kept: %v", err)
	}
}

func TestTLS(t *testing.T) {
	cert, key := writeCertificate(t)
	settings := &config.TLS{Listen: "127.0.0.1:0", CertFile: cert, KeyFile: key, MinVersion: "1.3"}
	f := listen(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }, func(s *front.Settings) { s.TLS = settings })
	for _, tc := range []struct {
		want string
		max  uint16
	}{{"HTTP/2.0", 0}, {"HTTP/1.1", 0}, {"", tls.VersionTLS12}} {
		p := new(http.Protocols)
		p.SetHTTP1(tc.want != "HTTP/2.0")
		p.SetHTTP2(tc.want == "HTTP/2.0")
		tr := &http.Transport{Protocols: p, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MaxVersion: tc.max}}
		res, err := (&http.Client{Transport: tr}).Get("https://" + f.TLSAddr().String())
		tr.CloseIdleConnections()
		if tc.want == "" {
			if err == nil {
				t.Error("TLS 1.2 was accepted")
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if string(b) != tc.want {
			t.Errorf("spoke %s, want %s", b, tc.want)
		}
	}
	if err := front.CheckTLS(&config.TLS{CertFile: cert, KeyFile: cert}); err == nil || !strings.HasPrefix(err.Error(), "tls.cert_file and tls.key_file: ") {
		t.Errorf("got %v for a key file without a key", err)
	}
}

func TestAddressInUse(t *testing.T) {
	f := listen(t, func(http.ResponseWriter, *http.Request) {}, nil)
	_, err := front.Listen(front.Settings{Listen: f.Addr().String(), MaxConnections: 1, Connections: func(int64) {}})
	if err == nil || !strings.Contains(err.Error(), "is in use by another program") {
		t.Errorf("got %v", err)
	}
}

func writeCertificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}
