// Package chrome drives a headless Chromium for tests of the viewer's page. Pictures are kept in the folder that
// TAILGATE_SCREENSHOTS names, when it does.
package chrome

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long one tab may live: the longest test on a slow machine.
const patience = 2 * time.Minute

// Start starts a headless Chromium with a fresh profile, to be shared by the tests of a package: starting takes longer
// than most of them. It ends with t, which fails when Chromium is not installed.
func Start(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is missing: apt-get install --no-install-recommends chromium")
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1440, 900), chromedp.NoSandbox,
	}
	for _, name := range []string{
		"headless", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
		"disable-component-update", "disable-sync", "disable-default-apps", "disable-extensions", "hide-scrollbars",
	} {
		options = append(options, chromedp.Flag(name, true))
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closeBrowser := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		// A browser that is asked to close has written its profile when Cancel returns; a killed one writes on while the
		// directory is removed.
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("close the browser: %v", err)
		}
		closeBrowser()
		stop()
	})
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return ctx
}

// Tab is one tab that keeps what its console said.
type Tab struct {
	ctx context.Context

	mu       sync.Mutex // guards problems
	problems []string
}

// OpenTab opens a tab in the Chromium of Start; it is closed with t.
func OpenTab(t *testing.T, chromium context.Context) *Tab {
	t.Helper()
	target, closeTab := chromedp.NewContext(chromium)
	ctx, cancel := context.WithTimeout(target, patience)
	t.Cleanup(func() {
		cancel()
		closeTab()
	})
	tab := &Tab{ctx: ctx}
	chromedp.ListenTarget(target, tab.listen)
	// A tab in the background gets no frames, and so no input.
	tab.Run(t, page.BringToFront(), chromedp.EmulateViewport(1440, 900))
	return tab
}

func (tab *Tab) listen(event any) {
	problem := ""
	switch e := event.(type) {
	case *cdpruntime.EventExceptionThrown:
		problem = e.ExceptionDetails.Error()
	case *cdpruntime.EventConsoleAPICalled:
		if e.Type == cdpruntime.APITypeError || e.Type == cdpruntime.APITypeWarning {
			problem = fmt.Sprintf("console.%s: %s", e.Type, consoleText(e.Args))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning {
			problem = fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	}
	if problem != "" {
		tab.mu.Lock()
		tab.problems = append(tab.problems, problem)
		tab.mu.Unlock()
	}
}

func consoleText(args []*cdpruntime.RemoteObject) string {
	parts := make([]string, 0, len(args))
	for _, arg := range args {
		parts = append(parts, arg.Description+string(arg.Value))
	}
	return strings.Join(parts, " ")
}

// Complaints returns what the console said since the last call.
func (tab *Tab) Complaints() []string {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	taken := tab.problems
	tab.problems = nil
	return taken
}

// Run runs actions in the tab; the test ends at the first that fails.
func (tab *Tab) Run(t *testing.T, actions ...chromedp.Action) {
	t.Helper()
	if err := chromedp.Run(tab.ctx, actions...); err != nil {
		t.Fatalf("browser: %v; console: %q; panels: %v", err, tab.Complaints(), tab.States())
	}
}

// States returns the state of each panel on the viewer's page by its title.
func (tab *Tab) States() map[string]string {
	states := map[string]string{}
	const script = `Object.fromEntries([...document.querySelectorAll(".panel")].map((p) => [p.dataset.panelTitle, p.dataset.state]))`
	// A closed browser has no panels; the caller's own error then says more.
	_ = chromedp.Run(tab.ctx, chromedp.Evaluate(script, &states))
	return states
}

// Eval returns the value of a script.
func Eval[T any](t *testing.T, tab *Tab, script string) T {
	t.Helper()
	var value T
	tab.Run(t, chromedp.Evaluate(script, &value))
	return value
}

// Screenshot keeps a picture of the whole page where TAILGATE_SCREENSHOTS says.
func (tab *Tab) Screenshot(t *testing.T, name string) {
	t.Helper()
	var width, height int64
	tab.Run(t, chromedp.Evaluate("innerWidth", &width), chromedp.Evaluate("document.documentElement.scrollHeight", &height))
	// As tall as the page, so that what is fixed to the window spans the picture.
	tab.Run(t, chromedp.EmulateViewport(width, height))
	tab.WindowShot(t, name)
	tab.Run(t, chromedp.EmulateViewport(width, 900))
}

// WindowShot keeps a picture of what the window shows: a change of its size would close what floats over the page.
func (tab *Tab) WindowShot(t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("TAILGATE_SCREENSHOTS")
	if dir == "" {
		return
	}
	var png []byte
	tab.Run(t, chromedp.CaptureScreenshot(&png))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}
