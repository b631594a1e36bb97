package e2e

import (
	"debug/buildinfo"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var programs = []string{"tailgate", "gateway", "demo", "stack", "dashctl"}

// TestBinariesAreStatic holds that each runs in an empty image: no interpreter, no shared library.
func TestBinariesAreStatic(t *testing.T) {
	for _, name := range programs {
		f, err := elf.Open(binary(name))
		if err != nil {
			t.Fatalf("%v (run `make build`)", err)
		}
		for _, p := range f.Progs {
			if p.Type == elf.PT_INTERP {
				t.Errorf("%s is linked dynamically", name)
			}
		}
		f.Close()
	}
}

// TestBinaryHasTheManifestsVersions compares builder-config.yaml with what was linked into the collector: the generated
// `components` command prints the former.
func TestBinaryHasTheManifestsVersions(t *testing.T) {
	info, err := buildinfo.ReadFile(binary("tailgate"))
	if err != nil {
		t.Fatal(err)
	}
	linked := map[string]string{}
	for _, d := range info.Deps {
		linked[d.Path] = d.Version
	}
	data, err := os.ReadFile(filepath.Join(repo, "builder-config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest map[string]any
	if err := yaml.Unmarshal(data, &manifest); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, section := range []string{"receivers", "processors", "exporters", "connectors", "extensions", "providers"} {
		for _, c := range manifest[section].([]any) {
			path, version, _ := strings.Cut(c.(map[string]any)["gomod"].(string), " ")
			if path == info.Main.Path {
				continue
			}
			compared++
			if linked[path] != version {
				t.Errorf("%s: the manifest has %s, the binary %s", path, version, linked[path])
			}
		}
	}
	if compared < 40 {
		t.Errorf("only %d modules compared", compared)
	}
}

// TestValidate catches a wrong key before start, in both programs, with file, line, path and nearest key.
func TestValidate(t *testing.T) {
	collector := edit(t, "quickstart.yaml", "decision_wait:", "decision_wate:")
	gateway := edit(t, "gateway.yaml", "upstream_connect:", "upstream_conect:")
	for _, tc := range []struct {
		program string
		args    []string
		want    []string
	}{
		{"tailgate", []string{"validate", "--config", collector},
			[]string{collector + ":", `processors::tail_sampling::decision_wate: unknown key; did you mean "decision_wait"?`}},
		{"gateway", []string{"validate", "--config", gateway},
			[]string{gateway + ":", `timeouts.upstream_conect: unknown key; did you mean "upstream_connect"?`}},
	} {
		out, err := exec.CommandContext(t.Context(), binary(tc.program), tc.args...).CombinedOutput()
		if err == nil {
			t.Errorf("%s accepted a wrong key", tc.program)
		}
		for _, want := range tc.want {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s: %q is not in:\n%s", tc.program, want, out)
			}
		}
	}
	for program, config := range map[string]string{"tailgate": "quickstart.yaml", "gateway": "gateway.yaml"} {
		out, err := exec.CommandContext(t.Context(), binary(program), "validate", "--config", filepath.Join(repo, "config", config)).CombinedOutput()
		if err != nil {
			t.Errorf("%s refuses config/%s: %v\n%s", program, config, err, out)
		}
	}
}

// edit writes a copy of a shipped configuration with one text replaced and returns its path.
func edit(t *testing.T, config, from, to string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repo, "config", config))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(data), from, to, 1)
	if text == string(data) {
		t.Fatalf("config/%s has no %q", config, from)
	}
	path := filepath.Join(t.TempDir(), config)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
