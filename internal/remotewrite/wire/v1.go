package wire

import (
	"encoding/binary"
	"math"

	"github.com/tailgate-otel/tailgate/internal/remotewrite/frame"
)

// V1 writes items of b as a prometheus.WriteRequest. It must not be given histograms with custom buckets (see
// Batch.Custom): receivers of version 1 take them for broken exponential ones.
func (e *Encoder) V1(b *Batch, items []Item) []byte {
	e.chains.link(b, items)
	e.request = e.request[:0]
	for _, head := range e.chains.heads {
		e.one = e.timeSeriesV1(e.one[:0], b, items, head)
		e.request = appendBytes(append(e.request, 1<<3|wireBytes), e.one)
	}
	return e.request
}

func (e *Encoder) timeSeriesV1(out []byte, b *Batch, items []Item, head int32) []byte {
	refs := items[head].Series.Labels
	for i := 0; i < len(refs); i += 2 {
		e.part = appendLabel(e.part[:0], b.Dictionary.Symbols[refs[i]], b.Dictionary.Symbols[refs[i+1]])
		out = appendBytes(append(out, 1<<3|wireBytes), e.part)
	}
	for i := head; i >= 0; i = e.chains.next[i] {
		item := &items[i]
		if h := b.more(item).histogram; h != nil {
			e.part = appendTimes(append(e.part[:0], h...), item, false)
			out = appendBytes(append(out, 4<<3|wireBytes), e.part)
			continue
		}
		e.part = binary.LittleEndian.AppendUint64(append(e.part[:0], 1<<3|wire64), math.Float64bits(item.V))
		e.part = binary.AppendUvarint(append(e.part, 2<<3|wireVarint), uint64(item.T))
		out = appendBytes(append(out, 2<<3|wireBytes), e.part)
	}
	for i := head; i >= 0; i = e.chains.next[i] {
		for _, x := range b.more(&items[i]).exemplars {
			out = e.exemplarV1(out, b, &x)
		}
	}
	return out
}

func (e *Encoder) exemplarV1(out []byte, b *Batch, x *frame.Exemplar) []byte {
	e.part = e.part[:0]
	for _, l := range x.Labels {
		e.part = appendBytes(append(e.part, 1<<3|wireBytes), appendLabel(nil, b.Dictionary.Symbols[l.Name], l.Value))
	}
	e.part = binary.LittleEndian.AppendUint64(append(e.part, 2<<3|wire64), math.Float64bits(x.V))
	e.part = binary.AppendUvarint(append(e.part, 3<<3|wireVarint), uint64(x.T))
	return appendBytes(append(out, 3<<3|wireBytes), e.part)
}

func appendLabel(out []byte, name, value string) []byte {
	out = appendString(append(out, 1<<3|wireBytes), name)
	return appendString(append(out, 2<<3|wireBytes), value)
}

// MetadataV1 writes a prometheus.WriteRequest that has only metadata.
func (e *Encoder) MetadataV1(families []frame.Metadata) []byte {
	e.request = e.request[:0]
	for i := range families {
		m := &families[i]
		e.part = append(e.part[:0], 1<<3|wireVarint, metricType(m.Type))
		e.part = appendString(append(e.part, 2<<3|wireBytes), m.Family)
		e.part = appendString(append(e.part, 4<<3|wireBytes), m.Help)
		e.part = appendString(append(e.part, 5<<3|wireBytes), m.Unit)
		e.request = appendBytes(append(e.request, 3<<3|wireBytes), e.part)
	}
	return e.request
}
