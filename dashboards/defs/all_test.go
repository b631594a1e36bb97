package defs_test

import (
	"strings"
	"testing"

	"github.com/tailgate-otel/tailgate/dashboards/defs"
	"github.com/tailgate-otel/tailgate/telemetry"
)

func TestUIDsAndTitlesNeverChange(t *testing.T) {
	all, err := defs.All(telemetry.DefaultNaming)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range all {
		got = append(got, d.UID+" "+d.Title)
	}
	want := "tailgate-gateway Gateway / Overview, tailgate-pipeline Collector / Pipeline, tailgate-sampling Tail sampling"
	if strings.Join(got, ", ") != want {
		t.Errorf("got %s, want %s: bookmarks and links hold these", got, want)
	}
}

// TestOtherNamings: names are a function of the naming, so the same dashboards can be written without suffixes. Namings
// that keep dots are refused with a reason.
func TestOtherNamings(t *testing.T) {
	for strategy, want := range map[string]string{
		"UnderscoreEscapingWithoutSuffixes": "", "NoUTF8EscapingWithSuffixes": "keeps dots", "NoTranslation": "keeps dots",
	} {
		n, err := telemetry.NewNaming(strategy)
		if err != nil {
			t.Fatal(err)
		}
		all, err := defs.All(n)
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want an error about %q", strategy, err, want)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", strategy, err)
		}
		for _, d := range all {
			for _, r := range d.Rows {
				for _, p := range r.Panels {
					for _, target := range p.Targets {
						if strings.Contains(target.Expr, "_total{") || strings.Contains(target.Expr, "duration_seconds{") {
							t.Errorf("%s: %s: a suffix in %s", strategy, p.Title, target.Expr)
						}
					}
				}
			}
		}
	}
}

// TestDescriptionsTeach: a description is a sentence, not a repetition of the title.
func TestDescriptionsTeach(t *testing.T) {
	all, err := defs.All(telemetry.DefaultNaming)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		for _, r := range d.Rows {
			for _, p := range r.Panels {
				if len(strings.Fields(p.Description)) < 6 || !strings.HasSuffix(p.Description, ".") {
					t.Errorf("%s: panel %q: description %q is no sentence", d.UID, p.Title, p.Description)
				}
			}
		}
	}
}
