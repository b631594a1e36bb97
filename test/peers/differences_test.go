package peers

import (
	"regexp"
	"testing"
)

// A difference is one thing that ours does otherwise than a stock server on purpose.
type difference struct {
	// where names what is compared: samples, exemplars, or the path of the API.
	where string
	// match is a regular expression for what a comparison found.
	match string
	// why is what a user gains, or what must be so.
	why string
}

// onPurpose is the whole list.
var onPurpose = []difference{}

// differences is the list with what of it one test has met.
type differences struct {
	entries []difference
	regexps []*regexp.Regexp
	met     []bool
}

// known returns the entries for the places, and demands at the end of the test that each was needed.
func known(t *testing.T, where ...string) *differences {
	t.Helper()
	d := &differences{}
	for _, entry := range onPurpose {
		for _, w := range where {
			if entry.where == w {
				d.entries = append(d.entries, entry)
				d.regexps = append(d.regexps, regexp.MustCompile(entry.match))
			}
		}
	}
	d.met = make([]bool, len(d.entries))
	t.Cleanup(func() {
		for i, met := range d.met {
			if !met && !t.Failed() {
				t.Errorf("nothing differs in %s by %q any more: take the entry out", d.entries[i].where, d.entries[i].match)
			}
		}
	})
	return d
}

// cover reports whether a finding is on the list.
func (d *differences) cover(where, finding string) bool {
	covered := false
	for i, entry := range d.entries {
		if entry.where == where && d.regexps[i].MatchString(finding) {
			d.met[i], covered = true, true
		}
	}
	return covered
}
