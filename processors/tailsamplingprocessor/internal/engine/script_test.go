package engine

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the answers into the scripts under testdata")

// A step of a script is a command line, input lines, `----`, and the expected answer up to an empty line. Lines before
// the command that start with # belong to the step.
type step struct {
	comments, command, input, want string
	line                           int
}

// runScripts runs each file that matches pattern. start returns what answers the steps of one file.
func runScripts(t *testing.T, pattern string, start func(t *testing.T) func(s step) string) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts match %s (%v)", pattern, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			answer := start(t)
			var out strings.Builder
			for _, s := range parseScript(t, file, string(data)) {
				got := strings.TrimSpace(answer(s))
				if got != s.want && !*rewrite {
					t.Errorf("%s:%d: %s\n%s\n  got:\n%s\n  want:\n%s", file, s.line, s.command, s.input, got, s.want)
				}
				out.WriteString(s.comments + s.command + "\n" + s.input + "----\n" + got + "\n\n")
			}
			if *rewrite {
				if err := os.WriteFile(file, []byte(strings.TrimSuffix(out.String(), "\n")), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func parseScript(t *testing.T, file, text string) []step {
	var steps []step
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); {
		var s step
		for ; i < len(lines) && (lines[i] == "" || strings.HasPrefix(lines[i], "#")); i++ {
			if lines[i] != "" {
				s.comments += lines[i] + "\n"
			}
		}
		if i == len(lines) {
			break
		}
		s.command, s.line = lines[i], i+1
		for i++; i < len(lines) && lines[i] != "----"; i++ {
			s.input += lines[i] + "\n"
		}
		if i == len(lines) {
			t.Fatalf("%s:%d: no ---- follows", file, s.line)
		}
		start := i + 1
		for i++; i < len(lines) && lines[i] != ""; i++ {
		}
		s.want = strings.Join(lines[start:i], "\n")
		steps = append(steps, s)
	}
	return steps
}
