package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/tailgate-otel/tailgate/internal/supervise"
)

// panels runs the demo's customers, with the shipped faults, and demands data on every panel of every dashboard.
func panels(t *testing.T, s *stack, _ *traffic) {
	s.putFaults(t)
	load := supervise.Child{
		Name: "load", Path: binary("demo"), MayExit: true,
		Args: []string{"load", "--gateway", s.gateway, "--rate", "40", "--duration", "5m", "--seed", "7"}, OnLine: s.watch("load"),
	}
	if err := s.group.Start(t.Context(), load); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary("dashctl"), "check", "--dir", filepath.Join(repo, "dashboards", "dist"),
		"--prometheus", s.store, "--wait", "120s", "--json")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var report struct {
		Panels         int
		PanelsWithData int
		Empty          []struct{ Dashboard, Panel, Reason string }
		Findings       []json.RawMessage
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("dashctl check: %v\n%s%s", err, out, stderr.Bytes())
	}
	for _, e := range report.Empty {
		t.Errorf("%s: %q has no data: %s", e.Dashboard, e.Panel, e.Reason)
	}
	for _, f := range report.Findings {
		t.Errorf("finding: %s", f)
	}
	if report.Panels < 30 || report.Panels != report.PanelsWithData {
		t.Errorf("%d of %d panels have data", report.PanelsWithData, report.Panels)
	}
}

func (s *stack) putFaults(t *testing.T) {
	t.Helper()
	faults, err := os.ReadFile(filepath.Join(repo, "demo", "faults.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.shopAdmin+"/faults", bytes.NewReader(faults))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		t.Fatalf("PUT /faults: %s", resp.Status)
	}
}

// viewerDraws opens every dashboard in headless Chromium, as a person would.
func viewerDraws(t *testing.T, s *stack, _ *traffic) {
	ctx, problems := startBrowser(t)
	for _, uid := range s.dashboards(t) {
		var states map[string]string
		err := chromedp.Run(ctx,
			chromedp.EmulateViewport(1500, 2400),
			chromedp.Navigate(s.store+"/ui/?d="+uid+"&from=now-5m&to=now&refresh="),
			chromedp.Poll(`document.body.dataset.ready === "true"`, nil, chromedp.WithPollingTimeout(30*time.Second)),
			chromedp.Evaluate(`Object.fromEntries([...document.querySelectorAll("[data-panel-id]")].map(p => [p.dataset.panelTitle, p.dataset.state]))`, &states),
		)
		if err != nil {
			t.Fatalf("open dashboard %s: %v", uid, err)
		}
		if len(states) < 5 {
			t.Errorf("%s: only %d panels drawn", uid, len(states))
		}
		for title, state := range states {
			if state != "ok" {
				t.Errorf("%s: panel %q is %s", uid, title, state)
			}
		}
		s.screenshot(ctx, t, uid)
	}
	for _, p := range problems() {
		t.Errorf("the page reported: %s", p)
	}
}

// screenshot saves the page when TAILGATE_SCREENSHOTS names a folder.
func (s *stack) screenshot(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("TAILGATE_SCREENSHOTS")
	if dir == "" {
		return
	}
	var png []byte
	if err := chromedp.Run(ctx, chromedp.FullScreenshot(&png, 100)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

func (s *stack) dashboards(t *testing.T) []string {
	t.Helper()
	resp, err := http.Get(s.store + "/ui/api/dashboards")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list []struct{ UID string }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	var uids []string
	for _, d := range list {
		uids = append(uids, d.UID)
	}
	if len(uids) < 3 {
		t.Fatalf("the store lists %v, want three dashboards at least", uids)
	}
	return uids
}

// startBrowser starts Chromium with a fresh profile; problems returns what the page's console reported as errors.
func startBrowser(t *testing.T) (ctx context.Context, problems func() []string) {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is not installed; `make e2e` installs it")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	// Not t.Context(): it ends before the clean-up, and a browser that is killed writes on while its profile is removed.
	allocator, stopBrowser := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, stop := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("close the browser: %v", err)
		}
		stop()
		stopBrowser()
	})
	found := make(chan string, 1000)
	chromedp.ListenTarget(ctx, func(ev any) {
		text := ""
		switch e := ev.(type) {
		case *runtime.EventExceptionThrown:
			text = e.ExceptionDetails.Error()
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.APITypeError {
				var words []string
				for _, a := range e.Args {
					words = append(words, string(a.Value)+a.Description)
				}
				text = strings.Join(words, " ")
			}
		}
		if text != "" {
			select {
			case found <- text:
			default: // a thousand are enough
			}
		}
	})
	return ctx, func() []string {
		var out []string
		for {
			select {
			case p := <-found:
				out = append(out, p)
			default:
				return out
			}
		}
	}
}
