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
	if l := s.local[symbol]; l.epoch == s.epoch {
		return l.number
	}
	return s.take(d, symbol)
}

// take puts a symbol of the dictionary into the request.
func (s *symbols) take(d *frame.Dictionary, symbol uint32) uint32 {
	l := localSymbol{epoch: s.epoch}
	if text := d.Symbols[symbol]; text != "" {
		l.number = s.add(text)
	}
	s.local[symbol] = l
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
	out := e.series[:0]
	for _, head := range e.chains.heads {
		out = append(out, 5<<3|wireBytes, 0)
		at := len(out)
		out = e.timeSeriesV2(out, b, items, head)
		out = closeMessage(out, at)
	}
	e.series = out
	e.request = append(append(e.request[:0], e.symbols.out...), out...)
	return e.request
}

func (e *Encoder) timeSeriesV2(out []byte, b *Batch, items []Item, head int32) []byte {
	out = append(out, 1<<3|wireBytes, 0)
	at := len(out)
	for _, symbol := range items[head].Series.Labels {
		out = appendUvarint(out, e.symbols.of(&b.Dictionary, symbol))
	}
	out = closeMessage(out, at)
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
		out = append(out, 3<<3|wireBytes, 0)
		at := len(out)
		out = appendTimes(append(out, more.histogram...), item, true)
		out = closeMessage(out, at)
	}
	if exemplars {
		out = e.exemplarsV2(out, b, items, head)
	}
	return e.metadataV2(out, b, items[head].Meta)
}

// closeMessage ends what began at at, behind one byte for its length. Most are short enough for that one; a longer one is
// moved. To write each message elsewhere first and copy it cost 0.1 µs per sample more (BenchmarkSend).
func closeMessage(out []byte, at int) []byte {
	n := len(out) - at
	if n < 1<<7 {
		out[at-1] = byte(n)
		return out
	}
	var length [binary.MaxVarintLen64]byte
	k := binary.PutUvarint(length[:], uint64(n))
	out = append(out, length[:k-1]...) // room, whatever is in it
	copy(out[at+k-1:], out[at:at+n])
	copy(out[at-1:], length[:k])
	return out
}

// appendUvarint is binary.AppendUvarint, which is not inlined, for numbers that are mostly small.
func appendUvarint(out []byte, n uint32) []byte {
	if n < 1<<7 {
		return append(out, byte(n))
	}
	return binary.AppendUvarint(out, uint64(n))
}

// appendFloatV2 appends a Sample, which is at most 9 + 11 + 11 bytes long, so that one byte has its length.
func appendFloatV2(out []byte, item *Item) []byte {
	out = append(out, 2<<3|wireBytes, 0, 1<<3|wire64)
	at := len(out) - 1
	out = binary.LittleEndian.AppendUint64(out, math.Float64bits(item.V))
	out = binary.AppendUvarint(append(out, 2<<3|wireVarint), uint64(item.T))
	if item.Start != 0 {
		out = binary.AppendUvarint(append(out, 3<<3|wireVarint), uint64(item.Start))
	}
	out[at-1] = byte(len(out) - at)
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
			out = append(out, 4<<3|wireBytes, 0)
			at := len(out)
			out = append(out, 1<<3|wireBytes, 0)
			refs := len(out)
			for _, l := range x.Labels {
				out = appendUvarint(out, e.symbols.of(&b.Dictionary, l.Name))
				out = appendUvarint(out, e.symbols.add(l.Value))
			}
			out = closeMessage(out, refs)
			out = binary.LittleEndian.AppendUint64(append(out, 2<<3|wire64), math.Float64bits(x.V))
			out = binary.AppendUvarint(append(out, 3<<3|wireVarint), uint64(x.T))
			out = closeMessage(out, at)
		}
	}
	return out
}

func (e *Encoder) metadataV2(out []byte, b *Batch, meta uint32) []byte {
	if meta == 0 {
		return out
	}
	m := &b.Dictionary.Metas[meta]
	out = append(out, 5<<3|wireBytes, 0, 1<<3|wireVarint, metricType(m.Type))
	at := len(out) - 2
	if help := e.symbols.of(&b.Dictionary, m.Help); help != 0 {
		out = appendUvarint(append(out, 3<<3|wireVarint), help)
	}
	if unit := e.symbols.of(&b.Dictionary, m.Unit); unit != 0 {
		out = appendUvarint(append(out, 4<<3|wireVarint), unit)
	}
	return closeMessage(out, at)
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
