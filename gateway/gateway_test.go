package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
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

	"go.uber.org/goleak"

	"github.com/tailgate-otel/tailgate/gateway"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lockedBuffer is standard error.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// program is a whole gateway in this process.
type program struct {
	*gateway.Gateway
	t    *testing.T
	file string
	log  *lockedBuffer
	stop func() error // drains and returns what Run did
}

func start(t *testing.T, yaml string) *program {
	t.Helper()
	p := &program{t: t, file: filepath.Join(t.TempDir(), "gateway.yaml"), log: &lockedBuffer{}}
	p.write(yaml)
	g, err := gateway.Start(t.Context(), gateway.Settings{ConfigFile: p.file, Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Version: "test", Stderr: p.log})
	if err != nil {
		t.Fatal(err)
	}
	p.Gateway = g
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx, context.Background()) }()
	p.stop = sync.OnceValue(func() error { stop(); return <-done })
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
		http.DefaultTransport.(*http.Transport).CloseIdleConnections() // of get and admin
	})
	return p
}

// write replaces the configuration file in one step.
func (p *program) write(yaml string) {
	p.t.Helper()
	tmp := p.file + ".new"
	if err := errors.Join(os.WriteFile(tmp, []byte(yaml), 0o600), os.Rename(tmp, p.file)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *program) url() string { return "http://" + p.Addr().String() }

// get asks the gateway for / and compares the status.
func (p *program) get(status int) {
	p.t.Helper()
	res, err := http.Get(p.url())
	if err != nil {
		p.t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != status {
		p.t.Fatalf("status %d, want %d", res.StatusCode, status)
	}
}

// admin reads one page.
func (p *program) admin(path string, into any) (status int, text string) {
	p.t.Helper()
	res, err := http.Get("http://" + p.AdminAddr().String() + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if into != nil {
		if err := json.Unmarshal(b, into); err != nil {
			p.t.Fatalf("%s: %v in %s", path, err, b)
		}
	}
	return res.StatusCode, string(b)
}

type configPage struct {
	Version   string `json:"version"`
	LastError string `json:"last_error"`
}

// until reads /config until it satisfies the condition.
func (p *program) until(what string, ok func(configPage) bool) configPage {
	p.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		var c configPage
		if p.admin("/config", &c); ok(c) {
			return c
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s did not happen within 20s; log:\n%s", what, p.log)
		}
	}
}

func yaml(endpoint, sink string, more string) string {
	return fmt.Sprintf(`
telemetry: { endpoint: %q }
upstreams: { up: { endpoints: [%q] } }
routes:
  - { name: all, match: { path: "/{rest...}" }, upstream: up }
%s`, sink, endpoint, more)
}

// TestReloadUnderLoad rewrites the file many times, with routes coming and going, now and then with a mistake, while
// clients keep their connections busy. Each client has one connection, without the repeating and redialing that net/http's
// transport does silently: a request that fails or a connection that is closed shows.
func TestReloadUnderLoad(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) }))
	defer up.Close()
	p := start(t, yaml(up.URL, "", ""))
	var requests atomic.Int64
	stop := make(chan struct{})
	failures := make(chan error, 8) // at most one per client
	var busy sync.WaitGroup
	for i := range cap(failures) {
		conn, err := net.Dial("tcp", p.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		busy.Go(func() {
			br := bufio.NewReader(conn)
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := exchange(conn, br, fmt.Sprintf("/c%d/%d", i, n)); err != nil {
					failures <- fmt.Errorf("client %d, request %d: %w", i, n, err)
					return
				}
				requests.Add(1)
			}
		})
	}
	seen := map[string]bool{}
	for i := range 25 {
		if i%5 == 4 {
			p.write(yaml(up.URL, "", "nonsense: 1\n"))
			p.until("refusing", func(c configPage) bool { return strings.Contains(c.LastError, "nonsense: unknown key") })
			continue
		}
		p.write(yaml(up.URL, "", fmt.Sprintf("  - { name: more, match: { path: /more/%d }, upstream: up }\n", i)))
		c := p.until("applying", func(c configPage) bool { return c.LastError == "" && !seen[c.Version] })
		seen[c.Version] = true
	}
	for requests.Load() < 3000 && len(failures) == 0 {
		p.until("traffic", func(configPage) bool { return true })
	}
	close(stop)
	busy.Wait()
	close(failures)
	for err := range failures {
		t.Error(err)
	}
	t.Logf("%d requests on %d connections through 25 rewrites", requests.Load(), cap(failures))
}

// exchange sends one request on a connection that stays open; the upstream answers with the path.
func exchange(conn net.Conn, br *bufio.Reader, path string) error {
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		return err
	}
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != 200 || string(b) != path || res.Close) {
		err = fmt.Errorf("status %d, body %q, connection to be closed: %v", res.StatusCode, b, res.Close)
	}
	return errors.Join(err, res.Body.Close())
}

// TestDrain sends the signal's equivalent while a request is in flight.
func TestDrain(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = io.WriteString(w, "done")
	}))
	defer up.Close()
	p := start(t, yaml(up.URL, "", "timeouts: { drain: 20s }\n"))
	if status, text := p.admin("/ready", nil); status != 200 {
		t.Fatalf("/ready: %d %s", status, text)
	}
	answers := make(chan string, 1)
	go func() {
		tr := &http.Transport{}
		defer tr.CloseIdleConnections()
		res, err := (&http.Client{Transport: tr}).Get(p.url())
		if err != nil {
			answers <- err.Error()
			return
		}
		defer func() { _ = res.Body.Close() }()
		b, err := io.ReadAll(res.Body)
		answers <- fmt.Sprint(string(b), " ", err)
	}()
	<-arrived
	stopped := make(chan error, 1)
	go func() { stopped <- p.stop() }()
	deadline := time.Now().Add(10 * time.Second)
	for status := 200; status != 503; { // admin still answers while draining
		status, _ = p.admin("/ready", nil)
		if time.Now().After(deadline) {
			t.Fatal("/ready never said that the gateway drains")
		}
	}
	close(release)
	if got := <-answers; got != "done <nil>" {
		t.Errorf("the request in flight got %q", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", p.Addr().String()); err == nil {
		t.Error("still listening after the end")
	}
	if strings.Contains(p.log.String(), "level=ERROR") || strings.Contains(p.log.String(), "level=WARN") {
		t.Errorf("a clean end is not worth a warning:\n%s", p.log)
	}
}

// TestDrainCutsOff: what the drain timeout cuts off is answered for and counted, not just broken.
func TestDrainCutsOff(t *testing.T) {
	arrived := make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	}))
	defer up.Close()
	p := start(t, yaml(up.URL, "", "timeouts: { drain: 20ms }\n"))
	conn, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-arrived
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if res.StatusCode != 503 || !strings.Contains(string(b), "The gateway is shutting down.") {
		t.Errorf("status %d, %s", res.StatusCode, b)
	}
	for _, want := range []string{"drain was not complete", "connections were still busy", "reject_reason=draining"} {
		if !strings.Contains(p.log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, p.log)
		}
	}
}

func TestAdminPages(t *testing.T) {
	up := httptest.NewServer(http.NotFoundHandler())
	defer up.Close()
	p := start(t, yaml(up.URL, "", "  - { name: one, match: { host: h.example, path: \"/a/{$}\", methods: [GET], headers: [{ name: x-a, value: v }] }, upstream: up, timeout: 3s }\n"))
	var routes []map[string]any
	p.admin("/routes", &routes)
	if want := fmt.Sprint(map[string]any{"name": "one", "host": "h.example", "path": "/a/", "methods": []any{"GET"}, "headers": []any{"X-A=v"}, "upstream": "up", "timeout": "3s"}); len(routes) != 2 || fmt.Sprint(routes[1]) != want {
		t.Errorf("routes %v, want the second %s", routes, want)
	}
	var endpoints []map[string]any
	p.admin("/endpoints", &endpoints)
	if len(endpoints) != 1 || endpoints[0]["state"] != "healthy" || endpoints[0]["url"] != up.URL {
		t.Errorf("endpoints %v", endpoints)
	}
	up.Close()
	p.get(502)
	if p.admin("/endpoints", &endpoints); endpoints[0]["state"] != "unhealthy" || endpoints[0]["retry_at"] == nil {
		t.Errorf("endpoints %v after the upstream went away", endpoints)
	}
	for path, want := range map[string]string{"/": "gateway test", "/healthy": "healthy", "/debug/pprof/goroutine?debug=1": "goroutine profile"} {
		if status, text := p.admin(path, nil); status != 200 || !strings.Contains(text, want) {
			t.Errorf("%s: %d %.80s", path, status, text)
		}
	}
}
