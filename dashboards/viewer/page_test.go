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
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/tailgate-otel/tailgate/dashboards/viewer"
	"github.com/tailgate-otel/tailgate/internal/testkit/chrome"
)

const (
	// The policy under which the store extension serves the page.
	contentSecurityPolicy = "default-src 'self'; style-src 'self' 'unsafe-inline'"
	traceURL              = "http://tempo.example/trace/{trace_id}"
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

// startChromium starts the browser for a page that must have been built.
func startChromium(t *testing.T) context.Context {
	t.Helper()
	if !viewer.Built() {
		t.Fatal("the bundle is missing: run make viewer (npm ci && npm run build in dashboards/viewer)")
	}
	return chrome.Start(t)
}

// browser is a tab with the viewer's page in it.
type browser struct{ *chrome.Tab }

func openTab(t *testing.T, chromium context.Context) *browser {
	t.Helper()
	return &browser{chrome.OpenTab(t, chromium)}
}

// open loads an address and waits until every panel has settled.
func (b *browser) open(t *testing.T, url string) {
	t.Helper()
	b.Run(t, chromedp.Navigate(url), chromedp.WaitReady(`body[data-ready="true"]`))
}

// settled waits for the n-th refresh of the dashboard to end.
func (b *browser) settled(t *testing.T, n int) {
	t.Helper()
	b.Run(t, chromedp.WaitReady(fmt.Sprintf(`body[data-refreshes="%d"]`, n)))
}

func panelTitled(title string) string { return fmt.Sprintf(`.panel[data-panel-title=%q]`, title) }

func eval[T any](t *testing.T, b *browser, script string) T {
	t.Helper()
	return chrome.Eval[T](t, b.Tab, script)
}
