// Package viewer embeds the page that draws our dashboards. The page reads Grafana's classic dashboard JSON and the
// Prometheus HTTP API, and is served by whoever holds both; this package only hands out its files. It starts nothing and
// keeps no state.
//
// The bundle holds third-party code and is therefore built, not committed (make viewer). A build without it carries a
// page that says so, and nothing else changes.
package viewer

import (
	"embed"
	"io/fs"
	"time"
)

//go:embed all:dist
var embedded embed.FS

const (
	indexName       = "index.html"
	placeholderName = "placeholder.html"
)

// Built tells whether the bundle is in this binary.
func Built() bool {
	_, err := fs.Stat(bundle(), indexName)
	return err == nil
}

// Files holds index.html, app.js, app.css and favicon.svg, to be served under one directory such as /ui/. Without the
// bundle index.html is the page that tells how to build it.
func Files() fs.FS {
	if Built() {
		return bundle()
	}
	return unbuilt{bundle()}
}

func bundle() fs.FS {
	sub, err := fs.Sub(embedded, "dist")
	if err != nil {
		// Sub fails on an invalid path alone, and this one is a constant.
		panic(err)
	}
	return sub
}

// unbuilt shows the placeholder under the name that a file server asks for.
type unbuilt struct{ files fs.FS }

func (u unbuilt) Open(name string) (fs.File, error) {
	if name != indexName {
		return u.files.Open(name)
	}
	file, err := u.files.Open(placeholderName)
	if err != nil {
		return nil, err
	}
	return renamed{file}, nil
}

// renamed is the placeholder's file with the index's name, which decides its content type. Embedded files seek, and file
// servers want that for ranges; the method is passed on.
type renamed struct{ fs.File }

func (r renamed) Stat() (fs.FileInfo, error) {
	info, err := r.File.Stat()
	if err != nil {
		return nil, err
	}
	return renamedInfo{info}, nil
}

func (r renamed) Seek(offset int64, whence int) (int64, error) {
	seeker, ok := r.File.(interface {
		Seek(offset int64, whence int) (int64, error)
	})
	if !ok {
		return 0, fs.ErrInvalid
	}
	return seeker.Seek(offset, whence)
}

type renamedInfo struct{ fs.FileInfo }

func (renamedInfo) Name() string { return indexName }

// ModTime is zero, as for every embedded file; servers then rely on entity tags or send the file again.
func (renamedInfo) ModTime() time.Time { return time.Time{} }
