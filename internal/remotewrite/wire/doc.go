// Package wire writes remote-write requests: io.prometheus.write.v2.Request and prometheus.WriteRequest, as protobuf, from
// samples as package frame reads them. Field numbers are those of Prometheus' prompb/io/prometheus/write/v2/types.proto
// and prompb/types.proto.
//
// An Encoder reuses its memory and belongs to one goroutine. Symbols of a request are found through a table by symbol of
// the dictionary, without hashing a string: a hash per label and sample is what senders that start from labels spend
// most of their time on. BenchmarkEncode measures it.
package wire

import (
	"slices"

	"github.com/tailgate-otel/tailgate/internal/remotewrite/frame"
	"github.com/tailgate-otel/tailgate/internal/remotewrite/journal"
)

// Item is one sample of a Batch.
type Item struct {
	Series   *frame.Known
	Meta     uint32
	extra    int32 // index in the batch's extras plus 1; 0: a plain float
	Start, T int64
	V        float64
}

// extra is what few items have.
type extra struct {
	histogram []byte
	custom    bool
	exemplars []frame.Exemplar
}

// Batch is the samples of one request. Its memory is its own, but for the strings and series of the dictionary.
type Batch struct {
	Dictionary frame.Dictionary // a snapshot, taken when the batch is complete
	Items      []Item
	Times      journal.Range
	extras     []extra
	histograms []byte
	anyCustom  bool
}

// Reset empties b and keeps its memory.
func (b *Batch) Reset() {
	clear(b.Items)
	clear(b.extras)
	*b = Batch{Items: b.Items[:0], Times: journal.NoTime(), extras: b.extras[:0], histograms: b.histograms[:0]}
}

// Add copies one entry.
func (b *Batch) Add(x *frame.Entry) {
	item := Item{Series: x.Series, Meta: x.Meta, Start: x.Start, T: x.T, V: x.V}
	if x.Histogram != nil || len(x.Exemplars) > 0 {
		more := extra{custom: x.Custom, exemplars: slices.Clone(x.Exemplars)}
		if x.Histogram != nil {
			from := len(b.histograms)
			b.histograms = append(b.histograms, x.Histogram...)
			more.histogram = b.histograms[from:len(b.histograms):len(b.histograms)]
		}
		b.extras = append(b.extras, more)
		b.anyCustom = b.anyCustom || x.Custom
		item.extra = int32(len(b.extras))
	}
	b.Items = append(b.Items, item)
	b.Times.Include(x.T)
}

// more returns what an item has beside its value.
func (b *Batch) more(item *Item) extra {
	if item.extra == 0 {
		return extra{}
	}
	return b.extras[item.extra-1]
}

// Custom says whether an item is a histogram with custom buckets.
func (b *Batch) Custom(item *Item) bool { return item.extra != 0 && b.extras[item.extra-1].custom }

// AnyCustom says whether any item is.
func (b *Batch) AnyCustom() bool { return b.anyCustom }

// Count counts items of b by what they are.
func (b *Batch) Count(items []Item) (c journal.Counts) {
	for i := range items {
		more := b.more(&items[i])
		if more.histogram != nil {
			c.Histograms++
		} else {
			c.Samples++
		}
		c.Exemplars += len(more.exemplars)
	}
	return c
}
