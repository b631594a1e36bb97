package prometheusstoreextension

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// forgetAfter is how long the series table of a store without a database remembers what nobody writes, as long as the
// head of a database does.
const forgetAfter = 2 * time.Hour

// forwarder is the lead of a store in mode agent: it gives out references and hands each sample to all senders. It keeps
// one label set and one reference per sender for each series that was written within forgetAfter, and no sample.
type forwarder struct {
	senders []storage.AppendableV2
	now     func() time.Time

	mu     sync.Mutex // guards the fields below, those of the series included
	byRef  map[storage.SeriesRef]*forwarded
	byHash map[uint64][]*forwarded
	last   storage.SeriesRef
	swept  time.Time
}

// forwarded is one series.
type forwarded struct {
	ref    storage.SeriesRef
	labels labels.Labels
	at     []storage.SeriesRef // by sender; 0 is not known there
	seen   time.Time
}

func newForwarder(senders []storage.AppendableV2, now func() time.Time) *forwarder {
	return &forwarder{
		senders: senders, now: now, swept: now(),
		byRef: map[storage.SeriesRef]*forwarded{}, byHash: map[uint64][]*forwarded{},
	}
}

// bounds are wide: the servers know what they take.
func (f *forwarder) bounds(now time.Time) (oldest, newest time.Time) {
	return now.Add(-maxForwardAge), now.Add(maxAhead)
}

// maxForwardAge keeps out samples without a time (1970); no server takes older ones.
const maxForwardAge = 365 * 24 * time.Hour

func (f *forwarder) AppenderV2(ctx context.Context) storage.AppenderV2 {
	f.sweep()
	b := &forwardBatch{forwarder: f}
	for _, s := range f.senders {
		b.to = append(b.to, s.AppenderV2(ctx))
	}
	return b
}

// sweep forgets what was not seen for long, at most every tenth of that time.
func (f *forwarder) sweep() {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if now.Sub(f.swept) < forgetAfter/10 {
		return
	}
	f.swept = now
	clear(f.byHash)
	for ref, s := range f.byRef {
		if now.Sub(s.seen) > forgetAfter {
			delete(f.byRef, ref)
			continue
		}
		hash := s.labels.Hash()
		f.byHash[hash] = append(f.byHash[hash], s)
	}
}

// find returns the series, which it makes if need be, or nil if all that is known of it is a reference that was forgotten.
func (f *forwarder) find(ref storage.SeriesRef, ls labels.Labels) *forwarded {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.byRef[ref]
	if s == nil {
		s = f.byLabels(ls)
	}
	if s != nil {
		s.seen = f.now()
	}
	return s
}

// byLabels: mu held.
func (f *forwarder) byLabels(ls labels.Labels) *forwarded {
	if ls.IsEmpty() {
		return nil
	}
	hash := ls.Hash()
	for _, s := range f.byHash[hash] {
		if labels.Equal(s.labels, ls) {
			return s
		}
	}
	f.last++
	s := &forwarded{ref: f.last, labels: ls.Copy(), at: make([]storage.SeriesRef, len(f.senders))}
	f.byRef[s.ref] = s
	f.byHash[hash] = append(f.byHash[hash], s)
	return s
}

func (f *forwarder) close() error { return nil }

func (f *forwarder) refOf(s *forwarded, sender int) storage.SeriesRef {
	f.mu.Lock()
	defer f.mu.Unlock()
	return s.at[sender]
}

func (f *forwarder) setRef(s *forwarded, sender int, ref storage.SeriesRef) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.at[sender] = ref
}

// forwardBatch is one batch to all senders.
type forwardBatch struct {
	*forwarder
	to []storage.AppenderV2
}

func (b *forwardBatch) Append(
	ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64,
	h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AppendV2Options,
) (storage.SeriesRef, error) {
	if name, twice := ls.HasDuplicateLabelNames(); twice {
		return 0, fmt.Errorf("label %q is there twice: %w", name, tsdb.ErrInvalidSample)
	}
	s := b.find(ref, ls)
	if s == nil {
		return 0, fmt.Errorf("empty labelset: %w", tsdb.ErrInvalidSample)
	}
	var errs []error
	for i, app := range b.to {
		known := b.refOf(s, i)
		got, err := app.Append(known, s.labels, st, t, v, h, fh, opts)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if got != known {
			b.setRef(s, i, got)
		}
	}
	return s.ref, errors.Join(errs...)
}

// Commit succeeds when every sender has the batch. If it fails, those that have it get it again with the retry, which a
// server takes as the same sample.
func (b *forwardBatch) Commit() error { return commitAll(b.to) }

func (b *forwardBatch) Rollback() error { return rollbackAll(b.to) }

func commitAll(apps []storage.AppenderV2) error {
	var errs []error
	for _, app := range apps {
		if err := app.Commit(); err != nil {
			errs = append(errs, fmt.Errorf("queue for remote write: %w", err))
		}
	}
	return errors.Join(errs...)
}

func rollbackAll(apps []storage.AppenderV2) error {
	var errs []error
	for _, app := range apps {
		errs = append(errs, app.Rollback())
	}
	return errors.Join(errs...)
}
