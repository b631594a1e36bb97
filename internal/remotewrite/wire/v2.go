package wire

import (
	"encoding/binary"
	"math"

	"github.com/prometheus/common/model"

	"github.com/tailgate-otel/tailgate/internal/remotewrite/frame"
)

// Encoder writes requests. What it returns is valid until its next call.
type Encoder struct {
	chains  chains
	request []byte
	series  []byte // the TimeSeries of a version 2 request, which follow its symbols
	one     []byte // the TimeSeries being written
	part    []byte // the message in it being written
	symbols symbols
}

// symbols is the table of one version 2 request.
type symbols struct {
	epoch uint32
	local []localSymbol // by symbol of the dictionary
	count uint32
	out   []byte // the field, as it stands at the beginning of the request
}

type localSymbol struct{ epoch, number uint32 }

func (s *symbols) reset(d *frame.Dictionary) {
	if s.epoch++; s.epoch == 0 { // after 2^32 requests
		clear(s.local)
		s.epoch = 1
	}
	s.out = s.out[:0]
	s.count = 0
	s.add("") // the specification wants it first
	if missing := len(d.Symbols) - len(s.local); missing > 0 {
		s.local = append(s.local, make([]localSymbol, missing)...)
	}
}

func (s *symbols) add(text string) uint32 {
	s.out = appendString(append(s.out, 4<<3|wireBytes), text)
	s.count++
	return s.count - 1
}

// of returns the request's number of a symbol of the dictionary.
func (s *symbols) of(d *frame.Dictionary, symbol uint32) uint32 {
	l := &s.local[symbol]
	if l.epoch != s.epoch {
		*l = localSymbol{epoch: s.epoch}
		if text := d.Symbols[symbol]; text != "" {
			l.number = s.add(text)
		}
	}
	return l.number
}

const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
)

// V2 writes items of b as an io.prometheus.write.v2.Request.
func (e *Encoder) V2(b *Batch, items []Item) []byte {
	e.symbols.reset(&b.Dictionary)
	e.chains.link(b, items)
	e.series = e.series[:0]
	for _, head := range e.chains.heads {
		e.one = e.timeSeriesV2(e.one[:0], b, items, head)
		e.series = appendBytes(append(e.series, 5<<3|wireBytes), e.one)
	}
	e.request = append(append(e.request[:0], e.symbols.out...), e.series...)
	return e.request
}

func (e *Encoder) timeSeriesV2(out []byte, b *Batch, items []Item, head int32) []byte {
	e.part = e.part[:0]
	for _, symbol := range items[head].Series.Labels {
		e.part = binary.AppendUvarint(e.part, uint64(e.symbols.of(&b.Dictionary, symbol)))
	}
	out = appendBytes(append(out, 1<<3|wireBytes), e.part)
	exemplars := false
	for i := head; i >= 0; i = e.chains.next[i] {
		item := &items[i]
		if item.extra == 0 {
			out = appendFloatV2(out, item)
			continue
		}
		more := b.more(item)
		exemplars = exemplars || len(more.exemplars) > 0
		if more.histogram == nil {
			out = appendFloatV2(out, item)
			continue
		}
		e.part = appendTimes(append(e.part[:0], more.histogram...), item, true)
		out = appendBytes(append(out, 3<<3|wireBytes), e.part)
	}
	if exemplars {
		out = e.exemplarsV2(out, b, items, head)
	}
	return e.metadataV2(out, b, items[head].Meta)
}

// appendFloatV2 appends a Sample, which is at most 9 + 11 + 11 bytes long, so that one byte has its length.
func appendFloatV2(out []byte, item *Item) []byte {
	at := len(out) + 1
	out = append(out, 2<<3|wireBytes, 0, 1<<3|wire64)
	out = binary.LittleEndian.AppendUint64(out, math.Float64bits(item.V))
	out = binary.AppendUvarint(append(out, 2<<3|wireVarint), uint64(item.T))
	if item.Start != 0 {
		out = binary.AppendUvarint(append(out, 3<<3|wireVarint), uint64(item.Start))
	}
	out[at] = byte(len(out) - at - 1)
	return out
}

// appendTimes completes a Histogram message.
func appendTimes(out []byte, item *Item, start bool) []byte {
	out = binary.AppendUvarint(append(out, 15<<3|wireVarint), uint64(item.T))
	if start && item.Start != 0 {
		out = binary.AppendUvarint(out, 17<<3|wireVarint) // two bytes
		out = binary.AppendUvarint(out, uint64(item.Start))
	}
	return out
}

func (e *Encoder) exemplarsV2(out []byte, b *Batch, items []Item, head int32) []byte {
	for i := head; i >= 0; i = e.chains.next[i] {
		for _, x := range b.more(&items[i]).exemplars {
			refs := make([]byte, 0, 32)
			for _, l := range x.Labels {
				refs = binary.AppendUvarint(refs, uint64(e.symbols.of(&b.Dictionary, l.Name)))
				refs = binary.AppendUvarint(refs, uint64(e.symbols.add(l.Value)))
			}
			e.part = appendBytes(append(e.part[:0], 1<<3|wireBytes), refs)
			e.part = binary.LittleEndian.AppendUint64(append(e.part, 2<<3|wire64), math.Float64bits(x.V))
			e.part = binary.AppendUvarint(append(e.part, 3<<3|wireVarint), uint64(x.T))
			out = appendBytes(append(out, 4<<3|wireBytes), e.part)
		}
	}
	return out
}

func (e *Encoder) metadataV2(out []byte, b *Batch, meta uint32) []byte {
	if meta == 0 {
		return out
	}
	m := &b.Dictionary.Metas[meta]
	e.part = append(e.part[:0], 1<<3|wireVarint, metricType(m.Type))
	if help := e.symbols.of(&b.Dictionary, m.Help); help != 0 {
		e.part = binary.AppendUvarint(append(e.part, 3<<3|wireVarint), uint64(help))
	}
	if unit := e.symbols.of(&b.Dictionary, m.Unit); unit != 0 {
		e.part = binary.AppendUvarint(append(e.part, 4<<3|wireVarint), uint64(unit))
	}
	return appendBytes(append(out, 5<<3|wireBytes), e.part)
}

// metricType is the number of a type, the same in both versions.
func metricType(t model.MetricType) byte {
	switch t {
	case model.MetricTypeCounter:
		return 1
	case model.MetricTypeGauge:
		return 2
	case model.MetricTypeHistogram:
		return 3
	case model.MetricTypeGaugeHistogram:
		return 4
	case model.MetricTypeSummary:
		return 5
	case model.MetricTypeInfo:
		return 6
	case model.MetricTypeStateset:
		return 7
	}
	return 0
}

func appendBytes(out, b []byte) []byte {
	return append(binary.AppendUvarint(out, uint64(len(b))), b...)
}

func appendString(out []byte, s string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(s))), s...)
}
