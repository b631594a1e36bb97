// Package viewerweb serves the dashboard viewer: its files, the dashboards it draws and its configuration. Everything
// is read once, at start, and served from memory; a request touches no disk. Data comes from the PromQL API beside it.
//
// It starts no goroutine and holds no lock: a Handler does not change after New.
package viewerweb

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// Prefix is where Handler must be mounted.
const Prefix = "/ui/"

const indexName = "index.html"

// contentSecurityPolicy lets the page load nothing from elsewhere and run no inline script. Inline styles are allowed,
// because the plotting library positions its canvas with them.
const contentSecurityPolicy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// Settings are the sources of a Handler.
type Settings struct {
	// Files are the viewer's own: index.html and what it refers to.
	Files fs.FS
	// Dashboards holds one classic Grafana dashboard per file, <uid>.json.
	Dashboards fs.FS
	// TraceURL opens a trace; {trace_id} is replaced by the page. May be empty.
	TraceURL string
}

// Handler serves everything under Prefix.
type Handler struct {
	files      map[string]document // by path below Prefix; "" is the page
	dashboards map[string]document // by uid
	list       document
	config     document
}

// New reads all files. It fails when the page is missing or a dashboard is not what the viewer can list, rather than
// show a menu with holes.
func New(s Settings) (*Handler, error) {
	files, err := readFiles(s.Files)
	if err != nil {
		return nil, fmt.Errorf("viewer files: %w", err)
	}
	dashboards, list, err := readDashboards(s.Dashboards)
	if err != nil {
		return nil, fmt.Errorf("dashboards: %w", err)
	}
	config, err := json.Marshal(map[string]string{"traceUrl": s.TraceURL})
	if err != nil {
		return nil, fmt.Errorf("viewer config: %w", err)
	}
	return &Handler{
		files:      files,
		dashboards: dashboards,
		list:       list,
		config:     newDocument(config, ".json"),
	}, nil
}

func readFiles(fsys fs.FS) (map[string]document, error) {
	files := map[string]document{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		files[name] = newDocument(content, path.Ext(name))
		return nil
	})
	if err != nil {
		return nil, err
	}
	// Opened by name, because a viewer that was not built opens its placeholder under this name without listing it.
	index, err := fs.ReadFile(fsys, indexName)
	if err != nil {
		return nil, err
	}
	files[indexName] = newDocument(index, path.Ext(indexName))
	files[""] = files[indexName]
	return files, nil
}

// ServeHTTP answers GET and HEAD.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", contentSecurityPolicy)
	header.Set("Referrer-Policy", "same-origin")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD are served here", http.StatusMethodNotAllowed)
		return
	}
	doc, ok := h.find(strings.TrimPrefix(r.URL.Path, Prefix))
	if !ok {
		http.Error(w, "there is nothing at "+r.URL.Path+"; the dashboards are at "+Prefix, http.StatusNotFound)
		return
	}
	doc.serve(w, r)
}

func (h *Handler) find(name string) (document, bool) {
	switch uid, isDashboard := strings.CutPrefix(name, "api/dashboards/"); {
	case isDashboard:
		doc, ok := h.dashboards[uid]
		return doc, ok
	case name == "api/dashboards":
		return h.list, true
	case name == "api/config":
		return h.config, true
	}
	doc, ok := h.files[name]
	return doc, ok
}
