package check_test

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/tailgate-otel/tailgate/dashboards/check"
	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/upstream"
)

// shipped are the generated dashboards.
func shipped(t *testing.T) []check.Dashboard {
	t.Helper()
	dashboards, findings, err := check.Load(dist())
	if err != nil || len(findings) > 0 {
		t.Fatal(err, findings)
	}
	return dashboards
}

func dist() fs.FS { return os.DirFS("../dist") }

func wholeContract() []telemetry.Metric {
	return slices.Concat(telemetry.Gateway(), telemetry.Store(), telemetry.Sampling(), upstream.All())
}

func TestShippedDashboardsHaveNoFindings(t *testing.T) {
	findings, err := check.Lint(shipped(t), wholeContract(), telemetry.DefaultNaming)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		t.Error(f)
	}
}

// use is what one panel takes from one metric: the metric itself (attribute ""), an attribute, or a value of it.
type use struct{ metric, attribute, value string }

// place is a panel of a file.
type place struct{ file, panel string }

// uses reads, with the PromQL parser alone, what each panel of the shipped dashboards takes from the contract.
func uses(t *testing.T, dashboards []check.Dashboard) map[use][]place {
	t.Helper()
	bySeries := map[string]telemetry.Metric{}
	for _, m := range wholeContract() {
		for _, name := range telemetry.DefaultNaming.Series(m) {
			bySeries[name] = m
		}
	}
	out := map[use][]place{}
	for _, d := range dashboards {
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				text := strings.NewReplacer("$__rate_interval", "20s", "$__range", "1h").Replace(target.Expr)
				expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
				if err != nil {
					t.Fatalf("%s: %v", text, err)
				}
				for _, u := range usesOf(expr, bySeries) {
					if at := (place{d.File, p.Title}); !slices.Contains(out[u], at) {
						out[u] = append(out[u], at)
					}
				}
			}
		}
	}
	return out
}

// usesOf takes a label of a sum to be an attribute of every metric below it that has it.
func usesOf(expr parser.Expr, bySeries map[string]telemetry.Metric) []use {
	var out []use
	_ = parser.Walk(inspector(func(node parser.Node, path []parser.Node) {
		v, ok := node.(*parser.VectorSelector)
		if !ok {
			return
		}
		m := bySeries[v.Name]
		out = append(out, use{metric: m.Name})
		for _, a := range m.Attributes {
			label := telemetry.DefaultNaming.Label(a.Key)
			for _, lm := range v.LabelMatchers {
				if lm.Name != label {
					continue
				}
				out = append(out, use{m.Name, a.Key, ""})
				if slices.Contains(a.Values, lm.Value) {
					out = append(out, use{m.Name, a.Key, lm.Value})
				}
			}
			for _, above := range path {
				if g, ok := above.(*parser.AggregateExpr); ok && slices.Contains(g.Grouping, label) {
					out = append(out, use{m.Name, a.Key, ""})
				}
			}
		}
	}), expr, nil)
	return out
}

type inspector func(node parser.Node, path []parser.Node)

func (f inspector) Visit(node parser.Node, path []parser.Node) (parser.Visitor, error) {
	f(node, path)
	return f, nil
}

// TestContractMutations changes the contract in one place at a time: each metric renamed, each kind changed, each
// attribute dropped, each value of a closed set dropped, as far as dashboards use them. Every panel that uses what is
// gone must be named. This is what happens when a dependency is bumped.
func TestContractMutations(t *testing.T) {
	// One schema is enough, as TestShippedDashboardsHaveNoFindings holds that both ask the same.
	dashboards := slices.DeleteFunc(shipped(t), func(d check.Dashboard) bool { return d.Schema != "classic" })
	used := uses(t, dashboards)
	counts := map[string]int{}
	for u, places := range used {
		for name, mutate := range mutations(u) {
			counts[name]++
			mutant := wholeContract()
			i := slices.IndexFunc(mutant, func(m telemetry.Metric) bool { return m.Name == u.metric })
			mutant[i] = mutate(mutant[i])
			findings, err := check.Lint(withPlaces(dashboards, places), mutant, telemetry.DefaultNaming)
			if err != nil {
				t.Fatal(err)
			}
			for _, at := range places {
				if !slices.ContainsFunc(findings, func(f check.Finding) bool { return f.File == at.file && f.Panel == at.panel && f.Query != "" }) {
					t.Errorf("%s %+v: no finding at %s, panel %q", name, u, at.file, at.panel)
				}
			}
			for _, f := range findings {
				if f.Panel != "" && !slices.Contains(places, place{f.File, f.Panel}) {
					t.Errorf("%s %+v: a finding where it is not used: %s", name, u, f)
				}
			}
		}
	}
	t.Logf("mutations: %v", counts)
	for name, least := range map[string]int{"rename metric": 40, "change kind": 40, "drop attribute": 35, "drop value": 6} {
		if counts[name] < least {
			t.Errorf("%s: only %d mutations, so the test has gone blind", name, counts[name])
		}
	}
}

// withPlaces keeps the dashboards that use what is mutated: the others have not a word of it, and cost time.
func withPlaces(dashboards []check.Dashboard, places []place) []check.Dashboard {
	var out []check.Dashboard
	for _, d := range dashboards {
		if slices.ContainsFunc(places, func(p place) bool { return p.file == d.File }) {
			out = append(out, d)
		}
	}
	return out
}

func mutations(u use) map[string]func(telemetry.Metric) telemetry.Metric {
	attributes := func(m telemetry.Metric, change func(telemetry.Attribute) (telemetry.Attribute, bool)) telemetry.Metric {
		var kept []telemetry.Attribute
		for _, a := range m.Attributes {
			if a.Key == u.attribute {
				var keep bool
				if a, keep = change(a); !keep {
					continue
				}
			}
			kept = append(kept, a)
		}
		m.Attributes = kept
		return m
	}
	switch {
	case u.value != "":
		return map[string]func(telemetry.Metric) telemetry.Metric{"drop value": func(m telemetry.Metric) telemetry.Metric {
			return attributes(m, func(a telemetry.Attribute) (telemetry.Attribute, bool) {
				a.Values = slices.DeleteFunc(slices.Clone(a.Values), func(v string) bool { return v == u.value })
				return a, true
			})
		}}
	case u.attribute != "":
		return map[string]func(telemetry.Metric) telemetry.Metric{"drop attribute": func(m telemetry.Metric) telemetry.Metric {
			return attributes(m, func(a telemetry.Attribute) (telemetry.Attribute, bool) { return a, false })
		}}
	}
	return map[string]func(telemetry.Metric) telemetry.Metric{
		"rename metric": func(m telemetry.Metric) telemetry.Metric { m.Name += ".renamed"; return m },
		"change kind": func(m telemetry.Metric) telemetry.Metric {
			m.Kind = map[telemetry.Kind]telemetry.Kind{
				telemetry.Counter: telemetry.Gauge, telemetry.Gauge: telemetry.Counter, telemetry.UpDownCounter: telemetry.Counter,
				telemetry.NativeHistogram: telemetry.Histogram, telemetry.Histogram: telemetry.NativeHistogram,
			}[m.Kind]
			return m
		},
	}
}
