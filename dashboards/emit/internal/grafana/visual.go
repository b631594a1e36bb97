package grafana

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/text"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"

	"github.com/tailgate-otel/tailgate/dashboards/model"
)

// Visual is a panel's drawing in terms that classic and v2 share.
type Visual struct {
	Plugin          string // panel plugin id
	Options         any    // of the plugin
	Custom          any    // the plugin's part of the field configuration
	ColorMode       string // how values get their colour
	Transformations []Transformation
	Overrides       []Override
}

// Transformation reshapes the results before they are drawn.
type Transformation struct {
	ID      string
	Options any
}

// Override changes the configuration of the field of one name.
type Override struct {
	Field      string
	Properties []Property
}

// Property is one changed setting.
type Property struct {
	ID    string
	Value any
}

// Modes of colouring.
const (
	colorByThreshold = "thresholds"
	colorByPalette   = "palette-classic"
)

// Of translates the visual of a panel.
func Of(p model.Panel) Visual {
	switch v := p.Visual.(type) {
	case model.TimeSeries:
		return timeSeries(v)
	case model.Stat:
		return statistic(v)
	case model.Table:
		return tableOf(v)
	case model.Heatmap:
		return heatmapOf(v, p.Unit)
	case model.Text:
		return Visual{Plugin: "text", ColorMode: colorByThreshold, Options: text.Options{Mode: text.TextModeMarkdown, Content: v.Markdown}}
	}
	panic("grafana: panel " + p.Title + " has a visual outside the closed list of package model")
}

func timeSeries(v model.TimeSeries) Visual {
	legend := common.VizLegendOptions{DisplayMode: common.LegendDisplayModeList, Placement: common.LegendPlacementBottom,
		ShowLegend: true, Calcs: []string{}}
	if len(v.LegendCalc) > 0 {
		legend.DisplayMode = common.LegendDisplayModeTable
		legend.Calcs = calculations(v.LegendCalc)
	}
	custom := timeseries.FieldConfig{
		DrawStyle: model.Ptr(common.GraphDrawStyleLine), LineWidth: model.Ptr(1.0), FillOpacity: model.Ptr(float64(v.Fill)),
		LineInterpolation: model.Ptr(common.LineInterpolationLinear), ShowPoints: model.Ptr(common.VisibilityModeNever),
		SpanNulls: &common.BoolOrFloat64{Bool: model.Ptr(false)},
		Stacking:  &common.StackingConfig{Mode: model.Ptr(common.StackingModeNone), Group: model.Ptr("A")},
	}
	if v.Stacked {
		custom.Stacking.Mode = model.Ptr(common.StackingModeNormal)
	}
	if v.ThresholdLines {
		custom.ThresholdsStyle = &common.GraphThresholdsStyleConfig{Mode: common.GraphThresholdsStyleModeDashed}
	}
	out := Visual{Plugin: "timeseries", Custom: custom, ColorMode: colorByPalette, Options: timeseries.Options{
		Legend: legend, Tooltip: common.VizTooltipOptions{Mode: common.TooltipDisplayModeMulti, Sort: common.SortOrderDescending},
	}}
	for _, c := range v.Colors {
		out.Overrides = append(out.Overrides, Override{Field: c.Legend, Properties: []Property{
			{ID: "color", Value: map[string]any{"mode": "fixed", "fixedColor": string(c.Color)}},
		}})
	}
	return out
}

// calculations translates the columns of a legend to ids of Grafana's reducers.
func calculations(names []string) []string {
	ids := map[string]string{"last": "lastNotNull", "max": "max", "mean": "mean"}
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = ids[n]
	}
	return out
}

func statistic(v model.Stat) Visual {
	o := stat.Options{
		GraphMode: common.BigValueGraphModeNone, ColorMode: common.BigValueColorModeValue,
		JustifyMode: common.BigValueJustifyModeAuto, TextMode: common.BigValueTextModeValue, WideLayout: true,
		ReduceOptions:          common.ReduceDataOptions{Values: model.Ptr(false), Calcs: []string{"lastNotNull"}, Fields: model.Ptr("")},
		PercentChangeColorMode: common.PercentChangeColorModeStandard, Orientation: common.VizOrientationAuto,
	}
	if v.Sparkline {
		o.GraphMode = common.BigValueGraphModeArea
	}
	if v.Background {
		o.ColorMode = common.BigValueColorModeBackground
	}
	if v.Names {
		o.TextMode = common.BigValueTextModeValueAndName
	}
	return Visual{Plugin: "stat", ColorMode: colorByThreshold, Options: o}
}

// heatmapOf: the cells are counts per second, whatever the unit of the axis is.
func heatmapOf(v model.Heatmap, unit model.Unit) Visual {
	o := *heatmap.NewOptions()
	o.Color.Mode, o.Color.Scheme, o.Color.Scale = model.Ptr(heatmap.HeatmapColorModeScheme), "Oranges", model.Ptr(heatmap.HeatmapColorScaleExponential)
	o.YAxis.Unit, o.YAxis.AxisPlacement = model.Ptr(string(unit)), model.Ptr(common.AxisPlacementLeft)
	o.Tooltip.Mode = common.TooltipDisplayModeSingle
	o.CellValues = &heatmap.CellValues{Unit: model.Ptr(string(model.UnitCountPerSec))}
	custom := heatmap.FieldConfig{ScaleDistribution: &common.ScaleDistributionConfig{Type: common.ScaleDistributionLinear}}
	if v.LogScale {
		// Native histograms bring the scale of their own buckets; this one is for classic ones and for the axis.
		o.YAxis.ScaleDistribution = &common.ScaleDistributionConfig{Type: common.ScaleDistributionLog, Log: model.Ptr(2.0)}
	}
	return Visual{Plugin: "heatmap", ColorMode: colorByThreshold, Options: o, Custom: custom}
}

func tableOf(v model.Table) Visual {
	o := *table.NewOptions()
	o.Footer = nil // the SDK's default footer has a reducer of null, which its schema refuses
	if v.SortBy != "" {
		o.SortBy = []common.TableSortByFieldState{{DisplayName: v.SortBy, Desc: model.Ptr(v.SortDesc)}}
	}
	names, order := map[string]string{}, map[string]int{}
	out := Visual{Plugin: "table", ColorMode: colorByThreshold, Options: o,
		Custom: table.FieldConfig{Align: common.FieldTextAlignmentAuto}}
	for i, c := range v.Columns {
		field := c.Label
		if field == "" {
			field = "Value #" + c.Ref
		}
		names[field], order[field] = c.Title, i
		if props := columnProperties(c); len(props) > 0 {
			out.Overrides = append(out.Overrides, Override{Field: c.Title, Properties: props})
		}
	}
	out.Transformations = []Transformation{
		{ID: "merge", Options: map[string]any{}},
		{ID: "organize", Options: map[string]any{
			"excludeByName": map[string]bool{"Time": true}, "indexByName": order, "renameByName": names,
		}},
	}
	return out
}

func columnProperties(c model.Column) []Property {
	var out []Property
	if c.Unit != "" {
		out = append(out, Property{"unit", string(c.Unit)})
	}
	if c.Decimals != nil {
		out = append(out, Property{"decimals", *c.Decimals})
	}
	if len(c.Thresholds) > 0 {
		out = append(out,
			Property{"thresholds", map[string]any{"mode": "absolute", "steps": ThresholdSteps(c.Thresholds)}},
			Property{"custom.cellOptions", map[string]any{"type": "color-text"}})
	}
	if c.Link != nil {
		out = append(out, Property{"links", []DataLink{LinkOf(*c.Link)}})
	}
	if c.Width > 0 {
		out = append(out, Property{"custom.width", c.Width})
	}
	return out
}
