package policy

import (
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func TestWanted(t *testing.T) {
	const (
		errors  = `{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}`
		all     = `{name: all, type: always_sample}`
		share   = `{name: share, type: probabilistic, probabilistic: {sampling_percentage: 99.9999}}`
		few     = `{name: few, type: span_count, span_count: {max_spans: 3}}`
		many    = `{name: many, type: span_count, span_count: {min_spans: 2}}`
		limit   = `{name: limit, type: rate_limiting, rate_limiting: {spans_per_second: 1000}}`
		noise   = `{name: noise, type: drop, drop: {drop_sub_policy: [{type: string_attribute, string_attribute: {key: noise, values: ["yes"]}}]}}`
		quiet   = `{name: quiet, type: string_attribute, string_attribute: {key: noise, values: ["yes"], invert_match: true}}`
		badOnly = `when: [{type: status_code, status_code: {status_codes: [ERROR]}}]`
		isNoise = `when: [{type: string_attribute, string_attribute: {key: noise, values: ["yes"]}}]`
	)
	// The traces: nothing special; an error; an error in what is noise.
	for _, c := range []struct {
		name, config         string
		plain, bad, badNoise bool
	}{
		{"none", `policies: [` + limit + `]`, false, false, false},
		{"errors", `policies: [` + errors + `]`, false, true, true},
		{"errors and a rest that is kept", `policies: [` + errors + `, ` + all + `]`, false, true, true},
		{"the rest before them", `policies: [` + all + `, ` + errors + `]`, false, true, true},
		{"a share", `policies: [` + share + `, ` + limit + `]`, false, false, false},
		{"what spans to come may change", `policies: [` + few + `, ` + quiet + `]`, false, false, false},
		{"what they cannot", `policies: [` + many + `]`, true, true, true},
		{"a drop policy", `policies: [` + errors + `, ` + noise + `]`, false, true, false},
		{"dry run", `policies: [{name: errors, type: status_code, dry_run: true, status_code: {status_codes: [ERROR]}}, ` + all + `]`, false, false, false},
		{"rules", `rules: [{name: errors, ` + badOnly + `, then: keep}, {name: rest, then: keep}]`, false, true, true},
		{"a share of errors", `rules: [{name: errors, ` + badOnly + `, then: {probability: {percentage: 50}}}]`, false, false, false},
		{"a rule that drops", `rules: [{name: noise, ` + isNoise + `, then: drop}, {name: errors, ` + badOnly + `, then: keep}]`, false, true, false},
		{"rules before policies", `rules: [{name: noise, ` + isNoise + `, then: drop}]
policies: [` + errors + `]`, false, true, false},
		{"everything dropped by a rule", `rules: [{name: none, then: drop}]
policies: [` + errors + `]`, false, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, err := settingsFrom(c.config)
			if err != nil {
				t.Fatal(err)
			}
			p := mustCompile(t, set)
			if p.Wanted(newHeld(p, pcommon.TraceID{}).trace()) {
				t.Error("a trace of which nothing is known is wanted")
			}
			for _, trace := range []struct {
				bad, noise, want bool
			}{{false, false, c.plain}, {true, false, c.bad}, {true, true, c.badNoise}} {
				h := newHeld(p, pcommon.TraceID{1})
				h.add(p, twoSpans(trace.bad, trace.noise))
				if got := p.Wanted(h.trace()); got != trace.want {
					t.Errorf("a trace with error %v and noise %v is wanted: %v, want %v", trace.bad, trace.noise, got, trace.want)
				}
			}
		})
	}
}

func twoSpans(bad, noise bool) ptrace.Traces {
	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	spans.AppendEmpty()
	span := spans.AppendEmpty()
	if bad {
		span.Status().SetCode(ptrace.StatusCodeError)
	}
	if noise {
		span.Attributes().PutStr("noise", "yes")
	}
	return td
}
