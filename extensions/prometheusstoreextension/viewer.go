package prometheusstoreextension

import (
	"io/fs"

	"github.com/tailgate-otel/tailgate/dashboards/dist"
	"github.com/tailgate-otel/tailgate/dashboards/viewer"
	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/viewerweb"
)

// newViewer is the only place that knows where page and dashboards come from: the two embed-only packages that a
// component may import.
func newViewer(cfg ViewerConfig) (*viewerweb.Handler, error) {
	return viewerweb.New(viewerweb.Settings{
		Files:      viewer.Files(),
		Dashboards: dist.Classic(),
		TraceURL:   cfg.TraceURL,
	})
}

// builtinRules are the generated alerting and recording rules.
func builtinRules() fs.FS { return dist.Rules() }
