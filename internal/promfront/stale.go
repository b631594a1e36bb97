package promfront

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

const (
	// firstInterval is taken for the export interval until a second export shows it: the default of SDKs.
	firstInterval = int64(time.Minute / time.Millisecond)
	// sameExport is how far the samples of one export may lie apart that comes in several requests; a quarter of the
	// interval once it is known.
	sameExport = int64(500 * time.Millisecond / time.Millisecond)
)

// hear notes that the resource has exported, and learns how often it does: from the times of samples, because an export
// may come in several requests, and after an outage many come at once. A longer interval is believed at once but at most
// doubled, so that one outage is not taken for the rule; a shorter one by and by.
func (w *writer) hear() {
	r, newest := w.resource, millis(w.latest)
	if r.replaced {
		r.group.shared, r.replaced = true, false
	}
	switch gap := newest - r.export; {
	case r.heard == 0:
		r.export = newest
	case gap > max(sameExport, r.interval/4):
		r.export = newest
		r.learn(gap)
	}
	r.newest = max(r.newest, newest)
	r.heard, r.write, r.stale = w.now, w.id, false
}

func (r *resource) learn(gap int64) {
	switch {
	case r.interval == 0:
		r.interval = gap
	case gap > r.interval:
		r.interval = min(gap, 2*r.interval)
	default:
		r.interval -= (r.interval - gap) / 4
	}
}

// patience is how long after its last export a resource is taken to be gone, in ms: StaleAfter exports and half of
// another. With 1, the default of the exporter, series are gone from instant queries within two intervals, as of a target
// that cannot be scraped.
func (f *Front) patience(r *resource) int64 {
	interval := r.interval
	if interval == 0 {
		interval = firstInterval
	}
	return interval*int64(f.opts.StaleAfter) + interval/2
}

// Sweep marks series as stale whose resource has stopped exporting, and forgets what was not written for long. Call it
// every few seconds: a marker is late by at most the time between two calls. There is nothing to call at the end: markers
// at shutdown would make a gap of every restart of the collector.
func (f *Front) Sweep(ctx context.Context, now time.Time) error {
	// Looking at every entry is worth it 16 times in that span; otherwise a sweep looks at resources.
	forget := now.UnixMilli()-f.forgotten.Load() >= f.opts.Forget.Milliseconds()/16
	if forget {
		f.forgotten.Store(now.UnixMilli())
	}
	for _, g := range f.allGroups() {
		if err := f.sweepGroup(ctx, g, now.UnixMilli(), forget); err != nil {
			return fmt.Errorf("mark series of %s/%s as stale: %w", g.job, g.instance, err)
		}
	}
	return nil
}

func (f *Front) sweepGroup(ctx context.Context, g *group, now int64, forget bool) error {
	w := f.writer(ctx)
	defer f.writers.Put(w)
	defer w.forget()
	w.now = now
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.resources {
		if f.opts.StaleAfter > 0 && !r.stale && r.heard != 0 && now-r.heard > f.patience(r) {
			if err := w.markResource(r); err != nil {
				return err
			}
		}
	}
	if forget {
		f.forget(g, now-f.opts.Forget.Milliseconds())
	}
	return nil
}

// markResource marks everything that no other resource has written since. The marker lies where the missing export would
// have been, in the time of the sender.
func (w *writer) markResource(r *resource) error {
	t := r.newest + w.front.patience(r)
	old := r.newest - w.front.opts.Lookback.Milliseconds() // out of every query already
	var marked []*stream
	mark := func(s *stream, k kind) {
		if s == nil || s.stale || s.seen > r.heard || s.t < old || w.err != nil {
			return
		}
		for i := range s.refs {
			w.mark(s, i, t, w.front.isNative(k, s, i))
		}
		marked = append(marked, s)
		if w.appended >= maxTransaction {
			w.commit()
		}
	}
	for _, fam := range r.families {
		for _, e := range fam.entries {
			mark(e.stream, fam.kind)
		}
		if fam.over != nil {
			mark(fam.over.stream, fam.kind)
		}
	}
	mark(r.info, 0)
	if w.end(); w.err != nil {
		return w.err
	}
	for _, s := range marked {
		s.stale = true
	}
	r.stale = true
	return nil
}

// mark appends a stale marker, unless the series has a later sample or is gone.
func (w *writer) mark(s *stream, i int, t int64, native bool) {
	if s.refs[i] == 0 || w.err != nil {
		return
	}
	v, h := staleNaN, (*histogram.Histogram)(nil)
	if native {
		v, h = 0, &histogram.Histogram{Sum: staleNaN}
	}
	_, err := w.appender().Append(s.refs[i], labels.EmptyLabels(), 0, t, v, h, nil, storage.AppendV2Options{RejectOutOfOrder: true})
	w.appended++
	if err != nil {
		if _, ok := ReasonOf(err); !ok {
			w.fail(err)
		}
	}
}

// isNative reports whether series i of the stream holds native histograms.
func (f *Front) isNative(k kind, s *stream, i int) bool {
	switch k.metricType() {
	case pmetric.MetricTypeExponentialHistogram:
		return true
	case pmetric.MetricTypeHistogram:
		return f.opts.Histograms == NHCB || f.opts.Histograms == Both && i == len(s.refs)-1
	}
	return false
}

// forget drops what was not written since. g.mu is held.
func (f *Front) forget(g *group, since int64) {
	kept := g.resources[:0]
	for _, r := range g.resources {
		for key, fam := range r.families {
			f.forgetEntries(g, fam, since)
			if len(fam.entries) == 0 && (fam.over == nil || fam.over.stream.seen < since) {
				f.dropFamily(g, r, key, fam)
			}
		}
		if len(r.families) > 0 || r.heard >= since {
			kept = append(kept, r)
			continue
		}
		if r.info != nil {
			f.release(g, r.info)
		}
		f.dropResource(r)
	}
	clear(g.resources[len(kept):])
	g.resources = kept
}

func (f *Front) forgetEntries(g *group, fam *family, since int64) {
	for _, e := range fam.entries {
		switch {
		case e.stream != nil && e.stream.seen < since:
			f.release(g, e.stream)
		case e.bad != nil && e.bad.seen < since, e.source != nil && e.source.seen < since:
			f.sources.Add(-1)
		case e.stream == nil && e.bad == nil && e.source == nil:
		default:
			continue
		}
		fam.drop(e)
	}
	if fam.first != nil && fam.first.dead {
		fam.first = nil
	}
}

// drop forgets an entry. The one before it may still guess it.
func (f *family) drop(e *entry) {
	delete(f.entries, e.key)
	e.dead, e.next, e.stream = true, nil, nil
}

func (f *Front) dropFamily(g *group, r *resource, key string, fam *family) {
	if fam.over != nil {
		f.release(g, fam.over.stream)
	}
	delete(r.families, key)
	fam.dead, fam.next = true, nil
	if r.first == fam {
		r.first = nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if fam.count.families--; fam.count.families == 0 {
		delete(f.metrics, fam.name)
	}
}

func (f *Front) dropResource(r *resource) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r.dead = true
	delete(f.resources, r.key)
	if r.group.live--; r.group.live == 0 {
		delete(f.groups, [2]string{r.group.job, r.group.instance})
	}
}

// release ends one use of a stream.
func (f *Front) release(g *group, s *stream) {
	if s.users--; s.users == 0 {
		delete(g.streams, s.id)
		f.count(s, -len(s.refs))
	}
}
