package model_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/dashboards/model"
)

func good() model.Dashboard {
	return model.Dashboard{
		UID: "one", Title: "One", Description: "What is it?", Range: time.Minute, Refresh: time.Second, MinStep: time.Second,
		Variables: []model.Variable{model.PrometheusDatasource(), {Kind: model.Query, Name: "job", Query: "label_values(a, job)"}},
		Links:     []model.Link{{UID: "two", Title: "Two", Variables: []string{"job"}}},
		Rows: []model.Row{{ID: 1, Title: "Row", Panels: []model.Panel{
			{ID: 2, Title: "Graph", Width: 12, Height: 8, Unit: model.UnitShort, Visual: model.TimeSeries{},
				Thresholds: model.Steps(model.Good, model.From(1, model.Bad)), Targets: []model.Target{{Ref: "A", Expr: "a"}}},
			{ID: 3, Title: "Table", Width: 12, Height: 8, Unit: model.UnitNone, Targets: []model.Target{{Ref: "A", Expr: "a"}},
				Visual: model.Table{SortBy: "Job", Columns: []model.Column{{Label: "job", Title: "Job"}, {Ref: "A", Title: "A"}}}},
			{ID: 4, Title: "Text", Width: 24, Height: 2, Unit: model.UnitNone, Visual: model.Text{Markdown: "x"}},
		}}},
	}
}

func TestValidate(t *testing.T) {
	if err := good().Validate(); err != nil {
		t.Fatalf("the good one: %v", err)
	}
	panel := func(d *model.Dashboard, i int) *model.Panel { return &d.Rows[0].Panels[i] }
	for name, c := range map[string]struct {
		spoil func(*model.Dashboard)
		want  string
	}{
		"uid":             {func(d *model.Dashboard) { d.UID = "One Two" }, `uid "One Two"`},
		"title":           {func(d *model.Dashboard) { d.Title = "" }, "needs a title"},
		"range":           {func(d *model.Dashboard) { d.MinStep = 0 }, "must be positive"},
		"same variable":   {func(d *model.Dashboard) { d.Variables = append(d.Variables, d.Variables[1]) }, "job stands twice"},
		"variable query":  {func(d *model.Dashboard) { d.Variables[1].Query = "" }, "needs a query"},
		"link variable":   {func(d *model.Dashboard) { d.Links[0].Variables[0] = "route" }, "carries variable route"},
		"same id":         {func(d *model.Dashboard) { panel(d, 1).ID = 2 }, "id 2 belongs to Graph"},
		"row id":          {func(d *model.Dashboard) { d.Rows[0].ID = 3 }, "id 3 belongs to row Row"},
		"no id":           {func(d *model.Dashboard) { panel(d, 0).ID = 0 }, "must be positive"},
		"empty row":       {func(d *model.Dashboard) { d.Rows[0].Panels = nil }, "has no panels"},
		"width":           {func(d *model.Dashboard) { panel(d, 0).Width = 25 }, "25 x 8 cells"},
		"unit":            {func(d *model.Dashboard) { panel(d, 0).Unit = "furlong" }, `unit "furlong"`},
		"base threshold":  {func(d *model.Dashboard) { panel(d, 0).Thresholds = []model.Threshold{model.From(1, model.Bad)} }, "first threshold"},
		"no visual":       {func(d *model.Dashboard) { panel(d, 0).Visual = nil }, "has no visual"},
		"no target":       {func(d *model.Dashboard) { panel(d, 0).Targets = nil }, "has no targets"},
		"no query":        {func(d *model.Dashboard) { panel(d, 0).Targets[0].Expr = "" }, "has no query"},
		"no ref":          {func(d *model.Dashboard) { panel(d, 0).Targets[0].Ref = "" }, "needs a ref"},
		"column":          {func(d *model.Dashboard) { panel(d, 1).Targets[0].Ref = "B" }, "shows target A"},
		"column of both":  {func(d *model.Dashboard) { panel(d, 1).Visual = model.Table{Columns: []model.Column{{Title: "x"}}} }, "either a label or a target"},
		"sorted by":       {func(d *model.Dashboard) { panel(d, 1).Visual = model.Table{SortBy: "x"} }, "which is no column"},
		"text with query": {func(d *model.Dashboard) { panel(d, 2).Targets = []model.Target{{Ref: "A", Expr: "a"}} }, "no targets"},
	} {
		d := good()
		c.spoil(&d)
		if err := d.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want a word about %q", name, err, c.want)
		}
	}
}
