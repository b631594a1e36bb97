package promfront

import "time"

// Refusal is an example of a refused sample.
type Refusal struct {
	Series string // as PromQL writes it
	Metric string // as OTLP names it
	Time   time.Time
	Value  float64 // of a histogram: its count
	Reason Reason
	Error  string
	Seen   time.Time // when it was refused
}

// MetricRefusals counts refused samples of one metric for one reason.
type MetricRefusals struct {
	Metric string // as OTLP names it; empty for those beyond the bound of this table
	Reason Reason
	Count  int64
}

// Offender is a metric or a resource with many series.
type Offender struct {
	Name   string // of a metric as OTLP names it, of a resource job/instance
	Series int
}

// Offenders are the metrics and resources with the most series, most first.
type Offenders struct {
	Series    int // in all
	Metrics   []Offender
	Resources []Offender
}
