package tailgate

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// An unpinned tidy lifts these without a word, and then the components of the release no longer compile or, worse, do.
var pinned = map[string]string{
	"go.opentelemetry.io/collector/pdata":          "v1.67.0",
	"go.opentelemetry.io/collector/component":      "v1.67.0",
	"go.opentelemetry.io/collector/otelcol":        "v0.161.0",
	"github.com/prometheus/prometheus":             "v0.314.0",
	"github.com/prometheus/otlptranslator":         "v1.0.0",
	"github.com/grafana/grafana-foundation-sdk/go": "v0.0.18",
}

// modFile is what `go mod edit -json` prints.
type modFile struct {
	Require []struct{ Path, Version string }
	Replace []struct {
		Old, New struct{ Path, Version string }
	}
}

// manifest is the part of builder-config.yaml that names modules.
type manifest struct {
	Dist struct {
		BuildTags string `yaml:"build_tags"`
	} `yaml:"dist"`
	Extensions, Receivers, Processors, Exporters, Connectors, Providers []struct {
		GoMod  string `yaml:"gomod"`
		Import string `yaml:"import"`
	}
	Replaces []string `yaml:"replaces"`
}

func TestPinnedVersions(t *testing.T) {
	versions, _ := readGoMod(t)
	for path, want := range pinned {
		if versions[path] != want {
			t.Errorf("go.mod has %s %s, want %s", path, versions[path], want)
		}
	}
}

// TestManifestEqualsGoMod compares builder-config.yaml with go.mod: the builder would use the one, `go build` uses the
// other, and both must give the same program.
func TestManifestEqualsGoMod(t *testing.T) {
	versions, replaces := readGoMod(t)
	m := readManifest(t)
	components := 0
	for _, group := range [][]struct {
		GoMod  string `yaml:"gomod"`
		Import string `yaml:"import"`
	}{m.Extensions, m.Receivers, m.Processors, m.Exporters, m.Connectors, m.Providers} {
		for _, c := range group {
			path, version, _ := strings.Cut(c.GoMod, " ")
			components++
			if path == module {
				if _, err := os.Stat(strings.TrimPrefix(c.Import, module+"/")); err != nil {
					t.Errorf("builder-config.yaml: import %s: %v", c.Import, err)
				}
				continue
			}
			if versions[path] != version {
				t.Errorf("%s: builder-config.yaml has %s, go.mod has %s", path, version, versions[path])
			}
		}
	}
	if components < 40 {
		t.Errorf("builder-config.yaml lists only %d components", components)
	}
	if len(m.Replaces) != len(replaces) {
		t.Errorf("builder-config.yaml has %d replaces, go.mod %d", len(m.Replaces), len(replaces))
	}
	for _, r := range m.Replaces {
		from, to, _ := strings.Cut(r, " => ")
		if replaces[from] != to {
			t.Errorf("replace %s: builder-config.yaml has %q, go.mod has %q", from, to, replaces[from])
		}
	}
}

// TestOneTagSet holds the build tags of Makefile, manifest and linter together: another set is another build cache.
func TestOneTagSet(t *testing.T) {
	want := readManifest(t).Dist.BuildTags
	for file, text := range map[string]string{
		"Makefile":       "TAGS     := " + want,
		".golangci.yaml": "build-tags: [" + strings.ReplaceAll(want, ",", ", ") + "]",
	} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(data), text) {
			t.Errorf("%s does not have the tags of builder-config.yaml: %s", file, want)
		}
	}
}

func readGoMod(t *testing.T) (versions, replaces map[string]string) {
	t.Helper()
	out, err := exec.Command("go", "mod", "edit", "-json").Output()
	if err != nil {
		t.Fatalf("read go.mod: %v", err)
	}
	var f modFile
	if err := json.Unmarshal(out, &f); err != nil {
		t.Fatal(err)
	}
	versions, replaces = map[string]string{}, map[string]string{}
	for _, r := range f.Require {
		versions[r.Path] = r.Version
	}
	for _, r := range f.Replace {
		replaces[r.Old.Path] = r.New.Path + " " + r.New.Version
	}
	return versions, replaces
}

func readManifest(t *testing.T) manifest {
	t.Helper()
	data, err := os.ReadFile("builder-config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	if err := yaml.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}
