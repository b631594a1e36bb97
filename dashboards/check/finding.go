package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Finding is one thing that is wrong, and where.
type Finding struct {
	Rule      string `json:"rule"`
	File      string `json:"file"`
	Dashboard string `json:"dashboard"` // its title, or the group of a rule
	Panel     string `json:"panel,omitempty"`
	Name      string `json:"name,omitempty"` // of the alert, or of the recorded series
	Target    string `json:"target,omitempty"`
	Query     string `json:"query,omitempty"`
	Message   string `json:"message"`
}

// String writes the finding for a person.
func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", f.File, f.Dashboard)
	if f.Panel != "" {
		fmt.Fprintf(&b, ": panel %q", f.Panel)
	}
	if f.Name != "" {
		fmt.Fprintf(&b, ": rule %s", f.Name)
	}
	if f.Target != "" {
		fmt.Fprintf(&b, ", target %s", f.Target)
	}
	fmt.Fprintf(&b, ": %s [%s]", f.Message, f.Rule)
	if f.Query != "" {
		fmt.Fprintf(&b, "\n    %s", f.Query)
	}
	return b.String()
}

// report collects the findings of one place.
type report struct {
	at       Finding
	findings *[]Finding
}

func (r report) add(rule, format string, args ...any) {
	f := r.at
	f.Rule, f.Message = rule, fmt.Sprintf(format, args...)
	*r.findings = append(*r.findings, f)
}

func (r report) panel(p Panel) report {
	r.at.Panel = p.Title
	if p.Title == "" {
		r.at.Panel = fmt.Sprintf("#%d", p.ID)
	}
	return r
}

func (r report) target(t Target) report {
	r.at.Target, r.at.Query = t.Ref, t.Expr
	return r
}

// sortFindings puts findings in the order of files, so that equal input gives equal output, and drops repetitions.
func sortFindings(fs []Finding) []Finding {
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Panel, b.Panel), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Target, b.Target),
			cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(fs)
}
