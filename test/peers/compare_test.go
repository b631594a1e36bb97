package peers

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tailgate-otel/tailgate/internal/testkit/promserver"
)

// compareDumps demands the same samples of the same series, but for what is known to differ in that place. It shows the
// first few differences: one mistake makes hundreds.
func compareDumps(t *testing.T, where string, ours, stock promserver.Dump, known *differences) {
	t.Helper()
	const shown = 12
	var found []string
	for _, series := range slices.Sorted(maps.Keys(union(ours, stock))) {
		for _, line := range missing(stock[series], ours[series]) {
			if !known.cover(where, "only stock: "+series+" "+line) {
				found = append(found, fmt.Sprintf("only stock has %s at %s", series, line))
			}
		}
		for _, line := range missing(ours[series], stock[series]) {
			if !known.cover(where, "only ours: "+series+" "+line) {
				found = append(found, fmt.Sprintf("only ours has %s at %s", series, line))
			}
		}
	}
	for _, f := range found[:min(shown, len(found))] {
		t.Error(f)
	}
	if len(found) > shown {
		t.Errorf("and %d more", len(found)-shown)
	}
}

func union(a, b promserver.Dump) promserver.Dump {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// missing lists what is in want and not in have.
func missing(want, have []string) []string {
	seen := make(map[string]bool, len(have))
	for _, line := range have {
		seen[line] = true
	}
	var out []string
	for _, line := range want {
		if !seen[line] {
			out = append(out, line)
		}
	}
	return out
}

// sumSamples adds up the samples of a metric in the text format whose lines contain all of the texts.
func sumSamples(t testing.TB, text []byte, name string, texts ...string) float64 {
	t.Helper()
	sum := 0.0
next:
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || (rest[0] != '{' && rest[0] != ' ') {
			continue
		}
		for _, want := range texts {
			if !strings.Contains(line, want) {
				continue next
			}
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(strings.TrimSpace(line), ' '):]), 64)
		if err != nil {
			t.Fatalf("sample %q: %v", line, err)
		}
		sum += value
	}
	return sum
}
