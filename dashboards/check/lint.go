package check

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tailgate-otel/tailgate/telemetry"
)

// linter applies the rules that need no server.
type linter struct {
	contract *contract
	all      map[string]Dashboard // by uid, of either schema
	schemas  *schemas
	findings []Finding
}

// Lint checks the dashboards against Grafana's schemas, the contract, and each other.
func Lint(dashboards []Dashboard, metrics []telemetry.Metric, n telemetry.Naming) ([]Finding, error) {
	s, err := readSchemas()
	if err != nil {
		return nil, err
	}
	l := &linter{contract: newContract(metrics, n), all: map[string]Dashboard{}, schemas: s}
	for _, d := range dashboards {
		l.all[d.UID] = d
	}
	seen := map[string]string{}
	for _, d := range dashboards {
		r := report{at: Finding{File: d.File, Dashboard: d.Title}, findings: &l.findings}
		if d.UID == "" || d.Title == "" {
			r.add("identity", "needs a uid and a title")
		}
		if other, twice := seen[d.Schema+" "+d.UID]; twice {
			r.add("identity", "uid %s belongs to %s already", d.UID, other)
		}
		seen[d.Schema+" "+d.UID] = d.File
		l.schemas.check(d, r)
		l.checkGrid(d, r)
		l.checkVariables(d, r)
		l.checkLinks(d, r)
		for _, p := range d.Panels {
			l.checkPanel(d, p, r.panel(p))
		}
	}
	l.checkTwins(dashboards)
	return sortFindings(l.findings), nil
}

// checkTwins compares the two schemas of each dashboard: the same panels must ask the same.
func (l *linter) checkTwins(dashboards []Dashboard) {
	first := map[string]Dashboard{}
	for _, d := range dashboards {
		twin, ok := first[d.UID]
		if !ok {
			first[d.UID] = d
			continue
		}
		r := report{at: Finding{File: d.File, Dashboard: d.Title}, findings: &l.findings}
		theirs := questions(twin)
		for id, ours := range questions(d) {
			if theirs[id] != ours {
				r.add("twins", "panel %d differs from %s: %q there, %q here", id, twin.File, theirs[id], ours)
			}
			delete(theirs, id)
		}
		for id, text := range theirs {
			r.add("twins", "panel %d of %s is missing here: %q", id, twin.File, text)
		}
	}
}

// questions writes title, type and queries of each panel as one text.
func questions(d Dashboard) map[int]string {
	out := map[int]string{}
	for _, p := range d.Panels {
		if p.Type == "row" {
			continue // a row is a panel in one schema only
		}
		text := p.Type + " " + p.Title
		for _, t := range p.Targets {
			text += " " + t.Ref + ": " + t.Expr
		}
		out[p.ID] = text
	}
	return out
}

// columns of Grafana's grid.
const gridColumns = 24

// checkGrid looks at ids and places.
func (l *linter) checkGrid(d Dashboard, r report) {
	ids := map[int]string{}
	for i, p := range d.Panels {
		r := r.panel(p)
		if other, taken := ids[p.ID]; taken || p.ID <= 0 {
			r.add("panel-id", "id %d is not its own (%q has it): links to a panel go astray", p.ID, other)
		}
		ids[p.ID] = p.Title
		g := p.Grid
		if g.X < 0 || g.Y < 0 || g.W < 1 || g.H < 1 || g.X+g.W > gridColumns {
			r.add("grid", "columns %d to %d do not fit into 0 to %d", g.X, g.X+g.W, gridColumns)
		}
		for _, q := range d.Panels[:i] {
			if q.Section == p.Section && overlap(g, q.Grid) {
				r.add("grid", "lies over panel %q", q.Title)
			}
		}
	}
}

func overlap(a, b Grid) bool {
	return a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H
}

// checkPanel looks at words, unit, step and queries.
func (l *linter) checkPanel(d Dashboard, p Panel, r report) {
	if p.Title == "" {
		r.add("title", "has no title")
	}
	if p.Type == "row" {
		return
	}
	if p.Description == "" {
		r.add("description", "has no description: say what to look for and what to do")
	}
	if p.Type == "text" {
		return
	}
	if len(p.Targets) == 0 {
		r.add("target", "has no query")
		return
	}
	if len(p.Units) == 0 {
		r.add("unit", "has no unit")
	}
	for _, u := range p.Units {
		if !slices.Contains(units, u) {
			r.add("unit", "unit %q is none that Grafana and the viewer both know; one of %s", u, strings.Join(units, ", "))
		}
	}
	if step, err := time.ParseDuration(p.Interval); err != nil || step < telemetry.ExportInterval {
		r.add("interval", "minimum step is %q, want at least the export interval %s: else $__rate_interval is too short and rates are empty",
			p.Interval, telemetry.ExportInterval)
	}
	histogram := false
	for _, t := range p.Targets {
		histogram = l.checkTarget(d, p, t, r.target(t)) || histogram
	}
	if histogram && needsExemplars(p) && !slices.ContainsFunc(p.Targets, func(t Target) bool { return t.Exemplar }) {
		r.add("exemplars", "draws durations of a histogram and asks for no exemplars: nobody can click from a slow point to its trace")
	}
}

// needsExemplars: drawings over time of durations. A number or a table has no place for them.
func needsExemplars(p Panel) bool {
	return (p.Type == "timeseries" || p.Type == "heatmap") && slices.ContainsFunc(p.Units, func(u string) bool {
		return u == "s" || u == "ms" || u == "µs"
	})
}

var legendLabel = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)

// checkTarget checks one query and tells whether it reads a histogram.
func (l *linter) checkTarget(d Dashboard, p Panel, t Target, r report) (histogram bool) {
	name := strings.TrimSuffix(strings.TrimPrefix(t.Datasource, "${"), "}")
	if name == t.Datasource || !slices.ContainsFunc(d.Variables, func(v Variable) bool { return v.Name == name && v.Type == "datasource" }) {
		r.add("datasource", "data source %q is no data source variable of the dashboard, so it exists on one Grafana only", t.Datasource)
	}
	a := &analysis{contract: l.contract, report: r}
	out, err := a.parse(t.Expr)
	if err != nil {
		r.add("promql", "does not parse: %v", err)
		return false
	}
	if out.raw != "" {
		r.add("counter-raw", "shows counter %s as it is, the total since its program started; take its rate or increase", out.raw)
	}
	if isHistogram := out.kind == nativeSeries || out.kind == bucketSeries; isHistogram != (p.Type == "heatmap") && !out.open {
		r.add("histogram-kind", "a %s panel and a query that yields %s do not go together", p.Type, kindWords(isHistogram))
	}
	if strings.Contains(t.Expr, "rate(") && !strings.Contains(t.Expr, "$__rate_interval") {
		r.add("rate-interval", "a rate over a fixed window is empty or coarse at other steps; use $__rate_interval")
	}
	for _, m := range legendLabel.FindAllStringSubmatch(t.Legend, -1) {
		if !out.has(m[1]) {
			r.add("label-unknown", "legend shows label %s, which the result does not bear; it has: %s", m[1], strings.Join(out.sorted(), ", "))
		}
	}
	for field := range p.Columns {
		if isLabel := !strings.HasPrefix(field, "Value") && field != "Time"; isLabel && !out.has(field) {
			r.add("label-unknown", "the table has a column for label %s, which the result does not bear; it has: %s", field, strings.Join(out.sorted(), ", "))
		}
	}
	return out.kind == nativeSeries || strings.Contains(t.Expr, "histogram_")
}

func kindWords(histogram bool) string {
	if histogram {
		return "histograms"
	}
	return "numbers"
}

// units are the ids of Grafana's value formats that panels use; the viewer formats exactly these.
var units = []string{"none", "short", "percentunit", "percent", "s", "ms", "µs", "ns", "bytes", "decbytes", "Bps", "binBps",
	"reqps", "cps", "ops", "rps", "wps", "dateTimeAsIso", "bool"}

// String names a dashboard in messages.
func (d Dashboard) String() string { return fmt.Sprintf("%s (%s)", d.Title, d.UID) }
