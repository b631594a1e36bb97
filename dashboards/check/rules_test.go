package check_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/tailgate-otel/tailgate/dashboards/check"
	"github.com/tailgate-otel/tailgate/dashboards/rules/promself"
	"github.com/tailgate-otel/tailgate/telemetry"
)

// shippedRules are the generated rule files, in both forms.
func shippedRules(t *testing.T) []check.RuleFile {
	t.Helper()
	files, findings, err := check.LoadRules(dist())
	if err != nil || len(findings) > 0 {
		t.Fatal(err, findings)
	}
	return files
}

// ruleContract is what rules may read: what dashboards draw, and Prometheus' metrics about itself.
func ruleContract() []telemetry.Metric { return append(wholeContract(), promself.All()...) }

func TestShippedRulesHaveNoFindings(t *testing.T) {
	files := shippedRules(t)
	if len(files) < 10 {
		t.Errorf("only %d rule files", len(files))
	}
	for _, f := range check.LintRules(files, shipped(t), ruleContract(), telemetry.DefaultNaming) {
		t.Error(f)
	}
}

const goodRules = `groups:
  - name: shop
    interval: 30s
    rules:
      - record: status:shop_orders:rate5m
        expr: sum by (job, status) (rate(shop_orders_total[5m]))
      - alert: TailgateShopIdle
        expr: status:shop_orders:rate5m{status="paid"} < 1 and on (job) shop_stock_ratio > 0
        for: 5m
        labels:
          severity: warning
        annotations:
          summary: '{{ $labels.job }} sells {{ $value | humanize }} a second'
          description: Nobody buys at {{ $labels.job }}.
          runbook_url: docs/TailgateShopIdle.md
          dashboard: /d/shop?var-job={{ $labels.job | urlquery }}
`

func lintRules(t *testing.T, files fstest.MapFS) []check.Finding {
	t.Helper()
	dashboards, findings, err := check.Load(goodFiles(t, "", "", ""))
	if err != nil || len(findings) > 0 {
		t.Fatal(err, findings)
	}
	loaded, broken, err := check.LoadRules(files)
	if err != nil {
		t.Fatal(err)
	}
	return append(broken, check.LintRules(loaded, dashboards, shop(), telemetry.DefaultNaming)...)
}

func resource(groups string) string {
	return "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: shop\nspec:\n  " +
		strings.ReplaceAll(strings.TrimSpace(groups), "\n", "\n  ") + "\n"
}

func TestGoodRulesHaveNoFindings(t *testing.T) {
	files := fstest.MapFS{"rules/shop.yaml": {Data: []byte(goodRules)}, "prometheusrule/shop.yaml": {Data: []byte(resource(goodRules))}}
	for _, f := range lintRules(t, files) {
		t.Error(f)
	}
}

// TestRuleMistakes makes one mistake at a time in rules that are good.
func TestRuleMistakes(t *testing.T) {
	const alert, record, condition = "TailgateShopIdle", "status:shop_orders:rate5m", `status:shop_orders:rate5m{status="paid"} < 1 and on (job) shop_stock_ratio > 0`
	for _, c := range []struct{ name, old, replacement, rule, at, want string }{
		{"metric", "shop_orders_total", "shop_order_total", "metric-unknown", record, "did you mean shop_orders_total?"},
		{"label", "sum by (job, status)", "sum by (job, state)", "label-unknown", record, "no such label"},
		{"value", condition, `rate(shop_orders_total{status="lost"}[5m]) > 0`, "value-unknown", alert, "not one of open, paid, sent"},
		{"label of a recorded series", `{status="paid"}`, `{code="200"}`, "label-unknown", alert, "recorded series status:shop_orders:rate5m has no label code"},
		{"misspelt recorded series", `status:shop_orders:rate5m{`, `status:shop_order:rate5m{`, "metric-unknown", alert, "is not in the contract"},
		{"sides that never match", "and on (job) shop_stock_ratio", "and shop_stock_ratio", "never-match", alert, "never match"},
		{"no comparison", condition, "sum by (job) (rate(shop_orders_total[5m]))", "alert-comparison", alert, "fires whenever there is data"},
		{"a branch without comparison", condition, "shop_stock_ratio > 1 or sum by (job, instance) (rate(shop_orders_total[5m]))", "alert-comparison", alert, "on some branch"},
		{"comparison that only counts", condition, "shop_stock_ratio > bool 1", "alert-comparison", alert, "compares nothing"},
		{"total against a limit", condition, "sum by (job) (shop_orders_total) > 100", "counter-raw", alert, "passes any limit some day"},
		{"total recorded", "sum by (job, status) (rate(shop_orders_total[5m]))", "sum by (job, status) (shop_orders_total)", "counter-raw", record, "record its rate"},
		{"short window", "shop_orders_total[5m]", "shop_orders_total[15s]", "rate-interval", record, "four export intervals"},
		{"no for", "        for: 5m\n", "", "alert-for", alert, "how long"},
		{"severity", "severity: warning", "severity: page", "alert-severity", alert, "want one of critical, warning, info"},
		{"no severity", "severity: warning", "team: a", "alert-severity", alert, `severity is ""`},
		{"foreign name", "alert: TailgateShopIdle", "alert: ShopIdle", "alert-name", "ShopIdle", "Tailgate"},
		{"no summary", "summary:", "sumry:", "annotation", alert, "has no summary"},
		{"no dashboard", "dashboard:", "panel:", "annotation", alert, "has no dashboard"},
		{"runbook of another", "docs/TailgateShopIdle.md", "docs/TailgateShopBusy.md", "annotation", alert, "want TailgateShopIdle.md"},
		{"label in the text", "buys at {{ $labels.job }}", "buys at {{ $labels.shop }}", "label-unknown", alert, "shows label shop"},
		{"dashboard that is not there", "/d/shop?", "/d/shops?", "link-target", alert, "does not exist"},
		{"variable that is not there", "var-job=", "var-town=", "link-variable", alert, "sets variable town"},
		{"record like a metric", "record: status:shop_orders:rate5m", "record: shop_stock_ratio", "record-name", "shop_stock_ratio", "both would be one series"},
		{"two of one name", "  - alert: TailgateShopIdle", "  - record: status:shop_orders:rate5m\n        expr: sum by (job, status) (rate(shop_orders_total[1h]))\n      - alert: TailgateShopIdle",
			"rule-twice", record, "stands twice"},
		{"syntax", "sum by (job, status) (", "sum by (job, status) ((", "schema", "", "Prometheus would not load it"},
		{"template", "{{ $value | humanize }}", "{{ $value | humanise }}", "schema", "", "humanise"},
		{"key", "for: 5m", "fro: 5m", "schema", "", "fro"},
	} {
		if !strings.Contains(goodRules, c.old) {
			t.Fatalf("%s: %q does not stand in the good rules", c.name, c.old)
		}
		files := fstest.MapFS{"rules/shop.yaml": {Data: []byte(strings.Replace(goodRules, c.old, c.replacement, 1))}}
		findings := lintRules(t, files)
		if !slices.ContainsFunc(findings, func(f check.Finding) bool {
			return f.Rule == c.rule && f.Name == c.at && f.File == "rules/shop.yaml" && strings.Contains(f.String(), c.want)
		}) {
			t.Errorf("%s: no %s at %q with %q in %v", c.name, c.rule, c.at, c.want, findings)
		}
	}
}

func TestResourcesAreChecked(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"kind":    {strings.Replace(resource(goodRules), "PrometheusRule", "ConfigMap", 1), "want a PrometheusRule"},
		"no name": {strings.Replace(resource(goodRules), "name: shop", "title: shop", 1), "with a name"},
		"differs": {strings.Replace(resource(goodRules), "for: 5m", "for: 6m", 1), "its groups differ from those of rules/shop.yaml"},
	} {
		files := fstest.MapFS{"rules/shop.yaml": {Data: []byte(goodRules)}, "prometheusrule/shop.yaml": {Data: []byte(c.text)}}
		findings := lintRules(t, files)
		if len(findings) != 1 || !strings.Contains(findings[0].String(), c.want) || findings[0].File != "prometheusrule/shop.yaml" {
			t.Errorf("%s: want one finding about %q, got %v", name, c.want, findings)
		}
	}
}

// A chain of records is followed in whatever order it is written.
func TestRecordsReadEachOtherInAnyOrder(t *testing.T) {
	const text = `groups:
  - name: shop
    rules:
      - {record: "a:x:y", expr: "sum by (job) (b:x:y)"}
      - {record: "b:x:y", expr: "sum by (job, status) (c:x:y)"}
      - {record: "c:x:y", expr: "sum by (job, status) (rate(shop_orders_total[5m]))"}
      - {record: "d:x:y", expr: "sum by (status) (a:x:y)"}
`
	findings := lintRules(t, fstest.MapFS{"rules/shop.yaml": {Data: []byte(text)}})
	if len(findings) != 1 || findings[0].Name != "d:x:y" || findings[0].Rule != "label-unknown" {
		t.Errorf("want only d:x:y to lack its label, got %v", findings)
	}
}

// TestRuleContractMutations changes the contract as TestContractMutations does; every rule that uses what is gone must
// be named, and no other.
func TestRuleContractMutations(t *testing.T) {
	files := slices.DeleteFunc(shippedRules(t), func(f check.RuleFile) bool { return !strings.HasPrefix(f.File, "rules/") })
	dashboards := shipped(t)
	used := ruleUses(t, files)
	counts := map[string]int{}
	for u, places := range used {
		for name, mutate := range mutations(u) {
			counts[name]++
			mutant := ruleContract()
			i := slices.IndexFunc(mutant, func(m telemetry.Metric) bool { return m.Name == u.metric })
			mutant[i] = mutate(mutant[i])
			found := map[place]bool{}
			// The other files have not a word of it, and cost time.
			concerned := slices.DeleteFunc(slices.Clone(files), func(f check.RuleFile) bool {
				return !slices.ContainsFunc(places, func(p place) bool { return p.file == f.File })
			})
			for _, f := range check.LintRules(concerned, dashboards, mutant, telemetry.DefaultNaming) {
				found[place{f.File, f.Name}] = true
			}
			for _, at := range places {
				if !found[at] {
					t.Errorf("%s %+v: no finding at %+v", name, u, at)
				}
				delete(found, at)
			}
			for at := range found {
				t.Errorf("%s %+v: a finding where it is not used: %+v", name, u, at)
			}
		}
	}
	t.Logf("mutations: %v", counts)
	for name, least := range map[string]int{"rename metric": 40, "change kind": 40, "drop attribute": 15, "drop value": 5} {
		if counts[name] < least {
			t.Errorf("%s: only %d mutations, so the test has gone blind", name, counts[name])
		}
	}
}

// ruleUses reads what each rule takes from the contract. Alternatives of a matcher count one by one.
func ruleUses(t *testing.T, files []check.RuleFile) map[use][]place {
	t.Helper()
	bySeries := map[string]telemetry.Metric{}
	for _, m := range ruleContract() {
		for _, name := range telemetry.DefaultNaming.Series(m) {
			bySeries[name] = m
		}
	}
	out := map[use][]place{}
	for _, f := range files {
		for _, g := range f.Groups {
			for _, r := range g.Rules {
				expr, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr)
				if err != nil {
					t.Fatalf("%s: %v", r.Expr, err)
				}
				for _, u := range append(usesOf(expr, bySeries), alternativesOf(expr, bySeries)...) {
					if at := (place{f.File, r.Alert + r.Record}); u.metric != "" && !slices.Contains(out[u], at) {
						out[u] = append(out[u], at)
					}
				}
			}
		}
	}
	return out
}

func alternativesOf(expr parser.Expr, bySeries map[string]telemetry.Metric) (out []use) {
	for _, selectors := range parser.ExtractSelectors(expr) {
		var m telemetry.Metric
		for _, lm := range selectors {
			if lm.Name == "__name__" {
				m = bySeries[lm.Value]
			}
		}
		for _, lm := range selectors {
			for _, a := range m.Attributes {
				for _, v := range strings.Split(lm.Value, "|") {
					if telemetry.DefaultNaming.Label(a.Key) == lm.Name && slices.Contains(a.Values, v) {
						out = append(out, use{m.Name, a.Key, v})
					}
				}
			}
		}
	}
	return out
}
