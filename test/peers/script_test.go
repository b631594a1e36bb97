package peers

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// The scripts of upstream's own engine tests, read for their series and their queries. What they expect is not read: here
// the stock server says what is right. Each part of a script that starts with `clear` becomes a chapter with a time of
// its own, so that all of them fit into one database.

// chapter is what a script does between two `clear`s.
type chapter struct {
	file   string
	start  time.Time // where the script's zero lies
	series []scriptSeries
	evals  []scriptEval
}

type scriptSeries struct {
	labels labels.Labels
	step   time.Duration
	values []parser.SequenceValue
}

type scriptEval struct {
	line     int
	query    string
	at       time.Duration // of an instant query
	from, to time.Duration
	step     time.Duration // 0: an instant query
}

// chapterLength keeps chapters apart: the longest look back a few days, and nobody's data may be in their reach.
const chapterLength = 30 * 24 * time.Hour

// scripts reads all scripts of the module that is linked. The one about @ comes first, at 1970, since its queries name
// times as numbers.
func scripts(t *testing.T) []chapter {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/prometheus/prometheus").Output()
	if err != nil {
		t.Fatalf("find the Prometheus module: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "promql", "promqltest", "testdata", "*.test"))
	if err != nil || len(files) < 15 {
		t.Fatalf("find the scripts: %v, %d files", err, len(files))
	}
	slices.SortFunc(files, func(a, b string) int {
		rank := func(f string) int { return cmp.Compare(filepath.Base(f), "at_modifier.test") }
		if rank(a) == 0 || rank(b) == 0 {
			return cmp.Compare(rank(a)*rank(a), rank(b)*rank(b))
		}
		return cmp.Compare(a, b)
	})
	var chapters []chapter
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := parseScript(filepath.Base(file), string(text))
		if err != nil {
			t.Fatal(err)
		}
		chapters = append(chapters, parsed...)
	}
	for i := range chapters {
		chapters[i].start = time.Unix(0, 0).Add(time.Duration(i) * chapterLength)
	}
	return chapters
}

func parseScript(file, text string) ([]chapter, error) {
	chapters := []chapter{{file: file}}
	step, loading := time.Duration(0), false
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		here := &chapters[len(chapters)-1]
		word, rest, _ := strings.Cut(line, " ")
		var err error
		switch {
		case strings.HasPrefix(line, "#"):
		case line == "":
			loading = false
		case word == "clear":
			chapters = append(chapters, chapter{file: file})
		case strings.HasPrefix(word, "load"):
			loading = true
			step, err = offset(rest)
		case strings.HasPrefix(word, "eval"):
			var e scriptEval
			if e, err = parseEval(strings.TrimSpace(rest)); err == nil {
				e.line = i + 1
				here.evals = append(here.evals, e)
			}
		case loading && !strings.Contains(line, "@st"): // start times, which blocks do not hold
			s := scriptSeries{step: step}
			s.labels, s.values, err = parser.NewParser(parser.Options{}).ParseSeriesDesc(line)
			here.series = append(here.series, s)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, i+1, err)
		}
	}
	return chapters, nil
}

// parseEval reads `instant [at T] QUERY` or `range from T to T step D QUERY`.
func parseEval(text string) (scriptEval, error) {
	kind, rest, _ := strings.Cut(text, " ")
	rest = strings.TrimSpace(rest)
	word := func(keyword string, into *time.Duration) error {
		after, ok := strings.CutPrefix(rest, keyword+" ")
		if !ok {
			return nil
		}
		after = strings.TrimSpace(after)
		end := strings.IndexAny(after, " \t")
		if end < 0 {
			return fmt.Errorf("no query after %q", after)
		}
		value, err := offset(after[:end])
		*into, rest = value, strings.TrimSpace(after[end:])
		return err
	}
	var e scriptEval
	fields := []struct {
		keyword string
		into    *time.Duration
	}{{"at", &e.at}}
	if kind == "range" {
		fields = []struct {
			keyword string
			into    *time.Duration
		}{{"from", &e.from}, {"to", &e.to}, {"step", &e.step}}
	}
	for _, f := range fields {
		if err := word(f.keyword, f.into); err != nil {
			return scriptEval{}, err
		}
	}
	e.query = rest
	return e, nil
}

// offset reads a duration or a number of seconds.
func offset(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	negative := strings.HasPrefix(text, "-")
	text = strings.TrimPrefix(text, "-")
	var d time.Duration
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		d = time.Duration(seconds * float64(time.Second))
	} else if v, err := model.ParseDuration(text); err == nil {
		d = time.Duration(v)
	} else {
		return 0, fmt.Errorf("time %q: %w", text, err)
	}
	if negative {
		d = -d
	}
	return d, nil
}
