package reload_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tailgate-otel/tailgate/gateway/config"
	"github.com/tailgate-otel/tailgate/gateway/reload"
	"github.com/tailgate-otel/tailgate/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func yaml(routes int) string {
	var b strings.Builder
	b.WriteString("upstreams: { up: { endpoints: [\"http://127.0.0.1:1\"] } }\nroutes:\n")
	for i := range routes {
		_, _ = fmt.Fprintf(&b, "  - { name: r%d, match: { path: /r%d }, upstream: up }\n", i, i)
	}
	return b.String()
}

// follower runs a reloader and hands its attempts to the test.
type follower struct {
	*reload.Reloader
	t        *testing.T
	applied  chan int // number of routes
	outcomes chan string
	refuse   error
}

func follow(t *testing.T, file string) *follower {
	t.Helper()
	f := &follower{t: t, applied: make(chan int, 64), outcomes: make(chan string, 64)}
	var err error
	f.Reloader, err = reload.New(reload.Settings{
		File: file, Now: time.Now,
		Apply: func(c *config.Config) error {
			if f.refuse != nil {
				return f.refuse
			}
			f.applied <- len(c.Routes)
			return nil
		},
		Done: func(outcome string, _ error) { f.outcomes <- outcome },
	})
	if err != nil {
		t.Fatal(err)
	}
	<-f.applied
	return f
}

func (f *follower) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	f.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			f.t.Error(err)
		}
	})
	f.Trigger() // answered once the watch is in place
	f.want(telemetry.ReloadUnchanged)
}

func (f *follower) want(outcome string) {
	f.t.Helper()
	select {
	case got := <-f.outcomes:
		if got != outcome {
			f.t.Fatalf("outcome %q, want %q; last error: %v", got, outcome, f.Status().LastError)
		}
	case <-time.After(10 * time.Second):
		f.t.Fatalf("no attempt within 10s, want %q", outcome)
	}
}

func (f *follower) wantApplied(routes int) {
	f.t.Helper()
	f.want(telemetry.ReloadApplied)
	if got := <-f.applied; got != routes {
		f.t.Fatalf("%d routes were applied, want %d", got, routes)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWriteRenameAndRefuse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	write(t, file, yaml(1))
	f := follow(t, file)
	f.run()
	first := f.Status()

	write(t, file, yaml(2)) // in place
	f.wantApplied(2)
	second := f.Status()
	if second.Version == first.Version || second.AppliedAt.Before(first.AppliedAt) || second.LastError != nil {
		t.Errorf("status %+v after %+v", second, first)
	}

	write(t, file+".new", yaml(3)) // replaced, as editors do
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
	f.wantApplied(3)

	good := f.Status().Version
	write(t, file, yaml(3)+"routs: []\n")
	f.want(telemetry.ReloadRefused)
	if st := f.Status(); st.Version != good || st.LastError == nil || !strings.Contains(st.LastError.Error(), `gateway.yaml:6: routs: unknown key; did you mean "routes"?`) {
		t.Errorf("status %+v, want version %s and the error", st, good)
	}

	write(t, file, yaml(3)) // back to what is in force
	f.want(telemetry.ReloadUnchanged)
	if st := f.Status(); st.LastError != nil {
		t.Errorf("still an error: %v", st.LastError)
	}

	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	f.want(telemetry.ReloadRefused)
	write(t, file, yaml(4))
	f.wantApplied(4)
}

func TestApplyMayRefuse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	write(t, file, yaml(1))
	f := follow(t, file)
	f.refuse = errors.New("no such certificate")
	f.run()
	write(t, file, yaml(2))
	f.want(telemetry.ReloadRefused)
	if st := f.Status(); !errors.Is(st.LastError, f.refuse) {
		t.Errorf("last error %v", st.LastError)
	}
}

// TestConfigMap swaps the symlink in the middle, as the kubelet does: gateway.yaml -> ..data/gateway.yaml, ..data -> a
// directory per version.
func TestConfigMap(t *testing.T) {
	dir := t.TempDir()
	version := func(i int) {
		sub := fmt.Sprintf("..v%d", i)
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, sub, "gateway.yaml"), yaml(i))
		if err := errors.Join(os.Symlink(sub, filepath.Join(dir, "..data_tmp")), os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data"))); err != nil {
			t.Fatal(err)
		}
	}
	version(1)
	file := filepath.Join(dir, "gateway.yaml")
	if err := os.Symlink(filepath.Join("..data", "gateway.yaml"), file); err != nil {
		t.Fatal(err)
	}
	f := follow(t, file)
	f.run()
	for i := 2; i < 5; i++ {
		version(i)
		f.wantApplied(i)
		if err := os.RemoveAll(filepath.Join(dir, fmt.Sprintf("..v%d", i-1))); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSymlinkIntoAnotherDirectory changes the file where it really is.
func TestSymlinkIntoAnotherDirectory(t *testing.T) {
	real, file := filepath.Join(t.TempDir(), "real.yaml"), filepath.Join(t.TempDir(), "gateway.yaml")
	write(t, real, yaml(1))
	if err := os.Symlink(real, file); err != nil {
		t.Fatal(err)
	}
	f := follow(t, file)
	f.run()
	write(t, real, yaml(2))
	f.wantApplied(2)
}

func TestOtherFilesDoNotMatter(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "gateway.yaml")
	write(t, file, yaml(1))
	f := follow(t, file)
	f.run()
	write(t, filepath.Join(dir, "notes.txt"), "hello")
	write(t, file, yaml(2))
	f.wantApplied(2)
	select {
	case outcome := <-f.outcomes:
		t.Errorf("a further attempt: %s", outcome)
	default:
	}
}

func TestFirstLoadFailsLoudly(t *testing.T) {
	_, err := reload.New(reload.Settings{File: filepath.Join(t.TempDir(), "none.yaml"), Now: time.Now})
	if err == nil || !strings.Contains(err.Error(), "none.yaml: no such file; name the gateway's configuration with --config") {
		t.Errorf("got %v", err)
	}
}
