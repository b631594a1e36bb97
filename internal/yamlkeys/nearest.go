package yamlkeys

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// DidYouMean returns the end of an error about an unknown word: `; did you mean "match"?` when a known one is near,
// else the list of what may stand there.
func DidYouMean(word string, known []string) string {
	if near, ok := Nearest(word, known); ok {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	if len(known) == 0 {
		return "; no keys may stand here"
	}
	known = slices.Sorted(slices.Values(known))
	return "; valid here: " + strings.Join(known, ", ")
}

// Nearest returns the known word that is nearest to word by edit distance, if it is near enough to be a misspelling:
// up to a third of the word's length, and two edits for short words. Ties go to the alphabetically first.
func Nearest(word string, known []string) (string, bool) {
	best, bestDistance := "", max(2, (len(word)+1)/3)+1
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(k)); d < bestDistance && d < len(k) {
			best, bestDistance = k, d
		}
	}
	return best, best != ""
}

func keysOf[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	return out
}
