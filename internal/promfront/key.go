package promfront

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Keys are the bytes by which the cache knows resources, scopes, metrics and points. Every part has its length or a fixed
// size before it, so that different parts never give equal bytes.

func appendString(key []byte, s string) []byte {
	if len(s) < 0x80 {
		key = append(key, byte(len(s)))
	} else {
		key = binary.AppendUvarint(key, uint64(len(s)))
	}
	return append(key, s...)
}

// appendAttributes keeps the order in which they were sent: SDKs sort, and another order is only a second entry for the
// same series.
func appendAttributes(key []byte, attrs pcommon.Map) []byte {
	for name, v := range attrs.All() {
		key = appendString(key, name)
		if v.Type() == pcommon.ValueTypeStr { // as nearly all are
			key = appendString(append(key, byte(pcommon.ValueTypeStr)), v.Str())
			continue
		}
		key = appendValue(key, v)
	}
	return key
}

// attribute is one of a resource.
type attribute struct {
	name  string
	value pcommon.Value
}

// appendSorted is appendAttributes in the order of names, for resources: what takes attributes from a Go map, as
// k8s_attributes does, sends another order every time, and each would be another resource with all its series.
func (w *writer) appendSorted(key []byte, attrs pcommon.Map) []byte {
	w.sorted = w.sorted[:0]
	for name, v := range attrs.All() {
		w.sorted = append(w.sorted, attribute{name, v})
	}
	slices.SortStableFunc(w.sorted, func(a, b attribute) int { return strings.Compare(a.name, b.name) })
	for _, a := range w.sorted {
		key = appendValue(appendString(key, a.name), a.value)
	}
	return key
}

func appendValue(key []byte, v pcommon.Value) []byte {
	key = append(key, byte(v.Type()))
	switch v.Type() {
	case pcommon.ValueTypeStr:
		key = appendString(key, v.Str())
	case pcommon.ValueTypeInt:
		key = binary.LittleEndian.AppendUint64(key, uint64(v.Int()))
	case pcommon.ValueTypeDouble:
		key = binary.LittleEndian.AppendUint64(key, math.Float64bits(v.Double()))
	case pcommon.ValueTypeBool:
		if v.Bool() {
			return append(key, 1)
		}
		key = append(key, 0)
	case pcommon.ValueTypeBytes:
		key = appendString(key, string(v.Bytes().AsRaw()))
	case pcommon.ValueTypeMap:
		key = binary.AppendUvarint(key, uint64(v.Map().Len()))
		key = appendAttributes(key, v.Map())
	case pcommon.ValueTypeSlice:
		key = binary.AppendUvarint(key, uint64(v.Slice().Len()))
		for _, item := range v.Slice().All() {
			key = appendValue(key, item)
		}
	case pcommon.ValueTypeEmpty:
	}
	return key
}

func appendScope(key []byte, sm pmetric.ScopeMetrics) []byte {
	scope := sm.Scope()
	key = appendString(key, scope.Name())
	key = appendString(key, scope.Version())
	key = appendString(key, sm.SchemaUrl())
	return appendAttributes(key, scope.Attributes())
}

// kind is the type of a metric with what else decides how its points are read.
type kind uint8

const (
	kindType      kind = 0x07
	kindMonotonic kind = 0x08
	kindDelta     kind = 0x10
	kindOdd       kind = 0x20 // a temporality that is neither, which the converter turns down
)

func kindOf(m pmetric.Metric) kind {
	k := kind(m.Type())
	temporality := pmetric.AggregationTemporalityCumulative
	switch m.Type() {
	case pmetric.MetricTypeSum:
		if m.Sum().IsMonotonic() {
			k |= kindMonotonic
		}
		temporality = m.Sum().AggregationTemporality()
	case pmetric.MetricTypeHistogram:
		temporality = m.Histogram().AggregationTemporality()
	case pmetric.MetricTypeExponentialHistogram:
		temporality = m.ExponentialHistogram().AggregationTemporality()
	}
	switch temporality {
	case pmetric.AggregationTemporalityCumulative:
	case pmetric.AggregationTemporalityDelta:
		k |= kindDelta
	default:
		k |= kindOdd
	}
	return k
}

func (k kind) metricType() pmetric.MetricType { return pmetric.MetricType(k & kindType) }

func (k kind) delta() bool { return k&kindDelta != 0 }

// startsAtZero reports whether the start time of a point says when its series was 0.
func (k kind) startsAtZero() bool {
	switch k.metricType() {
	case pmetric.MetricTypeSum:
		return k&kindMonotonic != 0
	case pmetric.MetricTypeHistogram, pmetric.MetricTypeExponentialHistogram, pmetric.MetricTypeSummary:
		return true
	}
	return false
}

// summable reports whether points of several streams can be added to one.
func (k kind) summable() bool {
	switch k.metricType() {
	case pmetric.MetricTypeSum, pmetric.MetricTypeHistogram, pmetric.MetricTypeExponentialHistogram:
		return true
	}
	return false
}
