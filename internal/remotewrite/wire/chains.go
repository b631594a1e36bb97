package wire

// Both versions put the samples of one series into one TimeSeries, in order of time, and a TimeSeries has either floats
// or histograms. A chain is what may go into one: the items of a series as long as their times rise and their kind stays.
// Mostly a request has one sample per series; after an outage it has many, and then this saves most of the bytes.
type chains struct {
	epoch uint32
	slots []slot  // by number of series
	next  []int32 // by item: the next of its chain, or -1
	heads []int32 // items that begin a chain, in order
}

type slot struct {
	epoch uint32 // another one: not in this request
	tail  int32
}

// link arranges items in chains.
func (c *chains) link(b *Batch, items []Item) {
	if c.epoch++; c.epoch == 0 { // after 2^32 requests
		clear(c.slots)
		c.epoch = 1
	}
	c.heads, c.next = c.heads[:0], c.next[:0]
	if missing := len(b.Dictionary.Series) - len(c.slots); missing > 0 {
		c.slots = append(c.slots, make([]slot, missing)...)
	}
	for i := range items {
		c.next = append(c.next, -1)
		item := &items[i]
		s := &c.slots[item.Series.Number]
		if s.epoch == c.epoch && follows(b, &items[s.tail], item) {
			c.next[s.tail] = int32(i)
		} else {
			c.heads = append(c.heads, int32(i))
		}
		*s = slot{epoch: c.epoch, tail: int32(i)}
	}
}

// follows says whether b may stand behind a in one TimeSeries. Metadata that changed begins another, which says so.
func follows(batch *Batch, a, b *Item) bool {
	return a.T < b.T && a.Meta == b.Meta && (batch.more(a).histogram == nil) == (batch.more(b).histogram == nil)
}
