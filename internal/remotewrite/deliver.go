package remotewrite

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tailgate-otel/tailgate/internal/remotewrite/frame"
	"github.com/tailgate-otel/tailgate/internal/remotewrite/journal"
	"github.com/tailgate-otel/tailgate/internal/remotewrite/wire"
)

// batch is the samples of one request, owned by the pump while it fills and by its shard afterwards.
type batch struct {
	wire.Batch
	shard int
	end   journal.Position // of what it holds in the journal; zero: it was read back
	step  *sync.WaitGroup  // of the step that read it back; nil: from the journal
	count journal.Counts
}

// protocol remembers which version the server understands.
type protocol struct {
	message Message
	until   atomic.Int64 // Unix nanoseconds: version 1 until then
}

// retryV2 is when a server that did not know version 2 is asked again: servers are upgraded more rarely, and asking costs
// one request.
const retryV2 = time.Hour

func (p *protocol) v2() bool {
	return p.message == V2 || p.message == Auto && time.Now().UnixNano() >= p.until.Load()
}

func (p *protocol) fallBack() { p.until.Store(time.Now().Add(retryV2).UnixNano()) }

// splitRequests bounds what looking for the refused samples of one batch may cost. One bad series in 2,000 takes 22
// requests; beyond the bound what is refused is counted without looking further.
const splitRequests = 512

// courier delivers batches for one shard. It belongs to the shard's goroutine.
type courier struct {
	s          *Sender
	encoder    wire.Encoder
	compressed []byte
	requests   int // for this batch
	kept       []wire.Item
	last       bool // the sender is being closed, and this was the last attempt
}

// deliver returns when the server has taken or refused all of b, or false when ctx ends first.
func (c *courier) deliver(ctx context.Context, b *batch) bool {
	c.requests = 0
	return c.send(ctx, b, b.Items)
}

// send delivers some items of b, in order.
func (c *courier) send(ctx context.Context, b *batch, items []wire.Item) bool {
	backoff := time.Duration(c.s.cfg.Queue.MinBackoff)
	for attempt := 0; ; attempt++ {
		if items = c.dropOld(b, items); len(items) == 0 {
			return true
		}
		a := c.try(b, items, attempt)
		switch a.verdict {
		case stored:
			c.settle(b, items, a)
			return true
		case unsupported:
			if c.s.protocol.message == Auto {
				c.fallBack(a)
				continue
			}
			if a.status/100 == 2 { // and yet it has not looked at them
				c.refuse(b, items, b.Count(items), a)
				return true
			}
		case refused:
			return c.split(ctx, b, items, a)
		}
		if ctx.Err() != nil {
			return false
		}
		c.s.metrics.retried.add(b.Count(items))
		if !c.wait(ctx, a, &backoff) {
			return false
		}
	}
}

// try makes one request of the version that the server is believed to know.
func (c *courier) try(b *batch, items []wire.Item, attempt int) answer {
	v2 := c.s.protocol.v2()
	a := c.request(b, items, v2, attempt)
	if v2 && c.s.protocol.message == Auto && a.verdict == refused && a.status == 400 {
		// A server that knows version 2 says what it stored. This one may have taken the request for version 1.
		switch first := c.request(b, items, false, attempt); first.verdict {
		case stored:
			c.fallBack(a)
			return first
		case again, hold:
			return first
		}
	}
	return a
}

func (c *courier) request(b *batch, items []wire.Item, v2 bool, attempt int) answer {
	var request []byte
	if v2 {
		request = c.encoder.V2(&b.Batch, items)
		c.s.metrics.version.Set(2)
	} else {
		if items = c.withoutCustom(b, items); len(items) == 0 {
			return answer{verdict: stored}
		}
		request = c.encoder.V1(&b.Batch, items)
		c.s.metrics.version.Set(1)
	}
	c.requests++
	begin := time.Now()
	a, compressed := c.s.client.post(c.s.posting, request, c.compressed, v2, attempt)
	took := time.Since(begin)
	c.s.metrics.duration.Observe(took.Seconds())
	c.s.metrics.sending.Add(int64(took))
	if a.status != 0 {
		c.s.metrics.bytes.Add(float64(len(compressed)))
	}
	c.compressed = compressed[:0]
	if a.v2 = v2; !v2 {
		a.confirmed = false // receivers of version 1 need not tell, and some tell zeros
	}
	return a
}

// withoutCustom leaves out what version 1 cannot carry.
func (c *courier) withoutCustom(b *batch, items []wire.Item) []wire.Item {
	if !b.AnyCustom() {
		return items
	}
	c.kept = c.kept[:0]
	for i := range items {
		if !b.Custom(&items[i]) {
			c.kept = append(c.kept, items[i])
		}
	}
	return c.kept
}

// dropOld counts and leaves out what is older than the limit.
func (c *courier) dropOld(b *batch, items []wire.Item) []wire.Item {
	limit := time.Duration(c.s.cfg.Queue.SampleAgeLimit)
	if limit <= 0 {
		return items
	}
	oldest := time.Now().Add(-limit).UnixMilli()
	if b.Times.From >= oldest {
		return items
	}
	keep := items[:0:0]
	var old []wire.Item
	for i := range items {
		if items[i].T < oldest {
			old = append(old, items[i])
		} else {
			keep = append(keep, items[i])
		}
	}
	c.s.metrics.dropped(b.Count(old), reasonTooOld)
	return keep
}

// settle counts what the server has taken and what not.
func (c *courier) settle(b *batch, items []wire.Item, a answer) {
	all := b.Count(items)
	if !a.v2 {
		if left := c.withoutCustom(b, items); len(left) < len(items) {
			custom := all
			all = b.Count(left)
			custom.Sub(all)
			c.s.metrics.dropped(custom, reasonCustomBuckets)
		}
	}
	missing := journal.Counts{}
	if a.confirmed {
		missing = journal.Counts{
			Samples:    max(all.Samples-a.written.Samples, 0),
			Histograms: max(all.Histograms-a.written.Histograms, 0),
			Exemplars:  max(all.Exemplars-a.written.Exemplars, 0),
		}
		all.Sub(missing)
	}
	c.s.metrics.delivered(all, b.Times.To)
	if missing != (journal.Counts{}) {
		c.refuse(b, items, missing, a)
	}
}

func (c *courier) fallBack(a answer) {
	c.s.protocol.fallBack()
	c.s.log.Info("the remote-write server does not know version 2 of the protocol: it gets version 1",
		slog.Int("status", a.status), slog.String("message", a.message), slog.Duration("asked_again_in", retryV2))
}

// split looks for the refused among items by sending halves, the earlier first, which keeps the order of each series.
func (c *courier) split(ctx context.Context, b *batch, items []wire.Item, a answer) bool {
	if len(items) == 1 || c.requests >= splitRequests {
		c.refuse(b, items, b.Count(items), a)
		return true
	}
	half := len(items) / 2
	return c.send(ctx, b, items[:half]) && c.send(ctx, b, items[half:])
}

// refuse counts what the server will not take, and keeps an example.
func (c *courier) refuse(b *batch, items []wire.Item, missing journal.Counts, a answer) {
	reason := reasonOf(a.message)
	samples := missing.Samples + missing.Histograms
	c.s.metrics.failed.add(missing)
	c.s.metrics.refused.WithLabelValues(reason).Add(float64(samples))
	refusal := Refusal{
		Time: time.Now(), Status: a.status, Reason: reason, Message: a.message,
		Series: seriesName(&b.Dictionary, items[0].Series), Samples: samples,
	}
	c.s.refusals.add(refusal)
	c.s.sayRefused(refusal)
}

// seriesName writes a series as PromQL does.
func seriesName(d *frame.Dictionary, k *frame.Known) string {
	var name, rest strings.Builder
	for i := 0; i < len(k.Labels); i += 2 {
		label, value := d.Symbols[k.Labels[i]], d.Symbols[k.Labels[i+1]]
		if label == "__name__" {
			name.WriteString(value)
			continue
		}
		if rest.Len() > 0 {
			rest.WriteString(", ")
		}
		rest.WriteString(label + `="` + value + `"`)
	}
	return name.String() + "{" + rest.String() + "}"
}

// wait sleeps before the next attempt: longer each time, and as long as the server asked for. When the sender is being
// closed there is one more attempt at once, and no other: what is queued is safe where it is.
func (c *courier) wait(ctx context.Context, a answer, backoff *time.Duration) bool {
	if c.s.stopping() && c.last {
		c.s.giveUp()
		return false
	}
	longest := time.Duration(c.s.cfg.Queue.MaxBackoff)
	pause := *backoff
	if a.verdict == hold || a.verdict == unsupported {
		pause = longest
	}
	pause = max(pause/2+rand.N(pause/2+1), a.after) // shards that failed together do not come back together
	*backoff = min(2**backoff, longest)
	c.s.sayFailing(a, pause)
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.s.stop:
		c.last = true
		return true
	case <-ctx.Done():
		return false
	}
}
