// Package script runs tests that stand in files a person can read: commands, their input, and the expected answers.
//
//	# a comment
//	command with arguments
//	input
//	----
//	answer
//
// An empty line ends an answer. With the test flag -rewrite the answers are written into the files instead of compared;
// the difference is for a reviewer.
package script

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the answers into the scripts under testdata")

// Step is a command with its input.
type Step struct {
	Command string // the whole line
	Input   string
	Line    int // of the command

	comments, want string
}

// Run runs each file that matches pattern. start returns what answers the steps of one file.
func Run(t *testing.T, pattern string, start func(t *testing.T) func(Step) string) {
	t.Helper()
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
			for _, s := range parse(t, file, string(data)) {
				got := strings.ReplaceAll(strings.TrimSpace(answer(s)), "\n\n", "\n") // an empty line ends the answer
				if got != s.want && !*rewrite {
					t.Errorf("%s:%d: %s\n%s\n  got:\n%s\n  want:\n%s", file, s.Line, s.Command, s.Input, got, s.want)
				}
				out.WriteString(s.comments + s.Command + "\n" + s.Input + "----\n" + got + "\n\n")
			}
			if *rewrite {
				if err := os.WriteFile(file, []byte(strings.TrimSuffix(out.String(), "\n")), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func parse(t *testing.T, file, text string) []Step {
	t.Helper()
	var steps []Step
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); {
		var s Step
		for ; i < len(lines) && (lines[i] == "" || strings.HasPrefix(lines[i], "#")); i++ {
			if lines[i] != "" {
				s.comments += lines[i] + "\n"
			}
		}
		if i == len(lines) {
			break
		}
		s.Command, s.Line = lines[i], i+1
		for i++; i < len(lines) && lines[i] != "----"; i++ {
			s.Input += lines[i] + "\n"
		}
		if i == len(lines) {
			t.Fatalf("%s:%d: no ---- follows", file, s.Line)
		}
		start := i + 1
		for i++; i < len(lines) && lines[i] != ""; i++ {
		}
		s.want = strings.Join(lines[start:i], "\n")
		steps = append(steps, s)
	}
	return steps
}
