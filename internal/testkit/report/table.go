package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Table is a Markdown table.
type Table struct {
	Header []string
	Rows   [][]string
}

// String writes the table; the columns of the source line up, so that a diff of two runs can be read.
func (t Table) String() string {
	widths := make([]int, len(t.Header))
	for _, row := range append([][]string{t.Header}, t.Rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var sb strings.Builder
	line := func(cells []string, pad string) {
		for i, w := range widths {
			cell := ""
			if i < len(cells) {
				cell = cells[i]
			}
			sb.WriteString("| " + cell + strings.Repeat(pad, w-len([]rune(cell))) + " ")
		}
		sb.WriteString("|\n")
	}
	line(t.Header, " ")
	line(make([]string, len(t.Header)), "-")
	for _, row := range t.Rows {
		line(row, " ")
	}
	return sb.String()
}

// Median of the values: the middle one, or the mean of the two in the middle. ok is false when there are none.
func Median(values []float64) (median float64, ok bool) {
	n := len(values)
	if n == 0 {
		return 0, false
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(n-1)/2] + sorted[n/2]) / 2, true
}

// Number writes three significant digits, and thousands apart.
func Number(v float64) string {
	switch {
	case v >= 1000:
		s := strconv.FormatFloat(v, 'f', 0, 64)
		for i := len(s) - 3; i > 0; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
		return s
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v >= 0.1 || v == 0:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// Percent writes a share.
func Percent(v float64) string { return Number(100*v) + " %" }

// MiB writes bytes in mebibytes.
func MiB(v float64) string { return Number(v/(1<<20)) + " MiB" }

// Unit returns a formatter of numbers with a unit behind.
func Unit(unit string) func(float64) string {
	return func(v float64) string { return fmt.Sprintf("%s %s", Number(v), unit) }
}
