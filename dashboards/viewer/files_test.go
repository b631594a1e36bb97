package viewer

import (
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

// A fresh clone has no bundle; whoever opens the page then must learn how to get it.
func TestAnUnbuiltViewerSaysHowToBuildIt(t *testing.T) {
	files := unbuilt{fstest.MapFS{placeholderName: &fstest.MapFile{Data: read(t, bundle(), placeholderName)}}}
	server := httptest.NewServer(http.FileServerFS(files))
	defer server.Close()
	answer, err := http.Get(server.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }() // the body was read to its end; nothing is lost
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK || !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") {
		t.Errorf("answered %s with %s", answer.Status, answer.Header.Get("Content-Type"))
	}
	if !strings.Contains(string(body), "make viewer") {
		t.Errorf("the page does not name the command: %s", body)
	}
	if content := read(t, files, indexName); string(content) != string(body) {
		t.Error("fs.ReadFile and the file server differ")
	}
	if _, err := fs.Stat(files, "app.js"); err == nil {
		t.Error("there is an app.js without a bundle")
	}
}

func TestTheBundleIsWhole(t *testing.T) {
	if !Built() {
		t.Fatal("the bundle is missing: run make viewer (npm ci && npm run build in dashboards/viewer)")
	}
	for _, name := range []string{indexName, "app.js", "app.css", "favicon.svg", "third-party.txt"} {
		if len(read(t, Files(), name)) == 0 {
			t.Errorf("%s is empty", name)
		}
	}
	index := string(read(t, Files(), indexName))
	for _, forbidden := range []string{"<script>", "onload=", "http://", "https://"} {
		if strings.Contains(index, forbidden) {
			t.Errorf("index.html holds %q, which the content security policy refuses", forbidden)
		}
	}
}

func read(t *testing.T, files fs.FS, name string) []byte {
	t.Helper()
	content, err := fs.ReadFile(files, name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
