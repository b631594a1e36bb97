package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestUpdateOwnsItsSectionOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.md")
	update := func(section, body string) {
		t.Helper()
		if err := Update(path, section, "# Benchmarks\n\nHow to read.\n", body); err != nil {
			t.Fatal(err)
		}
	}
	update("a", "first of a\n")
	update("b", "first of b")
	appendTo(t, path, "\nby hand\n")
	update("a", "second of a")
	want := `# Benchmarks

How to read.

<!-- a:begin, written by the benchmark: do not edit -->
second of a
<!-- a:end -->

<!-- b:begin, written by the benchmark: do not edit -->
first of b
<!-- b:end -->

by hand
`
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestUpdateLeavesADamagedFileAlone(t *testing.T) {
	for _, text := range []string{
		"<!-- a:end -->\n",
		"<!-- a:begin, written by the benchmark: do not edit -->\nno end\n",
	} {
		path := filepath.Join(t.TempDir(), "b.md")
		appendTo(t, path, text)
		err := Update(path, "a", "", "body")
		if err == nil || !strings.Contains(err.Error(), "put the marker back") {
			t.Errorf("%q: %v", text, err)
		}
		if got, _ := os.ReadFile(path); string(got) != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestTableLinesUp(t *testing.T) {
	got := Table{Header: []string{"figure", "µs"}, Rows: [][]string{{"a", "12.5"}, {"longer name"}}}.String()
	want := `| figure      | µs   |
| ----------- | ---- |
| a           | 12.5 |
| longer name |      |
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestMedian(t *testing.T) {
	for _, tc := range []struct {
		values []float64
		want   float64
		ok     bool
	}{
		{nil, 0, false},
		{[]float64{3}, 3, true},
		{[]float64{9, 1, 2}, 2, true},
		{[]float64{4, 1, 3, 2}, 2.5, true},
	} {
		if got, ok := Median(tc.values); got != tc.want || ok != tc.ok {
			t.Errorf("median of %v: %v %v, want %v %v", tc.values, got, ok, tc.want, tc.ok)
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.00", 0.0123: "0.012", 0.456: "0.46", 1.234: "1.23", 12.34: "12.3", 123.4: "123",
		1234.5: "1,234", 999999: "999,999", 1234567: "1,234,567",
	} {
		if got := Number(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}

func TestMachineIsKnown(t *testing.T) {
	if m := Machine(); strings.Contains(m, "unknown") || !strings.Contains(m, "go1.") {
		t.Errorf("machine: %s", m)
	}
	if l := Load(); l == "unknown" || l == "" {
		t.Errorf("load: %q", l)
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}
