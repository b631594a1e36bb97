// Package dist embeds the generated dashboards and rules, and does nothing else, so that a program can carry them without
// any of the code that makes them. The files are written by `dashctl gen`; edit dashboards/defs and dashboards/rules, not
// them. What is for Kubernetes alone, prometheusrule/, is not embedded.
package dist

import (
	"embed"
	"io/fs"
)

//go:embed classic/*.json v2/*.json rules/*.yaml
var files embed.FS

// Classic returns the dashboards in Grafana's classic schema, one <uid>.json each.
func Classic() fs.FS { return sub("classic") }

// V2 returns the dashboards as dashboard.grafana.app/v2 resources, one <uid>.json each.
func V2() fs.FS { return sub("v2") }

// Rules returns the alerts and recording rules as Prometheus rule files, *.yaml.
func Rules() fs.FS { return sub("rules") }

func sub(dir string) fs.FS {
	f, err := fs.Sub(files, dir)
	if err != nil {
		panic("dist: " + err.Error()) // only an invalid name is refused, and these are literals
	}
	return f
}
