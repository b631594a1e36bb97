package peers

import (
	"regexp"
	"slices"
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
	// sometimes says that it depends on the clock whether a test meets it.
	sometimes bool
}

// onPurpose is the whole list.
var onPurpose = []difference{
	{
		where: "samples", match: `^only ours: .* (stale|(int|float) .*sum=stale .*)$`, sometimes: true,
		why: "series whose sender has stopped, and a target_info whose attributes have changed, end at once and not after 5 min",
	},
	{
		where: "directory", match: `^only stock: .* (stale|(int|float) .*sum=stale .*)$`, sometimes: true,
		why: "such ends, written between the reading of ours and its own end",
	},
	{
		where: "/api/v1/metadata", match: `^GET (|limit=1&metric=target_info): body$`,
		why: "type, help and unit of pushed metrics: a stock server knows those of scraped targets only and answers {}",
	},
	{
		where: "/api/v1/targets/metadata", match: `^GET : body$`,
		why: "the same, as metadata of a target of its own",
	},
	{
		where: "/api/v1/status/flags", match: `: body$`,
		why: "the keys of ours that a flag of Prometheus means; flags for what it does not have would be made up",
	},
	{
		where: "/api/v1/features", match: `: body$`,
		why: "the abilities of ours: delta sums are converted; no discovery in clouds, no web pages of Prometheus",
	},
	{
		where: "/api/v1/otlp/v1/metrics", match: `^POST : status$`,
		why: "415 for a type that is not OTLP's, where the stock server says 400",
	},
	{
		where: "/-/reload", match: `: status$`,
		why: "404 instead of 403 or 405: the collector is reloaded, not a part of it",
	},
	{
		where: "/-/quit", match: `: status$`,
		why: "404 instead of 403 or 405: the collector is stopped, not a part of it",
	},
	{
		where: "/version", match: `: status$`,
		why: "404: not one of the API's routes; /api/v1/status/buildinfo says the same",
	},
	{
		where: "/debug/pprof/cmdline", match: `: status$`,
		why: "404: profiles are the pprof extension's, on a listener of its own",
	},
}

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
		if slices.Contains(where, entry.where) {
			d.entries = append(d.entries, entry)
			d.regexps = append(d.regexps, regexp.MustCompile(entry.match))
		}
	}
	d.met = make([]bool, len(d.entries))
	t.Cleanup(func() {
		for i, met := range d.met {
			if !met && !d.entries[i].sometimes && !t.Failed() {
				t.Errorf("nothing differs in %s by %q any more: take the entry out", d.entries[i].where, d.entries[i].match)
			}
		}
	})
	return d
}

// cover reports whether a finding is on the list. A nil list is empty.
func (d *differences) cover(where, finding string) bool {
	if d == nil {
		return false
	}
	covered := false
	for i, entry := range d.entries {
		if entry.where == where && d.regexps[i].MatchString(finding) {
			d.met[i], covered = true, true
		}
	}
	return covered
}
