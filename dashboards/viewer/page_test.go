package viewer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/tailgate-otel/tailgate/dashboards/viewer"
)

const (
	chromium = "/usr/bin/chromium"
	// The policy under which the store extension serves the page.
	contentSecurityPolicy = "default-src 'self'; style-src 'self' 'unsafe-inline'"
	traceURL              = "http://tempo.example/trace/{trace_id}"
	patience              = 45 * time.Second
)

// site serves the page, its dashboards and the store as the store extension does, and remembers the API's requests.
type site struct {
	url string

	mu       sync.Mutex // guards the fields below
	requests []apiRequest
	inFlight int
	busiest  int // most API requests that were in flight at once
}

type apiRequest struct{ path, query string }

func startSite(t *testing.T, dashboards map[string][]byte) *site {
	t.Helper()
	db := openStore(t)
	fill(t, db, time.Now())
	s := &site{}
	mux := http.NewServeMux()
	mux.Handle("GET /ui/", http.StripPrefix("/ui/", http.FileServerFS(viewer.Files())))
	mux.HandleFunc("GET /ui/api/config", func(w http.ResponseWriter, _ *http.Request) { writeJSON(t, w, map[string]string{"traceUrl": traceURL}) })
	mux.HandleFunc("GET /ui/api/dashboards", func(w http.ResponseWriter, _ *http.Request) { writeJSON(t, w, summaries(t, dashboards)) })
	mux.HandleFunc("GET /ui/api/dashboards/{uid}", func(w http.ResponseWriter, r *http.Request) {
		body, ok := dashboards[r.PathValue("uid")]
		if !ok {
			http.Error(w, "no such dashboard", http.StatusNotFound)
			return
		}
		writeJSON(t, w, json.RawMessage(body))
	})
	mux.Handle("/api/v1/", s.record(prometheusAPI(db)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", contentSecurityPolicy)
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *site) record(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.FormValue("query") + r.FormValue("match[]")
		s.mu.Lock()
		s.requests = append(s.requests, apiRequest{r.URL.Path, query})
		s.inFlight++
		s.busiest = max(s.busiest, s.inFlight)
		s.mu.Unlock()
		next.ServeHTTP(w, r)
		s.mu.Lock()
		s.inFlight--
		s.mu.Unlock()
	})
}

// take returns the requests since the last call.
func (s *site) take() []apiRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.requests
	s.requests = nil
	return taken
}

func writeJSON(t *testing.T, w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		t.Errorf("write JSON: %v", err)
	}
}

func summaries(t *testing.T, dashboards map[string][]byte) []map[string]any {
	list := []map[string]any{}
	for _, uid := range slices.Sorted(maps.Keys(dashboards)) {
		var d map[string]any
		if err := json.Unmarshal(dashboards[uid], &d); err != nil {
			t.Errorf("dashboard %s: %v", uid, err)
		}
		list = append(list, map[string]any{"uid": uid, "title": d["title"], "description": d["description"], "tags": d["tags"]})
	}
	return list
}

func fixture(t *testing.T, uid string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", uid+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// startChromium starts one browser for all tests, because starting takes longer than most of them.
func startChromium(t *testing.T) context.Context {
	t.Helper()
	if _, err := os.Stat(chromium); err != nil {
		t.Fatalf("%s is missing: apt-get install --no-install-recommends chromium", chromium)
	}
	if !viewer.Built() {
		t.Fatal("the bundle is missing: run make viewer (npm ci && npm run build in dashboards/viewer)")
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(chromium), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1440, 900), chromedp.NoSandbox,
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
		t.Fatalf("start %s: %v", chromium, err)
	}
	return ctx
}

// browser is one tab that keeps what its console said.
type browser struct {
	ctx context.Context

	mu       sync.Mutex // guards problems
	problems []string
}

func openTab(t *testing.T, chromium context.Context) *browser {
	t.Helper()
	tab, closeTab := chromedp.NewContext(chromium)
	ctx, cancel := context.WithTimeout(tab, patience)
	t.Cleanup(func() {
		cancel()
		closeTab()
	})
	b := &browser{ctx: ctx}
	chromedp.ListenTarget(tab, b.listen)
	// A tab in the background gets no frames, and so no input.
	b.run(t, page.BringToFront(), chromedp.EmulateViewport(1440, 900))
	return b
}

func (b *browser) listen(event any) {
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
		b.mu.Lock()
		b.problems = append(b.problems, problem)
		b.mu.Unlock()
	}
}

func consoleText(args []*cdpruntime.RemoteObject) string {
	parts := make([]string, 0, len(args))
	for _, arg := range args {
		parts = append(parts, arg.Description+string(arg.Value))
	}
	return strings.Join(parts, " ")
}

// complaints returns what the console said since the last call.
func (b *browser) complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.problems
	b.problems = nil
	return taken
}

func (b *browser) run(t *testing.T, actions ...chromedp.Action) {
	t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		t.Fatalf("browser: %v; console: %q; panels: %v", err, b.complaints(), b.states())
	}
}

// open loads an address and waits until every panel has settled.
func (b *browser) open(t *testing.T, url string) {
	t.Helper()
	b.run(t, chromedp.Navigate(url), chromedp.WaitReady(`body[data-ready="true"]`))
}

// settled waits for the n-th refresh of the dashboard to end.
func (b *browser) settled(t *testing.T, n int) {
	t.Helper()
	b.run(t, chromedp.WaitReady(fmt.Sprintf(`body[data-refreshes="%d"]`, n)))
}

func panelTitled(title string) string { return fmt.Sprintf(`.panel[data-panel-title=%q]`, title) }

func (b *browser) states() map[string]string {
	states := map[string]string{}
	const script = `Object.fromEntries([...document.querySelectorAll(".panel")].map((p) => [p.dataset.panelTitle, p.dataset.state]))`
	// A closed browser has no panels; the caller's own error then says more.
	_ = chromedp.Run(b.ctx, chromedp.Evaluate(script, &states))
	return states
}

func eval[T any](t *testing.T, b *browser, script string) T {
	t.Helper()
	var value T
	b.run(t, chromedp.Evaluate(script, &value))
	return value
}

// screenshot keeps a picture of the whole page where TAILGATE_SCREENSHOTS says.
func (b *browser) screenshot(t *testing.T, name string) {
	t.Helper()
	var width, height int64
	b.run(t, chromedp.Evaluate("innerWidth", &width), chromedp.Evaluate("document.documentElement.scrollHeight", &height))
	// As tall as the page, so that what is fixed to the window spans the picture.
	b.run(t, chromedp.EmulateViewport(width, height))
	b.windowShot(t, name)
	b.run(t, chromedp.EmulateViewport(width, 900))
}

// windowShot keeps a picture of what the window shows: a change of its size would close what floats over the page.
func (b *browser) windowShot(t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("TAILGATE_SCREENSHOTS")
	if dir == "" {
		return
	}
	var png []byte
	b.run(t, chromedp.CaptureScreenshot(&png))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}
