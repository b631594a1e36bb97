package prometheusstoreextension

import (
	"io/fs"
	"testing/fstest"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/viewerweb"
)

func newViewer(cfg ViewerConfig) (*viewerweb.Handler, error) {
	var files fs.FS = fstest.MapFS{"index.html": {Data: []byte("x")}}
	return viewerweb.New(viewerweb.Settings{Files: files, Dashboards: fstest.MapFS{}, TraceURL: cfg.TraceURL})
}
