package check

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// variableMark stands for the value of a variable in a query that is checked without a server.
const variableMark = "§"

// reference matches every form of a variable in Grafana: $name, ${name}, ${name:format}, ${name.path}, [[name]].
var reference = regexp.MustCompile(`\$(\w+)|\$\{(\w+)(?:[.\[][^:}]*)?(?::\w+)?\}|\[\[(\w+)(?::\w+)?\]\]`)

// substitute replaces each reference by what value returns for the name.
func substitute(text string, value func(name string) string) string {
	return reference.ReplaceAllStringFunc(text, func(ref string) string { return value(referenceName(ref)) })
}

func referenceName(ref string) string {
	for _, group := range reference.FindStringSubmatch(ref)[1:] {
		if group != "" {
			return group
		}
	}
	return ""
}

// references lists the names of the variables in a text.
func references(text string) []string {
	if !strings.ContainsAny(text, "$[") {
		return nil
	}
	var out []string
	for _, ref := range reference.FindAllString(text, -1) {
		out = append(out, referenceName(ref))
	}
	return out
}

// builtins are Grafana's own variables in queries, with values as they are for the given step and range.
func builtins(step, interval, span time.Duration) map[string]string {
	// Grafana: the larger of four intervals of the data, and the step plus one interval.
	rate := max(4*interval, step+interval)
	return map[string]string{
		"__rate_interval": seconds(rate), "__interval": seconds(step), "__range": seconds(span),
		"__interval_ms": fmt.Sprint(step.Milliseconds()), "__range_s": fmt.Sprint(int(span.Seconds())),
		"__range_ms": fmt.Sprint(span.Milliseconds()),
	}
}

func seconds(d time.Duration) string {
	return fmt.Sprintf("%ds", max(1, int(d.Round(time.Second).Seconds())))
}

// linkBuiltins are Grafana's own variables in addresses.
var linkBuiltins = []string{"__url_time_range", "__all_variables", "__data", "__field", "__value", "__series", "__dashboard", "__from", "__to"}

// checkVariables looks at definitions and uses.
func (l *linter) checkVariables(d Dashboard, r report) {
	used := usedVariables(d)
	seen := map[string]bool{}
	for _, v := range d.Variables {
		if seen[v.Name] {
			r.add("variable-twice", "variable %s is defined twice", v.Name)
		}
		seen[v.Name] = true
		if len(used[v.Name]) == 0 {
			r.add("variable-unused", "variable %s is used nowhere: take it out, or narrow the queries by it", v.Name)
		}
		if v.Type == "query" {
			l.checkVariableQuery(v, r)
		}
	}
	static := builtins(time.Second, time.Second, time.Second)
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if _, ok := static[name]; ok || seen[name] || slices.Contains(linkBuiltins, name) {
			continue
		}
		msg := fmt.Sprintf("variable %s is not defined, so the text stays as it is", name)
		if best := nearest(name, slices.Sorted(maps.Keys(seen))); best != "" {
			msg += fmt.Sprintf("; did you mean %s?", best)
		}
		for _, at := range used[name] {
			f := at
			f.Rule, f.File, f.Dashboard, f.Message = "variable-undefined", r.at.File, r.at.Dashboard, msg
			*r.findings = append(*r.findings, f)
		}
	}
}

// usedVariables returns the places that use each variable.
func usedVariables(d Dashboard) map[string][]Finding {
	used := map[string][]Finding{}
	note := func(at Finding, texts ...string) {
		for _, text := range texts {
			for _, name := range references(text) {
				used[name] = append(used[name], at)
			}
		}
	}
	for _, v := range d.Variables {
		note(Finding{Query: v.Query}, v.Query)
	}
	for _, l := range d.Links {
		note(Finding{Query: l.URL}, l.URL, l.Title)
	}
	for _, p := range d.Panels {
		note(Finding{Panel: p.Title}, p.Title, p.Description)
		for _, l := range p.Links {
			note(Finding{Panel: p.Title, Query: l.URL}, l.URL, l.Title)
		}
		for _, t := range p.Targets {
			note(Finding{Panel: p.Title, Target: t.Ref, Query: t.Expr}, t.Expr, t.Legend, t.Datasource)
		}
	}
	return used
}

// labelValues matches the query of a variable: label_values(label) or label_values(selector, label).
var labelValues = regexp.MustCompile(`^\s*label_values\(\s*(?:(.*),)?\s*(\w+)\s*\)\s*$`)

// parseLabelValues splits the query of a variable into selector and label.
func parseLabelValues(query string) (selector, label string, ok bool) {
	m := labelValues.FindStringSubmatch(query)
	if m == nil {
		return "", "", false
	}
	return strings.TrimSpace(m[1]), m[2], true
}

func (l *linter) checkVariableQuery(v Variable, r report) {
	r.at.Query = v.Query
	selector, label, ok := parseLabelValues(v.Query)
	if !ok {
		r.add("variable-query", "variable %s: only label_values(selector, label) is understood", v.Name)
		return
	}
	if selector == "" {
		return // every value of the label, whatever bears it
	}
	a := &analysis{contract: l.contract, report: r}
	shape, err := a.parse(selector)
	if err != nil {
		r.add("promql", "variable %s: %v", v.Name, err)
		return
	}
	if !shape.has(label) {
		r.add("label-unknown", "variable %s: no series of the selector bears label %s, so the variable stays empty; there are: %s",
			v.Name, label, strings.Join(shape.sorted(), ", "))
	}
}
