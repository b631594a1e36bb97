// Package tailgate holds tests about the repository as a whole: who may import whom, and that the manifest, go.mod and
// the binary agree.
package tailgate

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/tailgate-otel/tailgate"

// A border says that packages below From may not import what Forbids names, and why.
type border struct {
	from    string
	forbids func(from, imported string) bool
	why     string
}

var borders = []border{
	{"telemetry", ours, "the contract is the root of everything: it imports nothing of ours"},
	{"internal", not("internal", "telemetry"), "what components share stands below them"},
	{"gateway", not("gateway", "telemetry", "internal"), "the gateway is a program of its own that talks OTLP to the collector"},
	{"dashboards", not("dashboards", "telemetry", "internal/yamlkeys", "internal/testkit"), "dashboards know the contract and no program"},
	{"demo", not("demo", "telemetry", "internal"), "the demo is a user of the product"},
	{"receivers", component, "components meet in the pipeline and in internal, not in each other"},
	{"processors", component, "components meet in the pipeline and in internal, not in each other"},
	{"connectors", component, "components meet in the pipeline and in internal, not in each other"},
	{"exporters", component, "components meet in the pipeline and in internal, not in each other"},
	{"extensions", component, "components meet in the pipeline and in internal, not in each other"},
	{"providers", component, "components meet in the pipeline and in internal, not in each other"},
}

// ours forbids every package of the module outside the importing package's own tree.
func ours(from, imported string) bool { return !below(imported, top(from)) }

// not forbids all of ours but the named trees.
func not(allowed ...string) func(string, string) bool {
	return func(_, imported string) bool {
		for _, a := range allowed {
			if below(imported, a) {
				return false
			}
		}
		return true
	}
}

// embedOnly are the packages of dashboards that hold files and no code worth speaking of.
var embedOnly = []string{"dashboards/dist", "dashboards/viewer"}

// component allows the component itself, telemetry, internal, and the embedded dashboards.
func component(from, imported string) bool {
	parts := strings.SplitN(from, "/", 3)
	own := strings.Join(parts[:2], "/")
	return not(append([]string{own, "telemetry", "internal"}, embedOnly...)...)(from, imported)
}

func TestImportBorders(t *testing.T) {
	checked := map[string]int{}
	for _, p := range listPackages(t) {
		from := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, b := range borders {
			if !below(from, b.from) {
				continue
			}
			checked[b.from]++
			for _, imp := range p.Imports {
				imported, isOurs := strings.CutPrefix(imp, module+"/")
				if isOurs && b.forbids(from, imported) {
					t.Errorf("%s imports %s: %s", from, imported, b.why)
				}
			}
		}
		if !mayImportDashboards(from) {
			for _, imp := range p.Imports {
				imported, isOurs := strings.CutPrefix(imp, module+"/")
				if isOurs && below(imported, "dashboards") && !embeds(imported) {
					t.Errorf("%s imports %s: only the embedded files of dashboards may be imported from outside", from, imported)
				}
			}
		}
	}
	for _, tree := range []string{"telemetry", "internal", "gateway", "dashboards", "demo", "extensions", "exporters", "processors", "receivers", "providers"} {
		if checked[tree] == 0 {
			t.Errorf("no package below %s was checked", tree)
		}
	}
}

// The Foundation SDK is pre-1.0 and its classic package deprecated; it must stay replaceable.
func TestOnlyEmittersImportTheDashboardSDK(t *testing.T) {
	for _, p := range listPackages(t) {
		from := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, imp := range p.Imports {
			if strings.HasPrefix(imp, "github.com/grafana/grafana-foundation-sdk") && !below(from, "dashboards/emit") {
				t.Errorf("%s imports %s: only dashboards/emit may", from, imp)
			}
		}
	}
}

func TestBordersFindABreach(t *testing.T) {
	for _, tc := range []struct {
		from, imported string
		forbids        func(string, string) bool
		want           bool
	}{
		{"telemetry/upstream", "telemetry", ours, false},
		{"telemetry", "internal/yamlkeys", ours, true},
		{"exporters/a", "exporters/a/internal/x", component, false},
		{"exporters/a", "extensions/b", component, true},
		{"extensions/b", "dashboards/dist", component, false},
		{"extensions/b", "dashboards/model", component, true},
		{"gateway/proxy", "exporters/a", not("gateway", "telemetry", "internal"), true},
		{"gateway/proxy", "gatewayish", not("gateway", "telemetry", "internal"), true},
	} {
		if got := tc.forbids(tc.from, tc.imported); got != tc.want {
			t.Errorf("%s -> %s: forbidden %v, want %v", tc.from, tc.imported, got, tc.want)
		}
	}
}

func mayImportDashboards(from string) bool { return below(from, "dashboards") }

func embeds(pkg string) bool {
	for _, e := range embedOnly {
		if pkg == e {
			return true
		}
	}
	return false
}

func below(pkg, tree string) bool { return pkg == tree || strings.HasPrefix(pkg, tree+"/") }

func top(pkg string) string {
	first, _, _ := strings.Cut(pkg, "/")
	return first
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
