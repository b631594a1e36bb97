package check

import (
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/tailgate-otel/tailgate/telemetry"
)

// ruleLinter applies the rules of check to rule files.
type ruleLinter struct {
	contract *contract
	links    *linter // knows the dashboards
	recorded map[string]shape
	findings []Finding
}

// LintRules checks rule files against the contract, against what they record for each other, and against the dashboards
// to which their alerts lead.
func LintRules(files []RuleFile, dashboards []Dashboard, metrics []telemetry.Metric, n telemetry.Naming) []Finding {
	l := &ruleLinter{contract: newContract(metrics, n), recorded: map[string]shape{}}
	l.links = &linter{contract: l.contract, all: map[string]Dashboard{}}
	for _, d := range dashboards {
		l.links.all[d.UID] = d
	}
	l.learn(files)
	for _, f := range files {
		l.file(f)
	}
	l.twins(files)
	return sortFindings(append(l.findings, l.links.findings...))
}

// learn finds the shape of every recorded series. Records read each other, in any order, so it goes on while there is
// news; each round gets one link of a chain right. What is wrong with a record is reported once, at the record, and not
// again at all that read it.
func (l *ruleLinter) learn(files []RuleFile) {
	for {
		round := map[string]shape{}
		for _, f := range files {
			for _, g := range f.Groups {
				for _, r := range g.Rules {
					if r.Record != "" {
						l.learnRecord(r, round)
					}
				}
			}
		}
		if reflect.DeepEqual(round, l.recorded) {
			return
		}
		l.recorded = round
	}
}

func (l *ruleLinter) learnRecord(r Rule, round map[string]shape) {
	var ignored []Finding
	a := &analysis{contract: l.contract, recorded: l.recorded, report: report{findings: &ignored}}
	out, err := a.parse(r.Expr)
	if err != nil {
		return
	}
	same := round[r.Record] // a name may be recorded twice, with other labels
	out = out.without(labelName).with(slices.Concat(slices.Collect(maps.Keys(r.Labels)), same.sorted())...)
	out.open = out.open || same.open
	round[r.Record] = out
}

func (l *ruleLinter) file(f RuleFile) {
	seen := map[string]bool{}
	for _, g := range f.Groups {
		for _, r := range g.Rules {
			rep := report{at: Finding{File: f.File, Dashboard: g.Name, Name: r.name(), Query: r.Expr}, findings: &l.findings}
			identity := r.name() + " " + labelText(r.Labels)
			if seen[identity] {
				rep.add("rule-twice", "stands twice in the file with the same labels: one of them hides the other")
			}
			seen[identity] = true
			l.rule(r, rep)
		}
	}
}

func labelText(labels map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		parts = append(parts, k+"="+labels[k])
	}
	return strings.Join(parts, ",")
}

func (l *ruleLinter) rule(r Rule, rep report) {
	a := &analysis{contract: l.contract, recorded: l.recorded, report: rep}
	out, err := a.parse(r.Expr)
	if err != nil {
		rep.add("promql", "does not parse: %v", err)
		return
	}
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr)
	if err != nil {
		rep.add("promql", "does not parse without a dashboard's variables: %v", err)
		return
	}
	checkWindows(expr, rep)
	if r.Alert != "" {
		l.alert(r, expr, out, rep)
	} else {
		l.record(r, out, rep)
	}
}

// recordName is level:subject:operation.
var recordName = regexp.MustCompile(`^[a-z_]+:[a-z0-9_]+:[a-z0-9_]+$`)

func (l *ruleLinter) record(r Rule, out shape, rep report) {
	if !recordName.MatchString(r.Record) {
		rep.add("record-name", "want level:subject:operation, so that a reader knows a recorded series from a measured one")
	}
	if l.contract.has(r.Record) {
		rep.add("record-name", "is a metric of the contract: both would be one series")
	}
	if out.raw != "" {
		rep.add("counter-raw", "records counter %s as it is; record its rate", out.raw)
	}
}

// severities are those that a receiver of alerts can rely on.
var severities = []string{"critical", "warning", "info"}

var templateLabel = regexp.MustCompile(`\$labels\.(\w+)`)

func (l *ruleLinter) alert(r Rule, expr parser.Expr, out shape, rep report) {
	if !strings.HasPrefix(r.Alert, "Tailgate") {
		rep.add("alert-name", "does not begin with Tailgate: names of alerts share one room with those of other programs")
	}
	if r.For <= 0 {
		rep.add("alert-for", "fires at the first evaluation; say for how long the condition must hold")
	}
	if !slices.Contains(severities, r.Labels["severity"]) {
		rep.add("alert-severity", "severity is %q, want one of %s", r.Labels["severity"], strings.Join(severities, ", "))
	}
	if !filters(expr) {
		rep.add("alert-comparison", "compares nothing on some branch, so it fires whenever there is data")
	}
	l.totals(expr, rep)
	for _, key := range []string{"summary", "description", "dashboard"} {
		if r.Annotations[key] == "" {
			rep.add("annotation", "has no %s", key)
		}
	}
	if page := path.Base(r.Annotations["runbook_url"]); page != r.Alert+".md" {
		rep.add("annotation", "runbook_url ends in %s, want %s.md", page, r.Alert)
	}
	for _, key := range slices.Sorted(maps.Keys(r.Annotations)) {
		for _, m := range templateLabel.FindAllStringSubmatch(r.Annotations[key], -1) {
			if !out.has(m[1]) {
				rep.add("label-unknown", "%s shows label %s, which the alert does not bear; it has: %s", key, m[1], strings.Join(out.sorted(), ", "))
			}
		}
	}
	l.links.checkLink(Dashboard{}, Link{Title: "dashboard", URL: r.Annotations["dashboard"]}, rep)
}

// filters tells whether the expression drops series somewhere on each branch of an or.
func filters(e parser.Expr) bool {
	switch e := e.(type) {
	case *parser.ParenExpr:
		return filters(e.Expr)
	case *parser.Call:
		return e.Func.Name == "absent" || e.Func.Name == "absent_over_time"
	case *parser.BinaryExpr:
		switch {
		case e.Op.IsComparisonOperator():
			return !e.ReturnBool
		case e.Op == parser.LOR:
			return filters(e.LHS) && filters(e.RHS)
		case e.Op == parser.LAND:
			return filters(e.LHS) || filters(e.RHS)
		}
		return filters(e.LHS)
	}
	return false
}

// totals reports comparisons of a counter's total with anything but 0: it only grows, so it passes every limit some day
// and stays there. That it is less than a limit, or more than 0 since the start, can be meant.
func (l *ruleLinter) totals(e parser.Expr, rep report) {
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		b, ok := n.(*parser.BinaryExpr)
		if !ok || b.Op != parser.GTR && b.Op != parser.GTE {
			return nil
		}
		var ignored []Finding
		a := &analysis{contract: l.contract, recorded: l.recorded, report: report{findings: &ignored}}
		limit, isNumber := b.RHS.(*parser.NumberLiteral)
		if raw := a.expr(b.LHS).raw; raw != "" && !(isNumber && limit.Val == 0) {
			rep.add("counter-raw", "compares counter %s as it is: the total since its program started passes any limit some day; take its rate or increase", raw)
		}
		return nil
	})
}

// checkWindows reports rates over windows that hold too few samples.
func checkWindows(e parser.Expr, rep report) {
	const least = 4 * telemetry.ExportInterval
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		call, ok := n.(*parser.Call)
		if !ok || !slices.Contains(ofCounters, call.Func.Name) {
			return nil
		}
		if m, ok := call.Args[0].(*parser.MatrixSelector); ok && m.Range < least {
			rep.add("rate-interval", "%s over %s is empty when an export or two are missing; take at least %s, four export intervals",
				call.Func.Name, m.Range, least)
		}
		return nil
	})
}

// twins compares the two forms of each file.
func (l *ruleLinter) twins(files []RuleFile) {
	first := map[string]RuleFile{}
	for _, f := range files {
		twin, ok := first[path.Base(f.File)]
		switch {
		case !ok:
			first[path.Base(f.File)] = f
		case !reflect.DeepEqual(twin.Groups, f.Groups):
			rep := report{at: Finding{File: f.File, Dashboard: f.File}, findings: &l.findings}
			rep.add("twins", "its groups differ from those of %s", twin.File)
		}
	}
}
