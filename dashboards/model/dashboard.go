package model

import "time"

// Dashboard is one page.
type Dashboard struct {
	UID         string // stable for good: links and bookmarks hold it
	Title       string // "Folder / Name"
	Description string // one sentence: which question the page answers
	Tags        []string
	Range       time.Duration // shown at first: now-Range to now
	Refresh     time.Duration
	// MinStep is the smallest step of every query: the export interval of the data. A smaller step only repeats samples.
	MinStep   time.Duration
	Variables []Variable
	Links     []Link
	Rows      []Row
}

// Row is a titled band of panels that can be folded.
type Row struct {
	ID        int // unique among rows and panels of the dashboard
	Title     string
	Collapsed bool
	Panels    []Panel
}

// Panel is one picture with its queries.
type Panel struct {
	ID    int // unique in the dashboard, never reused for another panel
	Title string
	// Description says what to look for and what to do about it.
	Description   string
	Width, Height int // in cells of the 24-column grid
	Visual        Visual
	Unit          Unit
	Decimals      *int
	Min, Max      *float64
	Thresholds    []Threshold
	Mappings      []Mapping
	NoValue       string // shown instead of an empty value
	Targets       []Target
	Links         []DataLink
}

// Target is one query of a panel.
type Target struct {
	Ref    string // A, B, C: the name by which table columns refer to it
	Expr   string // PromQL, made by package query
	Legend string // template over the labels of the result: {{http_route}}
	// Instant asks for the value at the end of the time range alone, as tables and current values need it.
	Instant bool
	// Exemplars asks for the exemplars of the series too.
	Exemplars bool
}

// Threshold colours values from From on. The first step of a list has no From.
type Threshold struct {
	From  *float64
	Color Color
}

// Mapping shows a word instead of a number.
type Mapping struct {
	Value string // the number as text: "1"
	Text  string
	Color Color
}

// Color is a colour by meaning; the emitters translate it.
type Color string

// The colours that panels use.
const (
	Good    Color = "green"
	Warn    Color = "yellow"
	Bad     Color = "red"
	Neutral Color = "blue"
	Muted   Color = "#8a93a2" // Grafana has no name for grey
)

// Link leads to another dashboard, with the time range and with those variables that mean the same there.
type Link struct {
	UID       string // of the target
	Title     string
	Tooltip   string
	Variables []string // names of variables of this dashboard that the target has too
}

// DataLink leads from a value to a dashboard. Set maps variables of the target to columns (titles) of the row clicked.
type DataLink struct {
	UID       string
	Title     string
	Variables []string
	Set       map[string]string
}

// Ptr returns a pointer to a copy of v, for the optional numbers of a panel.
func Ptr[T any](v T) *T { return &v }

// Steps builds a list of thresholds: a base colour and the values from which other colours hold.
func Steps(base Color, steps ...Threshold) []Threshold {
	return append([]Threshold{{Color: base}}, steps...)
}

// From is one step of Steps.
func From(value float64, c Color) Threshold { return Threshold{From: &value, Color: c} }
