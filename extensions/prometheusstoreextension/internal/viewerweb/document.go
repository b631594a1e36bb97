package viewerweb

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"
)

// contentTypes is a closed list instead of package mime, whose answers depend on files of the machine.
var contentTypes = map[string]string{
	".css":   "text/css; charset=utf-8",
	".html":  "text/html; charset=utf-8",
	".ico":   "image/x-icon",
	".js":    "text/javascript; charset=utf-8",
	".json":  "application/json",
	".map":   "application/json",
	".png":   "image/png",
	".svg":   "image/svg+xml",
	".txt":   "text/plain; charset=utf-8",
	".woff2": "font/woff2",
}

// document is one answer, held in memory.
type document struct {
	content     []byte
	contentType string
	etag        string
}

func newDocument(content []byte, extension string) document {
	contentType, ok := contentTypes[extension]
	if !ok {
		contentType = "application/octet-stream"
	}
	sum := sha256.Sum256(content)
	return document{
		content:     content,
		contentType: contentType,
		etag:        `"` + hex.EncodeToString(sum[:12]) + `"`,
	}
}

// serve answers with the content, or with 304 when the browser has it. File names carry no hash, so the browser has to
// ask each time (no-cache); a new build is then seen at the first reload.
func (d document) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", d.contentType)
	header.Set("Cache-Control", "no-cache")
	header.Set("ETag", d.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(d.content))
}
