// Package classic writes dashboards in Grafana's classic schema, which file provisioning, dashboard sidecars and the
// Grafana operator take, and which our viewer reads. It is one of the two users of the Foundation SDK, whose classic
// package is marked deprecated; so it is kept thin. Everything here is pure.
package classic

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/tailgate-otel/tailgate/dashboards/emit/internal/grafana"
	"github.com/tailgate-otel/tailgate/dashboards/model"
)

// Emit returns the classic JSON of d.
func Emit(d model.Dashboard) ([]byte, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("emit classic: %w", err)
	}
	out := *dashboard.NewDashboard()
	out.Uid, out.Title, out.Description, out.Tags = &d.UID, &d.Title, &d.Description, d.Tags
	out.Editable = model.Ptr(false) // an edit would be lost with the next provisioning: save a copy
	out.GraphTooltip = model.Ptr(dashboard.DashboardCursorSyncCrosshair)
	out.Time = &dashboard.DashboardDashboardTime{From: "now-" + grafana.Duration(d.Range), To: "now"}
	out.Refresh = model.Ptr(grafana.Duration(d.Refresh))
	out.Timepicker = &dashboard.TimePickerConfig{RefreshIntervals: grafana.RefreshIntervals()}
	for _, v := range d.Variables {
		out.Templating.List = append(out.Templating.List, variable(v))
	}
	for _, l := range d.Links {
		out.Links = append(out.Links, dashboard.DashboardLink{Title: l.Title, Type: dashboard.DashboardLinkTypeLink, Icon: "dashboard",
			Tooltip: l.Tooltip, Url: model.Ptr(grafana.LinkAddress(l)), Tags: []string{}, KeepTime: true})
	}
	out.Panels = panels(d)
	return grafana.Marshal(out)
}

// panels places the rows one below the other. A folded row carries its panels, an open one is followed by them.
func panels(d model.Dashboard) []dashboard.PanelOrRowPanel {
	var out []dashboard.PanelOrRowPanel
	y := 0
	for _, r := range d.Rows {
		row := dashboard.RowPanel{Type: "row", Id: uint32(r.ID), Title: model.Ptr(r.Title), Collapsed: r.Collapsed,
			GridPos: gridPos(model.Place{Y: y, Width: model.Columns, Height: 1}), Panels: []dashboard.Panel{}}
		y++
		places, height := model.Layout(r.Panels)
		var below []dashboard.PanelOrRowPanel
		for i, p := range r.Panels {
			place := places[i]
			place.Y += y
			drawn := panel(d, p, place)
			if r.Collapsed {
				row.Panels = append(row.Panels, drawn)
			} else {
				below = append(below, dashboard.PanelOrRowPanel{Panel: &drawn})
			}
		}
		if !r.Collapsed {
			y += height
		}
		out = append(append(out, dashboard.PanelOrRowPanel{RowPanel: &row}), below...)
	}
	return out
}

func panel(d model.Dashboard, p model.Panel, place model.Place) dashboard.Panel {
	v := grafana.Of(p)
	out := dashboard.Panel{
		Type: v.Plugin, Id: model.Ptr(uint32(p.ID)), Title: &p.Title, Description: &p.Description, GridPos: gridPos(place),
		Options: v.Options, FieldConfig: fieldConfig(p, v),
	}
	for _, t := range v.Transformations {
		out.Transformations = append(out.Transformations, dashboard.DataTransformerConfig{Id: t.ID, Options: t.Options})
	}
	for _, l := range p.Links {
		link := grafana.LinkOf(l)
		out.Links = append(out.Links, dashboard.DashboardLink{Title: link.Title, Type: dashboard.DashboardLinkTypeLink,
			Url: &link.URL, Tags: []string{}})
	}
	if len(p.Targets) > 0 {
		out.Datasource = grafana.Datasource()
		out.Interval = model.Ptr(grafana.Duration(d.MinStep))
	}
	for _, t := range p.Targets {
		q := grafana.QueryOf(t, p.Visual)
		q.Datasource = grafana.Datasource()
		out.Targets = append(out.Targets, variants.Dataquery(q))
	}
	return out
}

func gridPos(p model.Place) *dashboard.GridPos {
	return &dashboard.GridPos{X: uint32(p.X), Y: uint32(p.Y), W: uint32(p.Width), H: uint32(p.Height)}
}

func fieldConfig(p model.Panel, v grafana.Visual) *dashboard.FieldConfigSource {
	out := dashboard.FieldConfigSource{Overrides: []dashboard.DashboardFieldConfigSourceOverrides{}}
	f := &out.Defaults
	f.Unit, f.Min, f.Max, f.Custom = model.Ptr(string(p.Unit)), p.Min, p.Max, v.Custom
	f.Color = &dashboard.FieldColor{Mode: dashboard.FieldColorModeId(v.ColorMode)}
	if p.Decimals != nil {
		f.Decimals = model.Ptr(float64(*p.Decimals))
	}
	if p.NoValue != "" {
		f.NoValue = &p.NoValue
	}
	if len(p.Thresholds) > 0 {
		f.Thresholds = &dashboard.ThresholdsConfig{Mode: dashboard.ThresholdsModeAbsolute}
		for _, s := range grafana.ThresholdSteps(p.Thresholds) {
			f.Thresholds.Steps = append(f.Thresholds.Steps, dashboard.Threshold{Value: s.Value, Color: s.Color})
		}
	}
	for i, m := range p.Mappings {
		f.Mappings = append(f.Mappings, dashboard.ValueMapping{ValueMap: &dashboard.ValueMap{
			Type: dashboard.MappingTypeValueToText,
			Options: map[string]dashboard.ValueMappingResult{
				m.Value: {Text: model.Ptr(m.Text), Color: model.Ptr(string(m.Color)), Index: model.Ptr(int32(i))}},
		}})
	}
	for _, o := range v.Overrides {
		ov := dashboard.DashboardFieldConfigSourceOverrides{Matcher: dashboard.MatcherConfig{Id: "byName", Options: o.Field}}
		for _, prop := range o.Properties {
			ov.Properties = append(ov.Properties, dashboard.DynamicConfigValue{Id: prop.ID, Value: prop.Value})
		}
		out.Overrides = append(out.Overrides, ov)
	}
	return &out
}

func variable(v model.Variable) dashboard.VariableModel {
	out := dashboard.VariableModel{
		Name: v.Name, Label: &v.Label, Description: &v.Description, Hide: model.Ptr(dashboard.VariableHideDontHide),
	}
	switch v.Kind {
	case model.DataSource:
		out.Type = dashboard.VariableTypeDatasource
		out.Query = &dashboard.StringOrMap{String: model.Ptr(grafana.PluginPrometheus)}
		out.Refresh = model.Ptr(dashboard.VariableRefreshOnDashboardLoad)
	case model.Query:
		out.Type = dashboard.VariableTypeQuery
		out.Datasource = grafana.Datasource()
		out.Query, out.Definition = &dashboard.StringOrMap{String: &v.Query}, &v.Query
		out.Refresh = model.Ptr(dashboard.VariableRefreshOnTimeRangeChanged)
		out.Sort = model.Ptr(dashboard.VariableSortAlphabeticalAsc)
		out.Multi, out.IncludeAll = model.Ptr(true), model.Ptr(true)
		out.Current = &dashboard.VariableOption{Selected: model.Ptr(true),
			Text:  dashboard.StringOrArrayOfString{ArrayOfString: []string{"All"}},
			Value: dashboard.StringOrArrayOfString{ArrayOfString: []string{grafana.All}}}
		if v.AllValue != "" {
			out.AllValue = &v.AllValue
		}
	}
	return out
}
