package model

// Visual is how a panel draws its data. The list of kinds is closed (TimeSeries, Stat, Table, Heatmap, Text), because
// every emitter and the viewer must draw all of them.
type Visual interface{ visual() }

// TimeSeries draws lines.
type TimeSeries struct {
	Stacked    bool
	Fill       int      // opacity under the line in percent
	LegendCalc []string // columns of the legend: last, mean, max; none makes a plain list
	// ThresholdLines draws the thresholds as dashed lines instead of only colouring values.
	ThresholdLines bool
	Colors         []SeriesColor
}

// SeriesColor fixes the colour of one series by its legend, so that the same thing looks the same on all panels.
type SeriesColor struct {
	Legend string
	Color  Color
}

// Stat draws one number per series.
type Stat struct {
	Sparkline  bool
	Background bool // colour the background instead of the value
	Names      bool // show the series' name beside the value
}

// Table draws the instant results of all targets as one table, merged by their common labels.
type Table struct {
	Columns  []Column
	SortBy   string // title of a column
	SortDesc bool
}

// Column is one column of a table: a label of the results, or the value of a target.
type Column struct {
	Label      string // label that the column shows
	Ref        string // or target whose value it shows
	Title      string
	Unit       Unit
	Decimals   *int
	Thresholds []Threshold // colour the cell's text
	Link       *DataLink
	Width      int // in pixels; 0 lets the table decide
}

// Heatmap draws the buckets of native histograms over time.
type Heatmap struct {
	LogScale bool // y axis with powers of two
}

// Text draws Markdown. It has no targets.
type Text struct{ Markdown string }

func (TimeSeries) visual() {}
func (Stat) visual()       {}
func (Table) visual()      {}
func (Heatmap) visual()    {}
func (Text) visual()       {}

// Unit is a unit id of Grafana. The list is closed, as the viewer formats exactly these.
type Unit string

// The units that panels use.
const (
	UnitNone         Unit = "none"
	UnitShort        Unit = "short"
	UnitPercent      Unit = "percentunit" // 0 to 1
	UnitSeconds      Unit = "s"
	UnitMilliseconds Unit = "ms"
	UnitMicroseconds Unit = "µs"
	UnitBytes        Unit = "bytes" // powers of 1024
	UnitBytesPerSec  Unit = "Bps"
	UnitRequestsPerS Unit = "reqps"
	UnitCountPerSec  Unit = "cps"
	UnitTime         Unit = "dateTimeAsIso" // milliseconds since 1970
	UnitBool         Unit = "bool"
)

// Units lists every unit of the model.
func Units() []Unit {
	return []Unit{UnitNone, UnitShort, UnitPercent, UnitSeconds, UnitMilliseconds, UnitMicroseconds, UnitBytes,
		UnitBytesPerSec, UnitRequestsPerS, UnitCountPerSec, UnitTime, UnitBool}
}
