package exposition

import (
	"encoding/binary"
	"math"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"google.golang.org/protobuf/encoding/protowire"
)

// protoEncoder writes length-delimited io.prometheus.client.MetricFamily messages. The numbers are those of
// metrics.proto of github.com/prometheus/client_model.
type protoEncoder struct {
	timestamps bool
	scheme     model.EscapingScheme
	timed      bool // the family's samples bear times
	typ        model.MetricType
	start      int // of the family's message; 0: none is open
}

const (
	familyName, familyHelp, familyType, familyMetric, familyUnit = 1, 2, 3, 4, 5

	metricLabel, metricGauge, metricCounter, metricSummary = 1, 2, 3, 4
	metricUntyped, metricTimestamp, metricHistogram        = 5, 6, 7

	labelName, labelValue = 1, 2

	counterValue, counterExemplar, counterStart = 1, 2, 3
	gaugeValue                                  = 1

	summaryCount, summarySum, summaryQuantile, summaryStart = 1, 2, 3, 4
	quantileAt, quantileValue                               = 1, 2

	histogramCount, histogramSum, histogramBucket, histogramCountFloat            = 1, 2, 3, 4
	histogramSchema, histogramZeroThreshold, histogramZero, histogramZeroF        = 5, 6, 7, 8
	histogramNegSpan, histogramNegDelta, histogramNegCount                        = 9, 10, 11
	histogramPosSpan, histogramPosDelta, histogramPosCount                        = 12, 13, 14
	histogramStart, histogramExemplars                                            = 15, 16
	bucketCount, bucketUpper, bucketExemplar, bucketCountFloat                    = 1, 2, 3, 4
	spanOffset, spanLength                                                        = 1, 2
	exemplarLabel, exemplarValue, exemplarTime, timeSeconds, timeNanos            = 1, 2, 3, 1, 2
	typeCounter, typeGauge, typeSummary, typeUntyped, typeHistogram        uint64 = 0, 1, 2, 3, 4
)

// family begins a message of f, unless one is open; end closes it.
func (e *protoEncoder) family(b []byte, f *family) []byte {
	if e.start > 0 {
		return b
	}
	b = append(b, 0) // for the length
	e.start = len(b)
	e.typ, e.timed = f.typ, e.timestamps && !f.target
	name := f.name
	if !f.legacy && e.scheme != model.NoEscaping {
		name = model.EscapeName(name, e.scheme)
	}
	b = appendString(b, familyName, name)
	b = appendString(b, familyHelp, f.help)
	b = appendUint(b, familyType, protoType(f.typ))
	if f.unit != "" {
		b = appendString(b, familyUnit, f.unit)
	}
	return b
}

// end closes the message that is open, if there is one.
func (e *protoEncoder) end(b []byte) []byte {
	if e.start > 0 {
		b = closeMessage(b, e.start)
		e.start = 0
	}
	return b
}

func protoType(t model.MetricType) uint64 {
	switch t {
	case model.MetricTypeCounter:
		return typeCounter
	case model.MetricTypeGauge:
		return typeGauge
	case model.MetricTypeSummary:
		return typeSummary
	case model.MetricTypeHistogram:
		return typeHistogram
	}
	return typeUntyped
}

// metric adds m to the family's message.
func (e *protoEncoder) metric(b []byte, m *metric) []byte {
	b, start := open(b, familyMetric)
	m.labels.Range(func(l labels.Label) {
		if !m.legacy && e.scheme != model.NoEscaping && !model.LegacyValidation.IsValidMetricName(l.Name) {
			l.Name = model.EscapeName(l.Name, e.scheme)
		}
		b = appendLabelPair(b, metricLabel, l)
	})
	switch e.typ {
	case model.MetricTypeHistogram:
		b = e.histogram(b, m)
	case model.MetricTypeSummary:
		b = e.summary(b, m)
	default:
		b = e.value(b, m)
	}
	if e.timed {
		b = appendUint(b, metricTimestamp, uint64(m.time))
	}
	return closeMessage(b, start)
}

func (e *protoEncoder) value(b []byte, m *metric) []byte {
	field := protowire.Number(metricUntyped)
	switch e.typ {
	case model.MetricTypeCounter:
		field = metricCounter
	case model.MetricTypeGauge:
		field = metricGauge
	}
	b, start := open(b, field)
	for i := range m.parts {
		if p := &m.parts[i]; p.epoch == m.epoch {
			b = appendDouble(b, gaugeValue, p.value)
			if field == metricCounter && p.exemplar != nil {
				b = appendExemplarMessage(b, counterExemplar, p.exemplar)
			}
		}
	}
	if field == metricCounter && m.start > 0 {
		b = appendTime(b, counterStart, m.start)
	}
	return closeMessage(b, start)
}

func (e *protoEncoder) summary(b []byte, m *metric) []byte {
	b, start := open(b, metricSummary)
	for i := range m.parts {
		p := &m.parts[i]
		if p.epoch != m.epoch {
			continue
		}
		switch p.bound.role {
		case roleCount:
			b = appendUint(b, summaryCount, uint64(p.value))
		case roleSum:
			b = appendDouble(b, summarySum, p.value)
		case roleQuantile:
			var quantile int
			b, quantile = open(b, summaryQuantile)
			b = appendDouble(b, quantileAt, p.bound.at)
			b = appendDouble(b, quantileValue, p.value)
			b = closeMessage(b, quantile)
		}
	}
	if m.start > 0 {
		b = appendTime(b, summaryStart, m.start)
	}
	return closeMessage(b, start)
}

func (e *protoEncoder) histogram(b []byte, m *metric) []byte {
	b, start := open(b, metricHistogram)
	classic := false
	for i := range m.parts {
		p := &m.parts[i]
		if p.epoch != m.epoch {
			continue
		}
		classic = true
		switch p.bound.role {
		case roleCount:
			b = appendCount(b, histogramCount, histogramCountFloat, p.value)
		case roleSum:
			b = appendDouble(b, histogramSum, p.value)
		case roleBucket:
			b = appendBucket(b, p)
		}
	}
	if n := m.native; n != nil && n.epoch == m.epoch && (n.ints != nil || n.floats != nil) {
		b = appendNative(b, n, !classic)
	}
	if m.start > 0 {
		b = appendTime(b, histogramStart, m.start)
	}
	return closeMessage(b, start)
}

func appendBucket(b []byte, p *part) []byte {
	b, start := open(b, histogramBucket)
	b = appendCount(b, bucketCount, bucketCountFloat, p.value)
	b = appendDouble(b, bucketUpper, p.bound.at)
	if p.exemplar != nil {
		b = appendExemplarMessage(b, bucketExemplar, p.exemplar)
	}
	return closeMessage(b, start)
}

// appendNative writes the buckets of a native histogram; its count and sum only where no classic histogram has done so.
func appendNative(b []byte, n *native, totals bool) []byte {
	count, sum := n.totals()
	if totals {
		if n.ints != nil {
			b = appendUint(b, histogramCount, n.ints.Count)
		} else {
			b = appendDouble(b, histogramCountFloat, count)
		}
		b = appendDouble(b, histogramSum, sum)
	}
	if h := n.ints; h != nil {
		b = appendShape(b, h.Schema, h.ZeroThreshold, h.PositiveSpans, h.NegativeSpans)
		b = appendUint(b, histogramZero, h.ZeroCount)
		b = appendDeltas(b, histogramNegDelta, h.NegativeBuckets)
		b = appendDeltas(b, histogramPosDelta, h.PositiveBuckets)
	} else {
		h := n.floats
		b = appendShape(b, h.Schema, h.ZeroThreshold, h.PositiveSpans, h.NegativeSpans)
		b = appendDouble(b, histogramZeroF, h.ZeroCount)
		b = appendDoubles(b, histogramNegCount, h.NegativeBuckets)
		b = appendDoubles(b, histogramPosCount, h.PositiveBuckets)
	}
	for i := range n.exemplars {
		b = appendExemplarMessage(b, histogramExemplars, &n.exemplars[i])
	}
	return b
}

func appendShape(b []byte, schema int32, zero float64, positive, negative []histogram.Span) []byte {
	b = appendUint(b, histogramSchema, protowire.EncodeZigZag(int64(schema)))
	b = appendDouble(b, histogramZeroThreshold, zero)
	b = appendSpans(b, histogramNegSpan, negative)
	if len(positive) == 0 && len(negative) == 0 {
		positive = []histogram.Span{{}} // tells it from a classic histogram without buckets, as metrics.proto asks for
	}
	return appendSpans(b, histogramPosSpan, positive)
}

func appendSpans(b []byte, field protowire.Number, spans []histogram.Span) []byte {
	for _, s := range spans {
		var start int
		b, start = open(b, field)
		b = appendUint(b, spanOffset, protowire.EncodeZigZag(int64(s.Offset)))
		b = appendUint(b, spanLength, uint64(s.Length))
		b = closeMessage(b, start)
	}
	return b
}

func appendDeltas(b []byte, field protowire.Number, deltas []int64) []byte {
	if len(deltas) == 0 {
		return b
	}
	b, start := open(b, field)
	for _, d := range deltas {
		b = protowire.AppendVarint(b, protowire.EncodeZigZag(d))
	}
	return closeMessage(b, start)
}

func appendDoubles(b []byte, field protowire.Number, values []float64) []byte {
	if len(values) == 0 {
		return b
	}
	b, start := open(b, field)
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return closeMessage(b, start)
}

// appendCount writes a count, as a float only when it is none of the natural numbers that floats hold exactly.
func appendCount(b []byte, whole, float protowire.Number, v float64) []byte {
	if v >= 0 && v == math.Trunc(v) && v < 1<<53 {
		return appendUint(b, whole, uint64(v))
	}
	return appendDouble(b, float, v)
}

func appendExemplarMessage(b []byte, field protowire.Number, e *exemplar.Exemplar) []byte {
	b, start := open(b, field)
	e.Labels.Range(func(l labels.Label) {
		l.Name, l.Value = clean(l.Name), clean(l.Value)
		b = appendLabelPair(b, exemplarLabel, l)
	})
	b = appendDouble(b, exemplarValue, e.Value)
	if e.HasTs {
		b = appendTime(b, exemplarTime, e.Ts)
	}
	return closeMessage(b, start)
}

func appendLabelPair(b []byte, field protowire.Number, l labels.Label) []byte {
	size := 2 + len(l.Name) + len(l.Value) + protowire.SizeVarint(uint64(len(l.Name))) + protowire.SizeVarint(uint64(len(l.Value)))
	b = protowire.AppendTag(b, field, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(size))
	b = appendString(b, labelName, l.Name)
	return appendString(b, labelValue, l.Value)
}

func appendTime(b []byte, field protowire.Number, ms int64) []byte {
	b, start := open(b, field)
	seconds, rest := ms/1000, ms%1000
	if rest < 0 {
		seconds, rest = seconds-1, rest+1000
	}
	b = appendUint(b, timeSeconds, uint64(seconds))
	b = appendUint(b, timeNanos, uint64(rest)*1e6)
	return closeMessage(b, start)
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendString(b, s)
}

func appendUint(b []byte, field protowire.Number, v uint64) []byte {
	b = protowire.AppendTag(b, field, protowire.VarintType)
	return protowire.AppendVarint(b, v)
}

func appendDouble(b []byte, field protowire.Number, v float64) []byte {
	b = protowire.AppendTag(b, field, protowire.Fixed64Type)
	return protowire.AppendFixed64(b, math.Float64bits(v))
}

// open begins a message inside another one, with one byte for its length.
func open(b []byte, field protowire.Number) (_ []byte, start int) {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return append(b, 0), len(b) + 1
}

// closeMessage writes the length of the message that begins at start. Most are shorter than 128 bytes; a longer one moves up
// by a byte or two, which costs less than computing all lengths beforehand.
func closeMessage(b []byte, start int) []byte {
	size := len(b) - start
	if size < 0x80 {
		b[start-1] = byte(size)
		return b
	}
	extra := protowire.SizeVarint(uint64(size)) - 1
	b = append(b, make([]byte, extra)...)
	copy(b[start+extra:], b[start:start+size])
	protowire.AppendVarint(b[:start-1], uint64(size))
	return b
}
