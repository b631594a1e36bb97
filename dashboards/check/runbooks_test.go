package check_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tailgate-otel/tailgate/dashboards/check"
	"github.com/tailgate-otel/tailgate/telemetry"
)

var promqlBlock = regexp.MustCompile("(?s)```promql\n(.*?)\n```")

// TestRunbookQueriesKeepTheContract reads the queries of every runbook as if they were recorded: names, labels and
// values that the contract does not have, and sides that never match, are as useless there as on a panel.
func TestRunbookQueriesKeepTheContract(t *testing.T) {
	pages, err := filepath.Glob("../../docs/runbooks/Tailgate*.md")
	if err != nil {
		t.Fatal(err)
	}
	// What shows all of something on purpose has no metric's name, or that of the rule engine's own series.
	general := []string{`topk(10, count by (__name__) ({__name__!=""}))`, `ALERTS{alertstate="firing"}`}
	files, queries := shippedRules(t), 0
	for _, page := range pages {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		var group check.RuleGroup
		for i, m := range promqlBlock.FindAllStringSubmatch(string(data), -1) {
			query := m[1]
			for _, g := range general {
				query = strings.ReplaceAll(query, g, "vector(1)")
			}
			group.Rules = append(group.Rules, check.Rule{Record: "page:query:nothing", Expr: query, Labels: map[string]string{"n": fmt.Sprint(i)}})
		}
		if queries += len(group.Rules); len(group.Rules) == 0 {
			t.Errorf("%s: no query", page)
		}
		files = append(files, check.RuleFile{File: page, Groups: []check.RuleGroup{group}})
	}
	for _, f := range check.LintRules(files, shipped(t), ruleContract(), telemetry.DefaultNaming) {
		// A page may show a total: a person sees where it jumps.
		if f.Rule != "counter-raw" {
			t.Error(f)
		}
	}
	if queries < 60 {
		t.Errorf("only %d queries found in the runbooks", queries)
	}
}
