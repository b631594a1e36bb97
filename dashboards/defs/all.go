package defs

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tailgate-otel/tailgate/dashboards/model"
	"github.com/tailgate-otel/tailgate/dashboards/query"
	"github.com/tailgate-otel/tailgate/telemetry"
)

// UIDs of the dashboards. They stand in bookmarks, links and alerts, so they never change.
const (
	uidGateway  = "tailgate-gateway"
	uidPipeline = "tailgate-pipeline"
	uidSampling = "tailgate-sampling"
)

// What a dashboard shows when it is opened: short enough that a first minute of data is seen as more than an edge, and
// refreshed at twice the export interval, so that every refresh brings something.
const (
	firstRange = 15 * time.Minute
	refresh    = 2 * telemetry.ExportInterval
)

// All returns every dashboard, spelt in the given naming. Namings that keep dots are refused: their names would have to
// be quoted in every selector.
func All(n telemetry.Naming) ([]model.Dashboard, error) {
	if label := n.Label(telemetry.AttrHTTPRoute.Key); strings.Contains(label, ".") {
		return nil, fmt.Errorf("define dashboards: the naming keeps dots (label %s), and queries are written with underscores only", label)
	}
	var all []model.Dashboard
	var errs []error
	for _, define := range []func(*sheet) model.Dashboard{gateway, pipeline, sampling} {
		s := &sheet{naming: n}
		d := define(s)
		d.Range, d.Refresh, d.MinStep = firstRange, refresh, telemetry.ExportInterval
		s.errs = append(s.errs, d.Validate())
		if err := errors.Join(s.errs...); err != nil {
			errs = append(errs, fmt.Errorf("define %s: %w", d.UID, err))
		}
		all = append(all, d)
	}
	return all, errors.Join(errs...)
}

// sheet collects what goes wrong while one dashboard is written down.
type sheet struct {
	naming telemetry.Naming
	errs   []error
}

// line is a target over the time range.
func (s *sheet) line(legend string, e query.Expr) model.Target {
	text, err := e.Text()
	if err != nil {
		s.errs = append(s.errs, err)
	}
	return model.Target{Expr: text, Legend: legend}
}

// exemplars is a line with the exemplars of its series. Of several lines over one metric, one has them: they would be
// the same for all.
func (s *sheet) exemplars(legend string, e query.Expr) model.Target {
	t := s.line(legend, e)
	t.Exemplars = true
	return t
}

// cell is a target at the end of the time range alone, for tables.
func (s *sheet) cell(e query.Expr) model.Target {
	t := s.line("", e)
	t.Instant = true
	return t
}

// choice is a query variable over the values of an attribute, or of job or instance.
func (s *sheet) choice(scope query.Scope, name, label, description string, m telemetry.Metric, key, all string) model.Variable {
	q, err := scope.LabelValues(m, key)
	if err != nil {
		s.errs = append(s.errs, fmt.Errorf("variable %s: %w", name, err))
	}
	return model.Variable{Kind: model.Query, Name: name, Label: label, Description: description, Query: q, AllValue: all}
}

// programs are the variables job and instance. of is a metric that only this kind of program records, so that the
// choice of jobs holds no stranger that happens to share a metric name. All jobs therefore means the jobs found; all
// instances may be anything within them, which keeps the query short in a large fleet.
func (s *sheet) programs(scope query.Scope, of telemetry.Metric) []model.Variable {
	return []model.Variable{
		model.PrometheusDatasource(),
		s.choice(scope, query.LabelJob, "Job", "service.name of the program.", of, query.LabelJob, ""),
		s.choice(scope, query.LabelInstance, "Instance", "service.instance.id of the program.", of, query.LabelInstance, anything),
	}
}

// anything is the regular expression of a variable's "All" that also matches series without the label.
const anything = ".*"
