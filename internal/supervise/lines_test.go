package supervise

import (
	"slices"
	"strings"
	"testing"
)

func TestLineWriter(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	for _, tc := range []struct {
		name   string
		writes []string
		want   []string
	}{
		{"one line in pieces", []string{"he", "ll", "o\n"}, []string{"hello"}},
		{"several lines at once", []string{"a\nb\n\nc"}, []string{"a", "b", "", "c"}},
		{"carriage return", []string{"a\r\n"}, []string{"a"}},
		{"cut at the limit", []string{long + "y\n"}, []string{long, "y"}},
		{"exactly the limit", []string{long, "\nz\n"}, []string{long, "", "z"}},
		{"not UTF-8", []string{"a\xff\n"}, []string{"a?"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			w := newLineWriter(func(line string) { got = append(got, line) })
			for _, s := range tc.writes {
				if n, err := w.Write([]byte(s)); n != len(s) || err != nil {
					t.Fatalf("write: %d, %v", n, err)
				}
			}
			w.flush()
			if !slices.Equal(got, tc.want) {
				t.Errorf("lines %q, want %q", got, tc.want)
			}
		})
	}
}

func TestLineWriterRemembersTheLastLines(t *testing.T) {
	w := newLineWriter(func(string) {})
	for i := range 3 * tailLines {
		_, _ = w.Write([]byte(strings.Repeat("i", i) + "\n"))
	}
	last := w.tail()
	if len(last) != tailLines || len(last[tailLines-1]) != 3*tailLines-1 {
		t.Errorf("remembers %d lines, the last of length %d", len(last), len(last[len(last)-1]))
	}
}

func TestPrefixColours(t *testing.T) {
	var out strings.Builder
	p := &prefixer{w: &out, color: true, hues: make(map[string]string)}
	p.enrol("a")
	p.enrol("b")
	p.line("b", "text")
	if want := "\x1b[33mb |\x1b[0m text\n"; out.String() != want {
		t.Errorf("line %q, want %q", out.String(), want)
	}
}

func TestLastWords(t *testing.T) {
	for _, tc := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"nothing", []string{"", " "}, " and wrote nothing"},
		{"the last three", []string{"a", "b", "", "c", " d"}, "; its last words: b | c | d"},
		{"what speaks of an error", []string{"a", "Error: no such file", "b", "c"}, "; its last words: Error: no such file"},
		{"cut", []string{strings.Repeat("ä", maxWords+1)}, "; its last words: " + strings.Repeat("ä", maxWords) + "…"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := lastWords(tc.lines); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}
