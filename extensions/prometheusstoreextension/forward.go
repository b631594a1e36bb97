package prometheusstoreextension

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
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
// one label set and one reference per sender for each series that was written within forgetAfter, and no sample. A sample
// whose reference is known takes no lock.
type forwarder struct {
	senders []storage.AppendableV2
	now     func() time.Time

	// byRef has the series of reference i at i, nil where it was forgotten. Its elements never change: a new series makes
	// it longer, forgetting makes another one.
	byRef atomic.Pointer[[]*forwarded]

	mu     sync.Mutex // guards the fields below, and the making of series
	byHash map[uint64][]*forwarded
	swept  time.Time
}

// forwarded is one series.
type forwarded struct {
	ref    storage.SeriesRef
	labels labels.Labels
	at     []atomic.Uint64 // references by sender; 0 is not known there
	seen   atomic.Int64    // Unix time of the last batch that had it
}

func newForwarder(senders []storage.AppendableV2, now func() time.Time) *forwarder {
	f := &forwarder{senders: senders, now: now, swept: now(), byHash: map[uint64][]*forwarded{}}
	f.byRef.Store(&[]*forwarded{nil}) // reference 0 is none
	return f
}

// bounds are wide: the servers know what they take.
func (*forwarder) bounds(now time.Time) (oldest, newest time.Time) {
	return now.Add(-maxForwardAge), now.Add(maxAhead)
}

// maxForwardAge keeps out samples without a time (1970); no server takes older ones.
const maxForwardAge = 365 * 24 * time.Hour

func (f *forwarder) AppenderV2(ctx context.Context) storage.AppenderV2 {
	now := f.now()
	f.sweep(now)
	b := &forwardBatch{forwarder: f, at: now.Unix()}
	for _, s := range f.senders {
		b.to = append(b.to, s.AppenderV2(ctx))
	}
	return b
}

// sweep forgets what was not seen for long, at most every tenth of that time.
func (f *forwarder) sweep(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.swept) < forgetAfter/10 {
		return
	}
	f.swept = now
	clear(f.byHash)
	all := *f.byRef.Load()
	left := make([]*forwarded, len(all))
	for ref, s := range all {
		if s == nil || now.Unix()-s.seen.Load() > int64(forgetAfter/time.Second) {
			continue
		}
		left[ref] = s
		hash := s.labels.Hash()
		f.byHash[hash] = append(f.byHash[hash], s)
	}
	f.byRef.Store(&left)
}

// find returns the series, which it makes if need be, or nil if all that is known of it is a reference that was forgotten.
func (f *forwarder) find(ref storage.SeriesRef, ls labels.Labels) *forwarded {
	if all := *f.byRef.Load(); int(ref) < len(all) && all[ref] != nil {
		return all[ref]
	}
	if ls.IsEmpty() {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	hash := ls.Hash()
	for _, s := range f.byHash[hash] {
		if labels.Equal(s.labels, ls) {
			return s
		}
	}
	all := *f.byRef.Load()
	s := &forwarded{ref: storage.SeriesRef(len(all)), labels: ls.Copy(), at: make([]atomic.Uint64, len(f.senders))}
	all = append(all, s)
	f.byRef.Store(&all)
	f.byHash[hash] = append(f.byHash[hash], s)
	return s
}

func (*forwarder) close() error { return nil }

// forwardBatch is one batch to all senders.
type forwardBatch struct {
	*forwarder
	to []storage.AppenderV2
	at int64 // when it began
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
	if s.seen.Load() != b.at {
		s.seen.Store(b.at)
	}
	var errs []error
	for i, app := range b.to {
		known := s.at[i].Load()
		got, err := app.Append(storage.SeriesRef(known), s.labels, st, t, v, h, fh, opts)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if uint64(got) != known {
			s.at[i].Store(uint64(got))
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
