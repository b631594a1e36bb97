package ruling_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/dialect"
	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/ruling"
)

var quiet = slog.New(slog.DiscardHandler)

// Each bad file says in comments what must be reported about it, in order; nothing else may be.
func TestBadRuleFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/rules/bad_*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			_, err = ruling.Load(ruling.Sources{Files: []string{name}}, quiet)
			require.Error(t, err)
			full, err2 := filepath.Abs(name)
			require.NoError(t, err2)
			var want []string
			for line := range strings.Lines(string(text)) {
				if w, ok := strings.CutPrefix(line, "# want: "); ok {
					want = append(want, strings.TrimSpace(w))
				}
			}
			got := strings.ReplaceAll(err.Error(), full, "")
			assert.Equal(t, strings.Join(want, "\n"), got)
		})
	}
}

func TestGoodRuleFiles(t *testing.T) {
	set, err := ruling.Load(ruling.Sources{Files: []string{"testdata/rules/good_*.yaml", "testdata/rules/good_full.yaml"}}, quiet)
	require.NoError(t, err)
	groups, rules := set.Counts()
	assert.Equal(t, 3, groups)
	assert.Equal(t, 6, rules)
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	for pattern, want := range map[string]string{
		dir + "/none.yaml": "no such file: create it, or take it out of the list",
		dir + "/[":         "syntax error in pattern: write a path with *, ? or [a-z]",
		dir + "/*.yaml":    "",
	} {
		_, err := ruling.Load(ruling.Sources{Files: []string{pattern}}, quiet)
		if want == "" {
			require.NoError(t, err, "a pattern may match nothing")
		} else {
			require.ErrorContains(t, err, "rule_files: ")
			require.ErrorContains(t, err, want)
		}
	}
}

// Everything that is wrong is reported at once, from whatever source.
func TestAllErrorsAtOnce(t *testing.T) {
	bad := func(expr string) string { return "groups: [{name: a, rules: [{record: r, expr: '" + expr + "'}]}]" }
	_, err := ruling.Load(ruling.Sources{
		Files: []string{file(t, "one.yaml", bad("sum(")), "missing.yaml", file(t, "two.yaml", bad("1 +"))},
		Embedded: fstest.MapFS{
			"slo/three.yml": {Data: []byte(bad("rate("))},
			"README.md":     {Data: []byte("no rules")},
		},
	}, quiet)
	require.Error(t, err)
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 4)
	for _, part := range []string{"one.yaml:1:", "two.yaml:1:", "builtin:slo/three.yml:1:", `"missing.yaml": no such file`} {
		assert.Contains(t, err.Error(), part)
	}
}

// The same file under two names is one file.
func TestFilesAreReadOnce(t *testing.T) {
	name := file(t, "a.yaml", recording)
	dir := filepath.Dir(name)
	set, err := ruling.Load(ruling.Sources{Files: []string{name, dir + "/*.yaml", dir + "/./a.yaml"}}, quiet)
	require.NoError(t, err)
	groups, _ := set.Counts()
	assert.Equal(t, 1, groups)
}

var placed = regexp.MustCompile(`^builtin:f\.yaml(:\d+)*: .`)

// upstream says what upstream's parser finds wrong with a rule file. It panics on some that are no YAML.
func upstream(text []byte) (errs []error) {
	defer func() {
		if r := recover(); r != nil {
			errs = []error{fmt.Errorf("panic: %v", r)}
		}
	}()
	_, errs = rulefmt.Parse(text, false, model.UTF8Validation, dialect.Parser(), quiet)
	return errs
}

// Whatever the file holds, there is no panic, each error begins with the file, and what upstream takes is taken.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/rules/*.yaml"} {
		files, err := filepath.Glob(pattern)
		require.NoError(f, err)
		for _, name := range files {
			text, err := os.ReadFile(name)
			require.NoError(f, err)
			f.Add(text)
		}
	}
	f.Add([]byte("groups: [null]"))
	f.Add([]byte("groups: [{name: a, rules: [null, {<<: {alert: x}}]}]"))
	f.Add([]byte("a: &a\n- *a"))
	f.Add([]byte("groups:\n  - &x : 1")) // a key that is null, which upstream passes over
	f.Fuzz(func(t *testing.T, text []byte) {
		_, err := ruling.Load(ruling.Sources{Embedded: fstest.MapFS{"f.yaml": {Data: text}}}, quiet)
		theirs := upstream(text)
		require.Equal(t, len(theirs) == 0, err == nil, "ours: %v\nupstream's: %v", err, theirs)
		if err == nil {
			return
		}
		var joined interface{ Unwrap() []error }
		require.ErrorAs(t, err, &joined)
		for _, one := range joined.Unwrap() {
			assert.Regexp(t, placed, one.Error())
		}
	})
}
