package rules

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tailgate-otel/tailgate/dashboards/query"
	"github.com/tailgate-otel/tailgate/telemetry"
)

// Intervals of evaluation. Twice a minute an alert is late by no more than its reader's walk to the desk, and some sixty
// queries of a few series each are a few milliseconds of work. What moves with the two hours of a block is asked less often.
const (
	often  = 30 * time.Second
	seldom = 2 * time.Minute
)

// Windows of rates. Short: long enough that a single export that is missing does not empty it, short enough that an alert
// is over soon after its cause. A window of an hour or more is for what happens a few times a day.
const short = 5 * time.Minute

// All returns every rule, spelt in the given naming. Namings that keep dots are refused, as for dashboards.
func All(n telemetry.Naming) ([]File, error) {
	if label := n.Label(telemetry.AttrHTTPRoute.Key); strings.Contains(label, ".") {
		return nil, fmt.Errorf("define rules: the naming keeps dots (label %s), and queries are written with underscores only", label)
	}
	s := sheet{scope: query.NewWholeScope(n)}
	objectives, err := s.objectives()
	files := []File{
		{Name: "sampling", Groups: s.sampling()},
		{Name: "pipeline", Groups: s.pipeline()},
		{Name: "store", Groups: s.store()},
		{Name: "gateway", Groups: s.gateway()},
		{Name: "objectives", Groups: objectives},
	}
	errs := []error{err}
	for _, f := range files {
		errs = append(errs, f.errors())
	}
	return files, errors.Join(errs...)
}

// errors reports every formula that could not be built, by rule.
func (f File) errors() error {
	var errs []error
	add := func(group, rule string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("define %s: group %s: %s: %w", f.Name, group, rule, err))
		}
	}
	for _, g := range f.Groups {
		for _, r := range g.Records {
			add(g.Name, r.Name, r.Expr.err)
		}
		for _, a := range g.Alerts {
			add(g.Name, a.Name, a.When.err)
		}
	}
	return errors.Join(errs...)
}

// everything is no restriction of a selector.
var everything []query.Where

// sheet is what all rules are written with: selectors over everything that the store holds.
type sheet struct {
	scope query.Scope
}

// ofEach is the labels of one program, and more.
func ofEach(keys ...string) []string {
	return append([]string{query.LabelJob, query.LabelInstance}, keys...)
}

// rate is a counter per second, by program and attributes.
func (s sheet) rate(m telemetry.Metric, where []query.Where, keys ...string) query.Expr {
	return s.scope.Rate(m, where...).SumBy(ofEach(keys...)...)
}

// value is a gauge, by program and attributes.
func (s sheet) value(m telemetry.Metric, keys ...string) query.Expr {
	return s.scope.Value(m).SumBy(ofEach(keys...)...)
}
