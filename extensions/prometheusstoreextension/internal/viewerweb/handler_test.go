package viewerweb_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/viewerweb"
)

func file(content string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(content)} }

func settings() viewerweb.Settings {
	return viewerweb.Settings{
		Files: fstest.MapFS{
			"index.html":       file("<!doctype html><title>page</title>"),
			"app.js":           file("console.log(1)"),
			"assets/logo.svg":  file("<svg/>"),
			"assets/README.md": file("text"),
		},
		Dashboards: fstest.MapFS{
			"b.json": file(`{"uid":"b","title":"Alpha","description":"first","tags":["x"],"panels":[]}`),
			"a.json": file(`{"uid":"a","title":"Beta","panels":[{"id":1}]}`),
		},
		TraceURL: "http://localhost:16686/trace/{trace_id}",
	}
}

func get(t *testing.T, h http.Handler, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHandlerAnswers(t *testing.T) {
	h, err := viewerweb.New(settings())
	require.NoError(t, err)

	for _, tc := range []struct {
		target, contentType, body string
		status                    int
	}{
		{"/ui/", "text/html; charset=utf-8", "<!doctype html><title>page</title>", 200},
		{"/ui/?d=a&from=now-15m", "text/html; charset=utf-8", "<!doctype html><title>page</title>", 200},
		{"/ui/app.js", "text/javascript; charset=utf-8", "console.log(1)", 200},
		{"/ui/assets/logo.svg", "image/svg+xml", "<svg/>", 200},
		{"/ui/assets/README.md", "application/octet-stream", "text", 200},
		{
			"/ui/api/dashboards", "application/json",
			`[{"uid":"b","title":"Alpha","description":"first","tags":["x"]},{"uid":"a","title":"Beta","description":"","tags":[]}]`, 200,
		},
		{"/ui/api/dashboards/a", "application/json", `{"uid":"a","title":"Beta","panels":[{"id":1}]}`, 200},
		{"/ui/api/config", "application/json", `{"traceUrl":"http://localhost:16686/trace/{trace_id}"}`, 200},
		{
			"/ui/api/dashboards/none", "text/plain; charset=utf-8",
			"there is nothing at /ui/api/dashboards/none; the dashboards are at /ui/\n", 404,
		},
		{"/ui/../go.mod", "text/plain; charset=utf-8", "there is nothing at /ui/../go.mod; the dashboards are at /ui/\n", 404},
	} {
		t.Run(tc.target, func(t *testing.T) {
			w := get(t, h, tc.target)
			assert.Equal(t, tc.status, w.Code)
			assert.Equal(t, tc.body, w.Body.String())
			assert.Equal(t, tc.contentType, w.Header().Get("Content-Type"))
			assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
			assert.Contains(t, w.Header().Get("Content-Security-Policy"), "default-src 'self';")
		})
	}
}

func TestHandlerRevalidates(t *testing.T) {
	h, err := viewerweb.New(settings())
	require.NoError(t, err)

	first := get(t, h, "/ui/app.js")
	assert.Equal(t, "no-cache", first.Header().Get("Cache-Control"))
	again := get(t, h, "/ui/app.js", "If-None-Match", first.Header().Get("ETag"))
	assert.Equal(t, http.StatusNotModified, again.Code)
	assert.Empty(t, again.Body.String())

	changed := settings()
	changed.Files.(fstest.MapFS)["app.js"] = file("console.log(2)")
	h, err = viewerweb.New(changed)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, get(t, h, "/ui/app.js", "If-None-Match", first.Header().Get("ETag")).Code)
}

func TestHandlerRefusesWrites(t *testing.T) {
	h, err := viewerweb.New(settings())
	require.NoError(t, err)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ui/api/config", nil))
	assert.Equal(t, http.StatusMethodNotAllowed, w.Code)
	assert.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
}

func TestNewNamesTheFile(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*viewerweb.Settings)
		want   string
	}{
		"no page": {
			func(s *viewerweb.Settings) { s.Files = fstest.MapFS{} },
			"viewer files: open index.html: file does not exist",
		},
		"uid differs": {
			func(s *viewerweb.Settings) { s.Dashboards = fstest.MapFS{"a.json": file(`{"uid":"b","title":"T"}`)} },
			`dashboards: a.json: uid is "b", must be "a" like the file`,
		},
		"no title": {
			func(s *viewerweb.Settings) { s.Dashboards = fstest.MapFS{"a.json": file(`{"uid":"a"}`)} },
			"dashboards: a.json: title is empty",
		},
		"not JSON": {
			func(s *viewerweb.Settings) { s.Dashboards = fstest.MapFS{"a.json": file(`{`)} },
			"dashboards: a.json: unexpected end of JSON input",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := settings()
			tc.change(&s)
			_, err := viewerweb.New(s)
			assert.EqualError(t, err, tc.want)
		})
	}
}
