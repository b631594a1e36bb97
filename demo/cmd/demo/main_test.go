package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tailgate-otel/tailgate/demo/shop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCommandLineErrorsTeach(t *testing.T) {
	dir := t.TempDir()
	wrong := filepath.Join(dir, "faults.yaml")
	if err := os.WriteFile(wrong, []byte("rules:\n  - service: payment\n    eror: {ratio: 1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args string
		want string
	}{
		{"shp", `there is no command "shp"; did you mean "shop"?`},
		{"load", "give --duration or --requests"},
		{"load --requests 5 --gateway http://192.0.2.1", "is not on this machine"},
		{"load 5", `"5" is not a flag`},
		{"shop --log-level loud", "must be debug, info, warn or error"},
		{"shop --faults " + filepath.Join(dir, "none.yaml"), "no such file"},
		{"shop --faults " + wrong, wrong + `:3: rules[0].eror: unknown key; did you mean "error"?`},
		{"shop --gateway nowhere", "must be a URL like"},
	} {
		if err := dispatch(t.Context(), strings.Fields(tc.args)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("demo %s: %v, want %q in it", tc.args, err, tc.want)
		}
	}
	if err := dispatch(t.Context(), nil); !errors.Is(err, errUsage) {
		t.Errorf("no command: %v", err)
	}
	if err := dispatch(t.Context(), []string{"load", "-h"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("help: %v", err)
	}
	if code := run([]string{"nothing"}); code != 1 {
		t.Errorf("status of an error is %d", code)
	}
	if code := run([]string{"load", "--no-such-flag"}); code != 2 {
		t.Errorf("status of wrong usage is %d", code)
	}
	if code := run([]string{"help"}); code != 0 {
		t.Errorf("status of help is %d", code)
	}
}

func TestShippedFaultsLoad(t *testing.T) {
	cfg, err := loadFaults("")
	if err != nil || len(cfg.Rules) == 0 {
		t.Fatalf("%d rules, %v", len(cfg.Rules), err)
	}
	services := map[string]bool{}
	for _, r := range cfg.Rules {
		services[r.Service] = true
	}
	if !services["payment"] || !services["catalog"] {
		t.Errorf("rules for %v only", services)
	}
	if none, err := loadFaults("none"); err != nil || len(none.Rules) != 0 {
		t.Errorf("none is %+v, %v", none, err)
	}
}

// TestShopAndLoad runs both commands against each other, with the storefront in the gateway's place.
func TestShopAndLoad(t *testing.T) {
	t.Setenv("OTEL_SDK_DISABLED", "true")
	proxy := httptest.NewServer(http.NotFoundHandler()) // what the storefront calls answers 404: a real status all the same
	defer proxy.Close()
	addr := freeAddr(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		args := []string{"shop", "--gateway", proxy.URL, "--listen-admin", "127.0.0.1:0", "--faults", "none"}
		for _, name := range shop.Names() {
			listen := "127.0.0.1:0"
			if name == "storefront" {
				listen = addr
			}
			args = append(args, "--listen-"+name, listen)
		}
		done <- dispatch(ctx, args)
	}()
	waitFor(t, addr)
	report := filepath.Join(t.TempDir(), "report.json")
	if err := dispatch(t.Context(), []string{"load", "--gateway", "http://" + addr, "--requests", "20", "--rate", "1000", "--report", report}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(report)
	if err != nil || !strings.Contains(string(text), `"answered": 20`) || !strings.Contains(string(text), `"status": 404`) {
		t.Errorf("report (%v):\n%s", err, text)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("the shop ended with %v", err)
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// waitFor returns when something accepts connections on the address.
func waitFor(t *testing.T, addr string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 4000 {
		if conn, err := net.Dial("tcp", addr); err == nil {
			_ = conn.Close()
			return
		}
		<-tick.C
	}
	t.Fatal("nobody listens after 20s")
}

func TestParseLevel(t *testing.T) {
	if l, err := parseLevel("debug"); err != nil || l != slog.LevelDebug {
		t.Errorf("debug is %v, %v", l, err)
	}
}
