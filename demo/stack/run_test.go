package stack_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tailgate-otel/tailgate/demo/stack"
)

// The children of these tests are this test binary under the names of the real ones: real processes with real ports,
// whose answers the test decides by scriptEnv.
const scriptEnv = "STACK_TEST_SCRIPT"

// script is what the children do.
type script struct {
	Addresses   stack.Addresses
	Spans       string // In; 10 are kept and 90 dropped
	Panels      string // what dashctl prints
	GatewayDies bool   // once it has been ready
}

func TestMain(m *testing.M) {
	if text := os.Getenv(scriptEnv); text != "" {
		var s script
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			fmt.Println(err)
			os.Exit(9)
		}
		os.Exit(s.play(filepath.Base(os.Args[0])))
	}
	goleak.VerifyTestMain(m)
}

// play is the main function of a child.
func (s script) play(name string) int {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	ok := func(http.ResponseWriter, *http.Request) {}
	switch {
	case name == "dashctl":
		fmt.Println(s.Panels)
		return 1 // as the real one with empty panels
	case name == "tailgate":
		serve(s.Addresses.Health, ok)
		serve(s.Addresses.Store, s.query)
	case name == "gateway":
		serve(s.Addresses.Gateway, ok)
		serve(s.Addresses.GatewayAdmin, ok)
	case len(os.Args) > 1 && os.Args[1] == "shop":
		if s.GatewayDies { // the stack starts the shop when the gateway is ready
			if _, err := http.Get("http://" + s.Addresses.Gateway + "/die"); err == nil {
				return 9
			}
		}
		serve(s.Addresses.ShopAdmin, ok)
	}
	fmt.Println(name + " at work")
	<-stop
	fmt.Println(name + " ended")
	return 0
}

func serve(addr string, h http.HandlerFunc) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Println(err)
		os.Exit(9)
	}
	go func() {
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/die" {
				fmt.Println("panic: asked to")
				os.Exit(2)
			}
			h(w, r)
		}))
	}()
}

// query plays the PromQL API.
func (s script) query(w http.ResponseWriter, r *http.Request) {
	value := "0"
	switch q := r.FormValue("query"); {
	case strings.Contains(q, "timestamp("):
		value = fmt.Sprint(time.Now().Unix() + 1)
	case strings.Contains(q, "refused"), strings.Contains(q, "failed"), strings.Contains(q, " - "):
	case strings.Contains(q, "accepted_spans"), strings.Contains(q, "spans_received"):
		value = s.Spans
	case strings.Contains(q, "spans_kept"):
		value = "10"
	case strings.Contains(q, "spans_dropped"):
		value = "90"
	case strings.Contains(q, "http_server_request"):
		value = "20"
	}
	_, _ = fmt.Fprintf(w, `{"status":"success","data":{"result":[{"metric":{},"value":[1,%q]}]}}`, value)
}

// world is a folder of binaries and a set of free ports.
type world struct {
	t       *testing.T
	options stack.Options
	script  script
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dist := t.TempDir()
	for _, name := range []string{"tailgate", "gateway", "demo", "dashctl"} {
		if err := os.Symlink(os.Args[0], filepath.Join(dist, name)); err != nil {
			t.Fatal(err)
		}
	}
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close() })
	var listeners []net.Listener
	free := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, l) // all at once, so that no port is given out twice
		return l.Addr().String()
	}
	a := stack.Addresses{
		Store: free(), Health: free(), Metrics: free(), Debug: free(), OTLPgRPC: free(), OTLPHTTP: free(), Gateway: free(),
		GatewayAdmin: free(), ShopAdmin: free(), Services: map[string]string{"cart": free()},
	}
	for _, l := range listeners {
		_ = l.Close()
	}
	return &world{
		t:      t,
		script: script{Addresses: a, Spans: "100", Panels: `{"panels":3,"panelsWithData":2,"empty":[{"dashboard":"d","panel":"p","reason":"r"}]}`},
		options: stack.Options{
			Addresses: a, Dist: dist, ConfigDir: "config", Data: filepath.Join(dist, "data"), Rate: 1, Out: out,
			Settle: 500 * time.Millisecond, Duration: 100 * time.Millisecond,
		},
	}
}

// run returns what was printed and the verdict. It checks that nothing listens any more.
func (w *world) run(ctx context.Context) (string, error) {
	w.t.Helper()
	text, err := json.Marshal(w.script)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Setenv(scriptEnv, string(text))
	w.t.Setenv("GORACE", "atexit_sleep_ms=0") // under the race detector each child would wait for a second before it ends
	verdict := stack.Run(ctx, context.Background(), w.options)
	out, err := os.ReadFile(w.options.Out.Name())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, addr := range []string{w.options.Addresses.Store, w.options.Addresses.Gateway, w.options.Addresses.ShopAdmin} {
		if conn, err := net.Dial("tcp", addr); err == nil {
			_ = conn.Close()
			w.t.Errorf("something still listens on %s", addr)
		}
	}
	return string(out), verdict
}

func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

func TestRunEndsByItselfWithASummary(t *testing.T) {
	w := newWorld(t)
	out, err := w.run(t.Context())
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	contains(t, out, "tailgate | tailgate at work\n", "shop     | demo at work\n", "gateway  | gateway ended\n",
		"100 in = 10 kept + 90 dropped + 0 held: balanced", "2 with data, 1 without", "no data: d / p: r", "lost         nothing")
	if strings.Index(out, "demo ended") > strings.Index(out, "gateway ended") || strings.Index(out, "gateway ended") > strings.Index(out, "tailgate ended") {
		t.Errorf("not stopped from the outside inwards:\n%s", out)
	}
	if strings.Contains(out, "\x1b[") {
		t.Error("colours in a file")
	}
}

func TestRunThatDoesNotBalanceFails(t *testing.T) {
	w := newWorld(t)
	w.script.Spans = "103"
	out, err := w.run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the spans do not balance") {
		t.Errorf("verdict: %v", err)
	}
	contains(t, out, "103 in = 10 kept + 90 dropped + 0 held: NOT balanced, 3 have no fate", "PROBLEM")
}

func TestBrokenCheckOfTheDashboardsFails(t *testing.T) {
	w := newWorld(t)
	w.script.Panels = "no JSON"
	out, err := w.run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "check the dashboards") {
		t.Errorf("verdict: %v", err)
	}
	contains(t, out, ": balanced", "PROBLEM")
}

func TestChildThatDiesEndsTheRun(t *testing.T) {
	w := newWorld(t)
	w.script.GatewayDies = true
	w.options.Duration = time.Hour
	out, err := w.run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "gateway ended with exit status 2 after ") ||
		!strings.Contains(err.Error(), "; it crashed: panic: asked to") || strings.Contains(err.Error(), "\n") {
		t.Errorf("verdict: %v", err)
	}
	contains(t, out, "tailgate | tailgate ended\n")
}

func TestInterruptIsANormalEnd(t *testing.T) {
	w := newWorld(t)
	w.options.Duration = 0
	ctx, cancel := context.WithCancel(t.Context())
	stop := make(chan struct{})
	go func() { // as soon as the last child is at work
		defer close(stop)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if out, err := os.ReadFile(w.options.Out.Name()); err != nil || strings.Contains(string(out), "everything runs") {
				cancel()
				return
			}
		}
	}()
	out, err := w.run(ctx)
	<-stop
	if err != nil {
		t.Errorf("verdict: %v", err)
	}
	contains(t, out, "ending; Ctrl-C once more ends at once", ": balanced", "tailgate | tailgate ended\n")
	if strings.Contains(out, "panels") {
		t.Error("the dashboards were checked")
	}
}

func TestRunRefusesToStart(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*world)
		want   string
	}{
		"missing binary": {func(w *world) { _ = os.Remove(filepath.Join(w.options.Dist, "gateway")) }, "run `make build` first"},
		"missing check":  {func(w *world) { _ = os.Remove(filepath.Join(w.options.Dist, "dashctl")) }, "dashctl: no executable"},
		"rate":           {func(w *world) { w.options.Rate = -1 }, "--rate -1: must be above 0"},
		"duration":       {func(w *world) { w.options.Duration = -1 }, "--duration -1ns: must not be negative"},
		"data": {func(w *world) {
			w.options.Data = filepath.Join(w.options.Out.Name(), "below a file")
		}, "choose another with --data"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.change(w)
			out, err := w.run(t.Context())
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("verdict: %v, want %q", err, tc.want)
			}
			if out != "" {
				t.Errorf("something was started:\n%s", out)
			}
		})
	}
	w := newWorld(t)
	l, err := net.Listen("tcp", w.options.Addresses.GatewayAdmin)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if out, err := w.run(t.Context()); err == nil || out != "" || !strings.Contains(err.Error(), fmt.Sprintf("which gateway, admin needs, is in use by stack.test (pid %d)", os.Getpid())) {
		t.Errorf("port in use: %v\n%s", err, out)
	}
}
