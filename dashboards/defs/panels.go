package defs

import (
	"slices"
	"strings"

	"github.com/tailgate-otel/tailgate/dashboards/model"
)

// Sizes of panels in cells: a line of six stats and one of graphs fill what one sees without scrolling.
const (
	statWidth   = 4
	statHeight  = 4
	graphHeight = 8
)

// text is the words of a panel: its title, and what to look for and what to do then.
type text struct{ title, description string }

// withRefs names the targets A, B, C in their order.
func withRefs(targets []model.Target) []model.Target {
	for i := range targets {
		targets[i].Ref = string(rune('A' + i))
	}
	return targets
}

// stat is one number with its recent course.
func stat(id int, t text, unit model.Unit, thresholds []model.Threshold, targets ...model.Target) model.Panel {
	return model.Panel{
		ID: id, Title: t.title, Description: t.description, Width: statWidth, Height: statHeight,
		Visual: model.Stat{Sparkline: true}, Unit: unit, Thresholds: thresholds, Targets: withRefs(targets),
	}
}

// graph is a time series panel with a legend that shows the last and the largest value. A single line is filled; lines by
// label are not, as fills that cover each other hide what is below.
func graph(id, width int, t text, unit model.Unit, targets ...model.Target) model.Panel {
	fill := 8
	if slices.ContainsFunc(targets, func(t model.Target) bool { return strings.Contains(t.Legend, "{{") }) {
		fill = 0
	}
	return model.Panel{
		ID: id, Title: t.title, Description: t.description, Width: width, Height: graphHeight,
		Visual: model.TimeSeries{Fill: fill, LegendCalc: []string{"last", "max"}}, Unit: unit,
		Min: model.Ptr(0.0), Thresholds: model.Steps(model.Good), Targets: withRefs(targets),
	}
}

// stacked is a graph whose parts add up to a whole.
func stacked(id, width int, t text, unit model.Unit, targets ...model.Target) model.Panel {
	p := graph(id, width, t, unit, targets...)
	p.Visual = model.TimeSeries{Stacked: true, Fill: 40, LegendCalc: []string{"last", "max"}}
	return p
}

// colored fixes colours by legend: "kept", model.Good, "dropped", model.Muted.
func colored(p model.Panel, colors ...model.SeriesColor) model.Panel {
	ts, ok := p.Visual.(model.TimeSeries)
	if ok {
		ts.Colors = colors
		p.Visual = ts
	}
	return p
}

// limits draws the thresholds as lines into a graph.
func limits(p model.Panel, thresholds []model.Threshold) model.Panel {
	p.Thresholds = thresholds
	if ts, ok := p.Visual.(model.TimeSeries); ok {
		ts.ThresholdLines = true
		p.Visual = ts
	}
	return p
}

// ratio bounds a share at 0 and 1.
func ratio(p model.Panel) model.Panel {
	p.Min, p.Max = model.Ptr(0.0), model.Ptr(1.0)
	return p
}

// note is a panel of words.
func note(id, width, height int, t text, lines ...string) model.Panel {
	return model.Panel{
		ID: id, Title: t.title, Description: t.description, Width: width, Height: height,
		Visual: model.Text{Markdown: strings.Join(lines, "\n")}, Unit: model.UnitNone,
	}
}

// failures colours a share of failed requests: half of a 99.9 % objective's budget, and all of a 99 % one.
func failures() []model.Threshold {
	return model.Steps(model.Good, model.From(0.0005, model.Warn), model.From(0.01, model.Bad))
}

// none colours anything above zero as bad.
func none() []model.Threshold { return model.Steps(model.Good, model.From(0.000001, model.Bad)) }

// plain leaves a number without judgement.
func plain() []model.Threshold { return model.Steps(model.Neutral) }
