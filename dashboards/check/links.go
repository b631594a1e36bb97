package check

import (
	"regexp"
	"slices"
	"strings"
)

// dashboardPath matches addresses of dashboards: /d/<uid>, /d/<uid>/<slug>, with parameters.
var dashboardPath = regexp.MustCompile(`^/?d/([^/?#]+)[^?#]*(?:\?([^#]*))?`)

// columnReference matches a field of the row clicked: ${__data.fields["Route"]}, ${__data.fields.Route:percentencode}.
var columnReference = regexp.MustCompile(`\$\{__data\.fields(?:\["([^"]+)"\]|\.([^:}]+))`)

// checkLinks follows every link of the dashboard.
func (l *linter) checkLinks(d Dashboard, r report) {
	for _, link := range d.Links {
		r.at.Query = link.URL
		l.checkLink(d, link, r)
	}
	for _, p := range d.Panels {
		for _, link := range p.Links {
			r := r.panel(p)
			r.at.Query = link.URL
			l.checkLink(d, link, r)
			for _, m := range columnReference.FindAllStringSubmatch(link.URL, -1) {
				if name := m[1] + m[2]; !hasColumn(p, name) {
					r.add("link-column", "link %q takes column %q, which the table does not have", link.Title, name)
				}
			}
		}
	}
}

func hasColumn(p Panel, name string) bool {
	for field, title := range p.Columns {
		if field == name || title == name {
			return true
		}
	}
	return false
}

// checkLink looks whether a link to a dashboard arrives, and whether it sets only variables that the target has.
func (l *linter) checkLink(d Dashboard, link Link, r report) {
	if link.Title == "" {
		r.add("link-title", "a link has no title")
	}
	m := dashboardPath.FindStringSubmatch(link.URL)
	if m == nil {
		return // leads elsewhere
	}
	target, ok := l.all[m[1]]
	if !ok {
		r.add("link-target", "link %q leads to dashboard %s, which does not exist", link.Title, m[1])
		return
	}
	sets := variablesSet(m[2])
	if link.IncludeVars || strings.Contains(m[2], "__all_variables") {
		for _, v := range d.Variables {
			sets = append(sets, v.Name)
		}
	}
	slices.Sort(sets)
	for _, name := range slices.Compact(sets) {
		if !slices.ContainsFunc(target.Variables, func(v Variable) bool { return v.Name == name }) {
			r.add("link-variable", "link %q sets variable %s, which %s does not have", link.Title, name, target)
		}
	}
}

var (
	setByValue = regexp.MustCompile(`(?:^|&)var-(\w+)=`)
	setAsIs    = regexp.MustCompile(`\$\{(\w+):queryparam\}`)
)

// variablesSet lists the variables that the parameters of an address set.
func variablesSet(parameters string) []string {
	var out []string
	for _, re := range []*regexp.Regexp{setByValue, setAsIs} {
		for _, m := range re.FindAllStringSubmatch(parameters, -1) {
			out = append(out, m[1])
		}
	}
	return out
}
