package wire

import (
	"encoding/binary"
	"math"

	"github.com/prometheus/prometheus/model/histogram"
)

// Fields of the Histogram message, the same in both versions.
const (
	fieldCountInt, fieldCountFloat         = 1, 2
	fieldSum, fieldSchema                  = 3, 4
	fieldZeroThreshold                     = 5
	fieldZeroCountInt, fieldZeroCountFloat = 6, 7
	fieldNegativeSpans                     = 8
	fieldNegativeDeltas                    = 9
	fieldNegativeCounts                    = 10
	fieldPositiveSpans                     = 11
	fieldPositiveDeltas                    = 12
	fieldPositiveCounts                    = 13
	fieldResetHint                         = 14
	fieldCustomValues                      = 16 // 15 and 17 are the times, see appendTimes
)

// AppendHistogram appends the Histogram message of h, without its times.
func AppendHistogram(out []byte, h *histogram.Histogram) []byte {
	out = appendUint(out, fieldCountInt, h.Count)
	out = appendCommon(out, h.Sum, h.Schema, h.ZeroThreshold, h.CounterResetHint, h.CustomValues)
	out = appendUint(out, fieldZeroCountInt, h.ZeroCount)
	out = appendSpans(out, fieldNegativeSpans, h.NegativeSpans)
	out = appendDeltas(out, fieldNegativeDeltas, h.NegativeBuckets)
	out = appendSpans(out, fieldPositiveSpans, h.PositiveSpans)
	return appendDeltas(out, fieldPositiveDeltas, h.PositiveBuckets)
}

// AppendFloatHistogram appends the Histogram message of h, without its times.
func AppendFloatHistogram(out []byte, h *histogram.FloatHistogram) []byte {
	out = appendDouble(out, fieldCountFloat, h.Count)
	out = appendCommon(out, h.Sum, h.Schema, h.ZeroThreshold, h.CounterResetHint, h.CustomValues)
	out = appendDouble(out, fieldZeroCountFloat, h.ZeroCount)
	out = appendSpans(out, fieldNegativeSpans, h.NegativeSpans)
	out = appendDoubles(out, fieldNegativeCounts, h.NegativeBuckets)
	out = appendSpans(out, fieldPositiveSpans, h.PositiveSpans)
	return appendDoubles(out, fieldPositiveCounts, h.PositiveBuckets)
}

func appendCommon(
	out []byte, sum float64, schema int32, zeroThreshold float64, hint histogram.CounterResetHint, custom []float64,
) []byte {
	out = appendDouble(out, fieldSum, sum)
	out = binary.AppendVarint(appendTag(out, fieldSchema, wireVarint), int64(schema))
	out = appendDouble(out, fieldZeroThreshold, zeroThreshold)
	out = appendUint(out, fieldResetHint, uint64(hint))
	return appendDoubles(out, fieldCustomValues, custom)
}

func appendTag(out []byte, field, wireType uint64) []byte {
	return binary.AppendUvarint(out, field<<3|wireType)
}

func appendUint(out []byte, field, v uint64) []byte {
	return binary.AppendUvarint(appendTag(out, field, wireVarint), v)
}

func appendDouble(out []byte, field uint64, v float64) []byte {
	return binary.LittleEndian.AppendUint64(appendTag(out, field, wire64), math.Float64bits(v))
}

func appendDoubles(out []byte, field uint64, vs []float64) []byte {
	if len(vs) == 0 {
		return out
	}
	out = binary.AppendUvarint(appendTag(out, field, wireBytes), uint64(8*len(vs)))
	for _, v := range vs {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
	}
	return out
}

func appendDeltas(out []byte, field uint64, deltas []int64) []byte {
	if len(deltas) == 0 {
		return out
	}
	size := 0
	var scratch [binary.MaxVarintLen64]byte
	for _, d := range deltas {
		size += binary.PutVarint(scratch[:], d)
	}
	out = binary.AppendUvarint(appendTag(out, field, wireBytes), uint64(size))
	for _, d := range deltas {
		out = binary.AppendVarint(out, d)
	}
	return out
}

func appendSpans(out []byte, field uint64, spans []histogram.Span) []byte {
	for _, s := range spans {
		var b [2 * (1 + binary.MaxVarintLen64)]byte
		span := binary.AppendVarint(append(b[:0], 1<<3|wireVarint), int64(s.Offset))
		span = binary.AppendUvarint(append(span, 2<<3|wireVarint), uint64(s.Length))
		out = appendBytes(appendTag(out, field, wireBytes), span)
	}
	return out
}
