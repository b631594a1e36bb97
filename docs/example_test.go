package docs_test

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.yaml.in/yaml/v3"
)

// example is what a document shows as sent: the keys of the exporter, and exports in the order of their times.
type example struct {
	Exporter map[string]any `yaml:"exporter"`
	Resource map[string]any `yaml:"resource"`
	Scope    *scope         `yaml:"scope"`
	Send     []sent         `yaml:"send"`
}

type scope struct {
	Name, Version string
	Attributes    map[string]any
}

// sent is a metric with one point. Those with the same time of arrival are one export; one without a name only lets time
// pass.
type sent struct {
	At       time.Duration  `yaml:"at"`       // when it is exported, since the beginning
	Resource map[string]any `yaml:"resource"` // if not that of the example

	Name        string `yaml:"name"`
	Type        string `yaml:"type"`
	Unit        string `yaml:"unit"`
	Description string `yaml:"description"`
	Monotonic   bool   `yaml:"monotonic"`
	Delta       bool   `yaml:"delta"`

	Time       *time.Duration `yaml:"time"` // of the point, if not At
	Start      *time.Duration `yaml:"start"`
	Attributes map[string]any `yaml:"attributes"`
	NoValue    bool           `yaml:"no_recorded_value"`
	Value      float64        `yaml:"value"`

	Count     uint64              `yaml:"count"`
	Sum       float64             `yaml:"sum"`
	Bounds    []float64           `yaml:"bounds"`
	Counts    []uint64            `yaml:"counts"`
	Scale     int32               `yaml:"scale"`
	Offset    int32               `yaml:"offset"`
	Zero      uint64              `yaml:"zero"`
	Quantiles map[float64]float64 `yaml:"quantiles"`
	Exemplars []sentExemplar      `yaml:"exemplars"`
}

type sentExemplar struct {
	Time       time.Duration  `yaml:"time"`
	Value      float64        `yaml:"value"`
	Trace      string         `yaml:"trace_id"`
	Span       string         `yaml:"span_id"`
	Attributes map[string]any `yaml:"attributes"`
}

func parseExample(text string) (example, error) {
	x := example{Resource: map[string]any{"service.name": "shop", "service.instance.id": "1"}}
	resource := x.Resource
	x.Resource = nil
	decoder := yaml.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&x); err != nil {
		return x, fmt.Errorf("an example: %w", err)
	}
	if x.Resource == nil {
		x.Resource = resource
	}
	return x, nil
}

// An export is what arrives at one time.
type export struct {
	at      time.Duration
	metrics pmetric.Metrics
}

// exports gives the example's times a beginning.
func (x example) exports(begin time.Time) (list []export, err error) {
	for _, s := range x.Send {
		if len(list) == 0 || list[len(list)-1].at != s.At {
			list = append(list, export{s.At, pmetric.NewMetrics()})
		}
		if s.Name == "" {
			continue
		}
		rm := list[len(list)-1].metrics.ResourceMetrics().AppendEmpty()
		resource := x.Resource
		if s.Resource != nil {
			resource = s.Resource
		}
		sm := rm.ScopeMetrics().AppendEmpty()
		attributes := sm.Scope().Attributes()
		if x.Scope != nil {
			sm.Scope().SetName(x.Scope.Name)
			sm.Scope().SetVersion(x.Scope.Version)
			err = cmp.Or(err, put(attributes, x.Scope.Attributes))
		}
		err = cmp.Or(err, put(rm.Resource().Attributes(), resource), s.fill(sm.Metrics().AppendEmpty(), begin))
	}
	return list, err
}

// point is what the points of all metric types have.
type point interface {
	SetTimestamp(pcommon.Timestamp)
	SetStartTimestamp(pcommon.Timestamp)
	SetFlags(pmetric.DataPointFlags)
	Attributes() pcommon.Map
}

func (s sent) fill(m pmetric.Metric, begin time.Time) error {
	m.SetName(s.Name)
	m.SetUnit(s.Unit)
	m.SetDescription(s.Description)
	p, exemplars, err := s.point(m)
	if err != nil {
		return err
	}
	stamp := func(d time.Duration) pcommon.Timestamp { return pcommon.NewTimestampFromTime(begin.Add(d)) }
	at := s.At
	if s.Time != nil {
		at = *s.Time
	}
	p.SetTimestamp(stamp(at))
	if s.Start != nil {
		p.SetStartTimestamp(stamp(*s.Start))
	}
	p.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(s.NoValue))
	for _, x := range s.Exemplars {
		err = cmp.Or(err, x.fill(exemplars.AppendEmpty(), stamp(x.Time)))
	}
	return cmp.Or(err, put(p.Attributes(), s.Attributes))
}

// point adds the point with its value. Summaries have no exemplars.
func (s sent) point(m pmetric.Metric) (point, pmetric.ExemplarSlice, error) {
	temporality := pmetric.AggregationTemporalityCumulative
	if s.Delta {
		temporality = pmetric.AggregationTemporalityDelta
	}
	switch s.Type {
	case "gauge":
		p := m.SetEmptyGauge().DataPoints().AppendEmpty()
		p.SetDoubleValue(s.Value)
		return p, p.Exemplars(), nil
	case "sum":
		m.SetEmptySum().SetAggregationTemporality(temporality)
		m.Sum().SetIsMonotonic(s.Monotonic)
		p := m.Sum().DataPoints().AppendEmpty()
		p.SetDoubleValue(s.Value)
		return p, p.Exemplars(), nil
	case "histogram":
		m.SetEmptyHistogram().SetAggregationTemporality(temporality)
		p := m.Histogram().DataPoints().AppendEmpty()
		p.SetCount(s.Count)
		p.SetSum(s.Sum)
		p.ExplicitBounds().FromRaw(s.Bounds)
		p.BucketCounts().FromRaw(s.Counts)
		return p, p.Exemplars(), nil
	case "exponential_histogram":
		m.SetEmptyExponentialHistogram().SetAggregationTemporality(temporality)
		p := m.ExponentialHistogram().DataPoints().AppendEmpty()
		p.SetCount(s.Count)
		p.SetSum(s.Sum)
		p.SetScale(s.Scale)
		p.SetZeroCount(s.Zero)
		p.Positive().SetOffset(s.Offset)
		p.Positive().BucketCounts().FromRaw(s.Counts)
		return p, p.Exemplars(), nil
	case "summary":
		p := m.SetEmptySummary().DataPoints().AppendEmpty()
		p.SetCount(s.Count)
		p.SetSum(s.Sum)
		for _, q := range slices.Sorted(maps.Keys(s.Quantiles)) {
			v := p.QuantileValues().AppendEmpty()
			v.SetQuantile(q)
			v.SetValue(s.Quantiles[q])
		}
		return p, pmetric.NewExemplarSlice(), nil
	}
	return nil, pmetric.ExemplarSlice{}, fmt.Errorf("%s: there is no type %q", s.Name, s.Type)
}

func (x sentExemplar) fill(to pmetric.Exemplar, at pcommon.Timestamp) error {
	to.SetTimestamp(at)
	to.SetDoubleValue(x.Value)
	var trace pcommon.TraceID
	var span pcommon.SpanID
	_, err := hex.Decode(trace[:], []byte(x.Trace))
	_, spanErr := hex.Decode(span[:], []byte(x.Span))
	to.SetTraceID(trace)
	to.SetSpanID(span)
	return cmp.Or(err, spanErr, put(to.FilteredAttributes(), x.Attributes))
}

// put sets the attributes in the order of their names, always the same as SDKs do.
func put(to pcommon.Map, attributes map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if err := to.PutEmpty(name).FromRaw(attributes[name]); err != nil {
			return fmt.Errorf("attribute %s: %w", name, err)
		}
	}
	return nil
}
