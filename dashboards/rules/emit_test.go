package rules_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tailgate-otel/tailgate/dashboards/rules"
	"github.com/tailgate-otel/tailgate/telemetry"
)

func emit(t *testing.T, runbooks string) map[string][]byte {
	t.Helper()
	files, err := rules.All(telemetry.DefaultNaming)
	if err != nil {
		t.Fatal(err)
	}
	out, err := rules.Emit(files, runbooks)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEqualInputGivesEqualBytes(t *testing.T) {
	first := emit(t, rules.DefaultRunbooks)
	for range 5 {
		for path, data := range emit(t, rules.DefaultRunbooks) {
			if !bytes.Equal(data, first[path]) {
				t.Fatalf("%s differs from one run to the next", path)
			}
		}
	}
}

func TestRunbooksCanBeLinks(t *testing.T) {
	data := emit(t, "https://docs.example/runbooks/")["rules/store.yaml"]
	if want := "runbook_url: https://docs.example/runbooks/TailgateTargetDown.md\n"; !strings.Contains(string(data), want) {
		t.Errorf("no %q", want)
	}
}

func TestNamingsThatKeepDotsAreRefused(t *testing.T) {
	n, err := telemetry.NewNaming("NoTranslation")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rules.All(n); err == nil || !strings.Contains(err.Error(), "keeps dots") {
		t.Errorf("got %v", err)
	}
}

// Without suffixes the same rules are written with other names.
func TestNamingWithoutSuffixes(t *testing.T) {
	n, err := telemetry.NewNaming("UnderscoreEscapingWithoutSuffixes")
	if err != nil {
		t.Fatal(err)
	}
	files, err := rules.All(n)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := rules.Emit(files, "")
	if err != nil {
		t.Fatal(err)
	}
	if text := string(texts["rules/sampling.yaml"]); strings.Contains(text, "_total") || !strings.Contains(text, "otelcol_processor_tail_sampling_spans_refused[5m]") {
		t.Errorf("suffixes are left in\n%s", text)
	}
}

// TestEveryAlertHasARunbook, every runbook an alert, and each page the four parts that a reader expects.
func TestEveryAlertHasARunbook(t *testing.T) {
	const dir = "../../docs/runbooks"
	pages, err := filepath.Glob(filepath.Join(dir, "Tailgate*.md"))
	if err != nil {
		t.Fatal(err)
	}
	alerts := alertNames(t, "")
	for _, page := range pages {
		if name := strings.TrimSuffix(filepath.Base(page), ".md"); !slices.Contains(alerts, name) {
			t.Errorf("%s is of no alert", page)
		}
	}
	index, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range alerts {
		if !strings.Contains(string(index), "("+name+".md)") {
			t.Errorf("docs/runbooks/README.md does not list %s", name)
		}
		data, err := os.ReadFile(filepath.Join(dir, name+".md"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text, last := string(data), -1
		for _, part := range []string{"# " + name + "\n", "\n## Meaning\n", "\n## Impact\n", "\n## Diagnosis\n", "\n## Mitigation\n"} {
			at := strings.Index(text, part)
			if at <= last && at != 0 || at < 0 {
				t.Errorf("%s.md: no %q where it belongs", name, strings.TrimSpace(part))
			}
			last = at
		}
	}
}
