package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/internal/supervise"
)

// stack is the running product: collector, gateway and demo shop on free ports.
type stack struct {
	group     *supervise.Group
	dir       string // scratch folder of the test
	data      string // TAILGATE_DATA
	gateway   string // base URLs
	store     string
	admin     string
	shopAdmin string
	otlp      string // OTLP/HTTP base URL
	grpc      string // OTLP/gRPC address
	debug     string // URL of the sampler's debug endpoint

	mu     sync.Mutex
	errors []string // lines in which a child logged an error
}

const repo = "../.."

func binary(name string) string { return filepath.Join(repo, "dist", name) }

// startStack starts the programs and stops them, in reverse order, when the test is over.
func startStack(t *testing.T) *stack {
	t.Helper()
	ports := freePorts(t, 14)
	addr := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", ports[i]) }
	s := &stack{
		dir: t.TempDir(), gateway: "http://" + addr(0), admin: "http://" + addr(1), store: "http://" + addr(2),
		shopAdmin: "http://" + addr(11), grpc: addr(3), otlp: "http://" + addr(4),
	}
	s.data, s.debug = filepath.Join(s.dir, "data"), "http://"+addr(13)+"/debug/sampling"
	services := map[string]string{"storefront": addr(6), "catalog": addr(7), "cart": addr(8), "checkout": addr(9), "payment": addr(10)}

	s.group = supervise.New(supervise.Settings{Output: testWriter(t)})
	collector := s.collector(addr(5), ports[12], ports[13])
	gateway := supervise.Child{
		Name: "gateway", Path: binary("gateway"), MakeTarget: "build",
		Args:     []string{"--config", s.gatewayConfig(t, addr(0), addr(1), addr(4), services)},
		ReadyURL: s.admin + "/ready", OnLine: s.watch("gateway"),
	}
	shop := supervise.Child{
		Name: "shop", Path: binary("demo"), MakeTarget: "build", Args: append(
			[]string{"shop", "--gateway", s.gateway, "--faults", "none", "--listen-admin", addr(11)}, listenFlags(services)...),
		Env:      []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + s.otlp},
		ReadyURL: "http://" + addr(11) + "/ready", OnLine: s.watch("shop"),
	}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	if err := s.group.Start(ctx, collector, gateway, shop); err != nil {
		t.Fatalf("start the stack: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
		defer cancel()
		if err := s.group.Stop(ctx); err != nil {
			t.Errorf("stop the stack: %v", err)
		}
	})
	return s
}

// collector runs the quickstart on this test's addresses, with further configuration on top.
func (s *stack) collector(health string, metrics, debug int, overlays ...string) supervise.Child {
	c := supervise.Child{
		Name: "tailgate", Path: binary("tailgate"), MakeTarget: "build",
		Args: []string{"--config", filepath.Join(repo, "config", "quickstart.yaml")},
		Env: []string{
			"TAILGATE_DATA=" + s.data, "TAILGATE_STORE=" + host(s.store), "TAILGATE_OTLP_GRPC=" + s.grpc,
			"TAILGATE_OTLP_HTTP=" + host(s.otlp), "TAILGATE_HEALTH=" + health,
			fmt.Sprintf("TAILGATE_METRICS_PORT=%d", metrics), fmt.Sprintf("TAILGATE_DEBUG_PORT=%d", debug),
		},
		Ready: supervise.HTTPReady("http://"+health+"/", s.store+"/-/ready"), OnLine: s.watch("tailgate"),
	}
	for _, file := range overlays {
		c.Args = append(c.Args, "--config", file)
	}
	return c
}

func host(url string) string { return strings.TrimPrefix(url, "http://") }

// gatewayConfig writes the shipped configuration with this test's addresses in place of its own.
func (s *stack) gatewayConfig(t *testing.T, listen, admin, otlp string, services map[string]string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repo, "config", "gateway.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	replace := []string{
		"127.0.0.1:8080", listen, "127.0.0.1:9901", admin, "127.0.0.1:4318", otlp, "127.0.0.1:9101", services["storefront"],
		"127.0.0.1:9102", services["catalog"], "127.0.0.1:9103", services["cart"], "127.0.0.1:9104", services["checkout"],
		"127.0.0.1:9105", services["payment"],
	}
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(string(text), replace[i]) {
			t.Fatalf("config/gateway.yaml no longer names %s", replace[i])
		}
	}
	path := filepath.Join(s.dir, "gateway.yaml")
	if err := os.WriteFile(path, []byte(strings.NewReplacer(replace...).Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func listenFlags(services map[string]string) []string {
	var flags []string
	for name, addr := range services {
		flags = append(flags, "--listen-"+name, addr)
	}
	return flags
}

// watch collects the lines in which a child logs an error: zap's console encoding and slog's text.
func (s *stack) watch(name string) func(string) {
	return func(line string) {
		if strings.Contains(line, "\terror\t") || strings.Contains(line, "level=ERROR") || strings.Contains(line, "panic:") {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.errors = append(s.errors, name+": "+line)
		}
	}
}

func (s *stack) loggedErrors() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.errors...)
}

// freePorts finds n ports that nobody listens on.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // all are held until the last is found, so that none is found twice
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports
}

// testWriter writes the children's lines into a file that is shown when the test fails.
func testWriter(t *testing.T) io.Writer {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "stack.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer f.Close()
		if !t.Failed() {
			return
		}
		text, err := os.ReadFile(f.Name())
		if err != nil {
			t.Log(err)
			return
		}
		const shown = 12_000
		t.Logf("end of the children's output:\n%s", text[max(0, len(text)-shown):])
	})
	return f
}

// eventually polls until check returns nil. It is how the test waits for exports that come every few seconds; it fails
// with check's last error.
func eventually(t *testing.T, within time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(within)
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %v", within, err)
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal(err)
		}
	}
}
