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
	out := e.request[:0]
	for _, head := range e.chains.heads {
		histograms, exemplars := e.contentsV1(b, items, head)
		out = append(out, 1<<3|wireBytes, 0)
		at := len(out)
		out = e.samplesV1(appendLabelsV1(out, b, &items[head]), b, items, head)
		if exemplars && histograms {
			// Prometheus reads the exemplars of an entry before its histograms, and refuses those of a series that it does
			// not know yet. In an entry of their own they come after.
			out = closeMessage(out, at)
			out = append(out, 1<<3|wireBytes, 0)
			at = len(out)
			out = appendLabelsV1(out, b, &items[head])
		}
		if exemplars {
			out = e.exemplarsV1(out, b, items, head)
		}
		out = closeMessage(out, at)
	}
	e.request = out
	return out
}

// contentsV1 says whether the samples of a series are histograms, and whether any has exemplars.
func (e *Encoder) contentsV1(b *Batch, items []Item, head int32) (histograms, exemplars bool) {
	for i := head; i >= 0; i = e.chains.next[i] {
		more := b.more(&items[i])
		histograms = histograms || more.histogram != nil
		exemplars = exemplars || len(more.exemplars) > 0
	}
	return histograms, exemplars
}

func appendLabelsV1(out []byte, b *Batch, item *Item) []byte {
	refs := item.Series.Labels
	for i := 0; i < len(refs); i += 2 {
		out = appendLabel(out, b.Dictionary.Symbols[refs[i]], b.Dictionary.Symbols[refs[i+1]])
	}
	return out
}

func (e *Encoder) samplesV1(out []byte, b *Batch, items []Item, head int32) []byte {
	for i := head; i >= 0; i = e.chains.next[i] {
		item := &items[i]
		h := b.more(item).histogram
		if h == nil {
			out = append(out, 2<<3|wireBytes, 0, 1<<3|wire64)
			at := len(out) - 1
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(item.V))
			out = binary.AppendUvarint(append(out, 2<<3|wireVarint), uint64(item.T))
			out = closeMessage(out, at)
			continue
		}
		out = append(out, 4<<3|wireBytes, 0)
		at := len(out)
		out = appendTimes(append(out, h...), item, false)
		out = closeMessage(out, at)
	}
	return out
}

func (e *Encoder) exemplarsV1(out []byte, b *Batch, items []Item, head int32) []byte {
	for i := head; i >= 0; i = e.chains.next[i] {
		for _, x := range b.more(&items[i]).exemplars {
			out = exemplarV1(out, b, &x)
		}
	}
	return out
}

func exemplarV1(out []byte, b *Batch, x *frame.Exemplar) []byte {
	out = append(out, 3<<3|wireBytes, 0)
	at := len(out)
	for _, l := range x.Labels {
		out = appendLabel(out, b.Dictionary.Symbols[l.Name], l.Value)
	}
	out = binary.LittleEndian.AppendUint64(append(out, 2<<3|wire64), math.Float64bits(x.V))
	out = binary.AppendUvarint(append(out, 3<<3|wireVarint), uint64(x.T))
	return closeMessage(out, at)
}

// appendLabel appends a Label, which is field 1 of both TimeSeries and Exemplar.
func appendLabel(out []byte, name, value string) []byte {
	out = append(out, 1<<3|wireBytes, 0)
	at := len(out)
	out = appendString(append(out, 1<<3|wireBytes), name)
	out = appendString(append(out, 2<<3|wireBytes), value)
	return closeMessage(out, at)
}

// MetadataV1 writes a prometheus.WriteRequest that has only metadata.
func (e *Encoder) MetadataV1(families []frame.Metadata) []byte {
	out := e.request[:0]
	for i := range families {
		m := &families[i]
		out = append(out, 3<<3|wireBytes, 0)
		at := len(out)
		out = append(out, 1<<3|wireVarint, metricType(m.Type))
		out = appendString(append(out, 2<<3|wireBytes), m.Family)
		out = appendString(append(out, 4<<3|wireBytes), m.Help)
		out = appendString(append(out, 5<<3|wireBytes), m.Unit)
		out = closeMessage(out, at)
	}
	e.request = out
	return out
}
