// Package v2 writes dashboards in Grafana's v2 schema, as a dashboard.grafana.app/v2 resource: what Grafana 13 stores by
// default and its Kubernetes-style API takes. It is one of the two users of the Foundation SDK. Everything here is pure.
package v2

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/dashboardv2"
	"github.com/grafana/grafana-foundation-sdk/go/resource"

	"github.com/tailgate-otel/tailgate/dashboards/emit/internal/grafana"
	"github.com/tailgate-otel/tailgate/dashboards/model"
)

// apiVersion names the schema to Grafana.
const apiVersion = "dashboard.grafana.app/v2"

// Emit returns the v2 resource of d as JSON.
func Emit(d model.Dashboard) ([]byte, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("emit v2: %w", err)
	}
	out := *dashboardv2.NewDashboard()
	out.Title, out.Description, out.Tags = d.Title, &d.Description, d.Tags
	out.Editable = model.Ptr(false) // an edit would be lost with the next provisioning: save a copy
	out.CursorSync = dashboardv2.DashboardCursorSyncCrosshair
	out.Annotations = []dashboardv2.AnnotationQueryKind{}
	out.TimeSettings = dashboardv2.TimeSettingsSpec{
		Timezone: model.Ptr("browser"), From: "now-" + grafana.Duration(d.Range), To: "now",
		AutoRefresh: grafana.Duration(d.Refresh), AutoRefreshIntervals: grafana.RefreshIntervals(),
	}
	out.Links = []dashboardv2.DashboardLink{}
	for _, l := range d.Links {
		out.Links = append(out.Links, dashboardv2.DashboardLink{Title: l.Title, Type: dashboardv2.DashboardLinkTypeLink,
			Icon: "dashboard", Tooltip: l.Tooltip, Url: model.Ptr(grafana.LinkAddress(l)), Tags: []string{}, KeepTime: true})
	}
	for _, v := range d.Variables {
		out.Variables = append(out.Variables, variable(v))
	}
	out.Elements, out.Layout = layout(d)
	return grafana.Marshal(resource.Manifest{
		ApiVersion: apiVersion, Kind: "Dashboard", Metadata: resource.Metadata{Name: d.UID}, Spec: out,
	})
}

// layout returns the panels by name and the rows that refer to them. Places count from the top of each row.
func layout(d model.Dashboard) (map[string]dashboardv2.Element, dashboardv2.GridLayoutKindOrRowsLayoutKindOrAutoGridLayoutKindOrTabsLayoutKind) {
	elements := map[string]dashboardv2.Element{}
	rows := dashboardv2.RowsLayoutKind{Kind: "RowsLayout"}
	for _, r := range d.Rows {
		grid := dashboardv2.GridLayoutKind{Kind: "GridLayout"}
		places, _ := model.Layout(r.Panels)
		for i, p := range r.Panels {
			name := fmt.Sprintf("panel-%d", p.ID)
			drawn := panel(d, p)
			elements[name] = dashboardv2.Element{PanelKind: &drawn}
			at := places[i]
			grid.Spec.Items = append(grid.Spec.Items, dashboardv2.GridLayoutItemKind{Kind: "GridLayoutItem",
				Spec: dashboardv2.GridLayoutItemSpec{X: int64(at.X), Y: int64(at.Y), Width: int64(at.Width), Height: int64(at.Height),
					Element: dashboardv2.ElementReference{Kind: "ElementReference", Name: name}}})
		}
		rows.Spec.Rows = append(rows.Spec.Rows, dashboardv2.RowsLayoutRowKind{Kind: "RowsLayoutRow",
			Spec: dashboardv2.RowsLayoutRowSpec{Title: model.Ptr(r.Title), Collapse: model.Ptr(r.Collapsed),
				Layout: dashboardv2.GridLayoutKindOrAutoGridLayoutKindOrTabsLayoutKindOrRowsLayoutKind{GridLayoutKind: &grid}}})
	}
	return elements, dashboardv2.GridLayoutKindOrRowsLayoutKindOrAutoGridLayoutKindOrTabsLayoutKind{RowsLayoutKind: &rows}
}

func panel(d model.Dashboard, p model.Panel) dashboardv2.PanelKind {
	v := grafana.Of(p)
	data := dashboardv2.QueryGroupSpec{Queries: []dashboardv2.PanelQueryKind{}, Transformations: []dashboardv2.TransformationKind{}}
	if len(p.Targets) > 0 {
		data.QueryOptions.Interval = model.Ptr(grafana.Duration(d.MinStep))
	}
	for _, t := range v.Transformations {
		data.Transformations = append(data.Transformations, dashboardv2.TransformationKind{Kind: "Transformation", Group: t.ID,
			Spec: dashboardv2.TransformationSpec{Options: t.Options}})
	}
	for _, t := range p.Targets {
		q := grafana.QueryOf(t, p.Visual)
		q.RefId = nil // stands one level up
		data.Queries = append(data.Queries, dashboardv2.PanelQueryKind{Kind: "PanelQuery",
			Spec: dashboardv2.PanelQuerySpec{RefId: t.Ref, Query: query(q)}})
	}
	links := []dashboardv2.DataLink{}
	for _, l := range p.Links {
		link := grafana.LinkOf(l)
		links = append(links, dashboardv2.DataLink{Title: link.Title, Url: link.URL})
	}
	return dashboardv2.PanelKind{Kind: "Panel", Spec: dashboardv2.PanelSpec{
		Id: float64(p.ID), Title: p.Title, Description: p.Description, Links: links,
		Data: dashboardv2.QueryGroupKind{Kind: "QueryGroup", Spec: data},
		VizConfig: dashboardv2.VizConfigKind{Kind: "VizConfig", Group: v.Plugin,
			Spec: dashboardv2.VizConfigSpec{Options: v.Options, FieldConfig: fieldConfig(p, v)}},
	}}
}

func query(spec any) dashboardv2.DataQueryKind {
	return dashboardv2.DataQueryKind{Kind: "DataQuery", Group: grafana.PluginPrometheus, Version: "v0", Spec: spec,
		Datasource: &dashboardv2.Dashboardv2DataQueryKindDatasource{Name: model.Ptr(grafana.DatasourceName)}}
}

func fieldConfig(p model.Panel, v grafana.Visual) dashboardv2.FieldConfigSource {
	out := dashboardv2.FieldConfigSource{Overrides: []dashboardv2.Dashboardv2FieldConfigSourceOverrides{}}
	f := &out.Defaults
	f.Unit, f.Min, f.Max, f.Custom = model.Ptr(string(p.Unit)), p.Min, p.Max, v.Custom
	f.Color = &dashboardv2.FieldColor{Mode: dashboardv2.FieldColorModeId(v.ColorMode)}
	if p.Decimals != nil {
		f.Decimals = model.Ptr(float64(*p.Decimals))
	}
	if p.NoValue != "" {
		f.NoValue = &p.NoValue
	}
	if len(p.Thresholds) > 0 {
		f.Thresholds = &dashboardv2.ThresholdsConfig{Mode: dashboardv2.ThresholdsModeAbsolute}
		for _, s := range grafana.ThresholdSteps(p.Thresholds) {
			f.Thresholds.Steps = append(f.Thresholds.Steps, dashboardv2.Threshold{Value: s.Value, Color: s.Color})
		}
	}
	for i, m := range p.Mappings {
		f.Mappings = append(f.Mappings, dashboardv2.ValueMapping{ValueMap: &dashboardv2.ValueMap{
			Type: dashboardv2.MappingTypeValue,
			Options: map[string]dashboardv2.ValueMappingResult{
				m.Value: {Text: model.Ptr(m.Text), Color: model.Ptr(string(m.Color)), Index: model.Ptr(int32(i))}},
		}})
	}
	for _, o := range v.Overrides {
		ov := dashboardv2.Dashboardv2FieldConfigSourceOverrides{Matcher: dashboardv2.MatcherConfig{Id: "byName", Options: o.Field}}
		for _, prop := range o.Properties {
			ov.Properties = append(ov.Properties, dashboardv2.DynamicConfigValue{Id: prop.ID, Value: prop.Value})
		}
		out.Overrides = append(out.Overrides, ov)
	}
	return out
}

func variable(v model.Variable) dashboardv2.VariableKind {
	if v.Kind == model.DataSource {
		return dashboardv2.VariableKind{DatasourceVariableKind: &dashboardv2.DatasourceVariableKind{Kind: "DatasourceVariable",
			Spec: dashboardv2.DatasourceVariableSpec{
				Name: v.Name, Label: &v.Label, Description: &v.Description, PluginId: grafana.PluginPrometheus,
				Refresh: dashboardv2.VariableRefreshOnDashboardLoad, Hide: dashboardv2.VariableHideDontHide,
				Current: option(""), Options: []dashboardv2.VariableOption{},
			}}}
	}
	spec := dashboardv2.QueryVariableSpec{
		Name: v.Name, Label: &v.Label, Description: &v.Description, Definition: &v.Query,
		Query:   query(map[string]string{"query": v.Query, "refId": "PrometheusVariableQueryEditor-VariableQuery"}),
		Refresh: dashboardv2.VariableRefreshOnTimeRangeChanged, Sort: dashboardv2.VariableSortAlphabeticalAsc,
		Hide: dashboardv2.VariableHideDontHide, Multi: true, IncludeAll: true,
		Options: []dashboardv2.VariableOption{}, AllowCustomValue: true,
		Current: dashboardv2.VariableOption{
			Text:  dashboardv2.StringOrArrayOfString{ArrayOfString: []string{"All"}},
			Value: dashboardv2.StringOrArrayOfString{ArrayOfString: []string{grafana.All}}},
	}
	if v.AllValue != "" {
		spec.AllValue = &v.AllValue
	}
	return dashboardv2.VariableKind{QueryVariableKind: &dashboardv2.QueryVariableKind{Kind: "QueryVariable", Spec: spec}}
}

func option(value string) dashboardv2.VariableOption {
	return dashboardv2.VariableOption{Text: dashboardv2.StringOrArrayOfString{String: &value},
		Value: dashboardv2.StringOrArrayOfString{String: &value}}
}
