package dist_test

import (
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/tailgate-otel/tailgate/dashboards/dist"
)

// TestFilesAreNamedByUID holds what the collector relies on: one <uid>.json per dashboard, the same in both schemas.
func TestFilesAreNamedByUID(t *testing.T) {
	names := func(fsys fs.FS) []string {
		found, err := fs.Glob(fsys, "*")
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	classic, v2 := names(dist.Classic()), names(dist.V2())
	if len(classic) < 3 || !slices.Equal(classic, v2) {
		t.Fatalf("classic %v, v2 %v", classic, v2)
	}
	for _, name := range classic {
		var old struct {
			UID   string `json:"uid"`
			Title string `json:"title"`
		}
		var current struct {
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
			Spec struct {
				Title string `json:"title"`
			} `json:"spec"`
		}
		read(t, dist.Classic(), name, &old)
		read(t, dist.V2(), name, &current)
		if old.UID+".json" != name || current.Metadata.Name != old.UID || old.Title == "" || current.Spec.Title != old.Title {
			t.Errorf("%s: classic %+v, v2 %+v", name, old, current)
		}
	}
}

func read(t *testing.T, fsys fs.FS, name string, into any) {
	t.Helper()
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// TestRulesLieAtTheRoot holds what the store relies on: rule files, *.yaml, at the root.
func TestRulesLieAtTheRoot(t *testing.T) {
	files, err := fs.Glob(dist.Rules(), "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"gateway.yaml", "objectives.yaml", "pipeline.yaml", "sampling.yaml", "store.yaml"} {
		if !slices.Contains(files, want) {
			t.Errorf("no %s among %v", want, files)
		}
	}
	for _, name := range files {
		data, err := fs.ReadFile(dist.Rules(), name)
		if err != nil || !strings.Contains(string(data), "\ngroups:\n") {
			t.Errorf("%s is no rule file: %v", name, err)
		}
	}
}
