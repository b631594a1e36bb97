package exposition

import (
	"context"
	"errors"
	"math"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
)

var errClosed = errors.New("exposition: the appender was used after Commit or Rollback")

// AppenderV2 starts a transaction. Nothing of it is seen before Commit.
func (x *Exposition) AppenderV2(context.Context) storage.AppenderV2 {
	a := x.pools.appender(x)
	a.now = x.opts.Now().UnixMilli()
	return a
}

// appender collects a transaction: 56 bytes per sample until Commit.
type appender struct {
	x         *Exposition // nil once it is done
	now       int64
	pending   []pending
	exemplars []exemplar.Exemplar
}

type pending struct {
	ref       storage.SeriesRef
	start, t  int64
	value     float64
	ints      *histogram.Histogram
	floats    *histogram.FloatHistogram
	exemplars [2]uint32 // range in appender.exemplars
}

// Append implements storage.AppenderV2. As with Prometheus' own database, a reference to a series that is gone needs
// labels: without them the answer is tsdb.ErrInvalidSample. A sample older than what is shown is refused with
// storage.ErrOutOfOrderSample; one of the same time replaces it.
func (a *appender) Append(
	ref storage.SeriesRef, ls labels.Labels, start, t int64, v float64,
	h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AppendV2Options,
) (storage.SeriesRef, error) {
	if a.x == nil {
		return 0, errClosed
	}
	shown, known := a.x.known(ref, a.now, t)
	if !known {
		id, err := identify(ls, h != nil || fh != nil, opts)
		if err != nil {
			return 0, err
		}
		id = a.x.rename(id)
		if isStale(v, h, fh) && !a.x.holds(id) {
			return nowhere, nil // nothing to end
		}
		ref, shown = a.x.create(id, a.now, opts)
	}
	if t < shown {
		return a.x.tooOld(ref)
	}
	p := pending{ref: ref, start: start, t: t, value: v, ints: h, floats: fh}
	if len(opts.Exemplars) > 0 {
		from := len(a.exemplars)
		a.exemplars = append(a.exemplars, opts.Exemplars...)
		p.exemplars = [2]uint32{uint32(from), uint32(len(a.exemplars))}
	}
	a.pending = append(a.pending, p)
	return ref, nil
}

// nowhere is a reference to nothing. Like that of a series that is gone it needs labels, but it is not 0, which writers
// take for a mistake.
const nowhere = storage.SeriesRef(math.MaxUint64)

// tooOld refuses a sample. Those of the target family all say the same, and its writer repeats them for earlier times.
func (x *Exposition) tooOld(ref storage.SeriesRef) (storage.SeriesRef, error) {
	x.mu.RLock()
	s := x.table.find(ref)
	target := s != nil && s.metric.family.target
	x.mu.RUnlock()
	if target {
		return ref, nil
	}
	return ref, storage.ErrOutOfOrderSample
}

// known looks at what ref means. A sample that will be taken keeps its metric alive from here on, so that Sweep cannot
// come between Append and Commit.
func (x *Exposition) known(ref storage.SeriesRef, now, t int64) (shown int64, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := x.table.find(ref)
	if s == nil {
		return 0, false
	}
	m := s.metric
	if m.epoch == 0 {
		return math.MinInt64, true
	}
	if t >= m.time && m.seen.Load() != now {
		m.seen.Store(now)
	}
	return m.time, true
}

// Commit implements storage.AppenderTransaction.
func (a *appender) Commit() error {
	x := a.x
	if x == nil {
		return errClosed
	}
	x.mu.Lock()
	var ended []*metric
	for i := range a.pending {
		p := &a.pending[i]
		s := x.table.find(p.ref)
		if s == nil {
			continue // ended or replaced since Append
		}
		m := s.metric
		if isStale(p.value, p.ints, p.floats) {
			m.end(s.part)
			ended = append(ended, m)
			continue
		}
		if m.epoch > 0 && p.t < m.time {
			continue // another transaction was faster, and what is newer is shown
		}
		x.store(m, s.part, p, a.exemplars[p.exemplars[0]:p.exemplars[1]])
	}
	for _, m := range ended {
		if !m.removed {
			x.prune(m)
		}
	}
	x.mu.Unlock()
	x.pools.put(a)
	return nil
}

// Rollback implements storage.AppenderTransaction.
func (a *appender) Rollback() error {
	if a.x == nil {
		return errClosed
	}
	a.x.pools.put(a)
	return nil
}

// store writes one sample into its place; mu held.
func (x *Exposition) store(m *metric, part int32, p *pending, exemplars []exemplar.Exemplar) {
	m.point(p.t, p.start)
	if part != nativePart {
		m.parts[part].set(m, p.value, exemplars)
		return
	}
	if customBuckets(p.ints, p.floats) {
		x.storeCustom(m, p, exemplars)
		return
	}
	n := m.native
	n.ints, n.floats, n.epoch = p.ints, p.floats, m.epoch
	n.add(exemplars)
}

// end hides a part until prune drops it.
func (m *metric) end(part int32) {
	if part != nativePart {
		m.parts[part].epoch = 0
		return
	}
	m.native.epoch = 0
	for i := range m.parts {
		if m.parts[i].slot == noSlot { // they came with it
			m.parts[i].epoch = 0
		}
	}
}

func isStale(v float64, h *histogram.Histogram, fh *histogram.FloatHistogram) bool {
	switch {
	case h != nil:
		return value.IsStaleNaN(h.Sum)
	case fh != nil:
		return value.IsStaleNaN(fh.Sum)
	}
	return value.IsStaleNaN(v)
}

func customBuckets(h *histogram.Histogram, fh *histogram.FloatHistogram) bool {
	return h != nil && h.UsesCustomBuckets() || fh != nil && fh.UsesCustomBuckets()
}
