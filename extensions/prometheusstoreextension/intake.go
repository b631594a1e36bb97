package prometheusstoreextension

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/storage"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/families"
	"github.com/tailgate-otel/tailgate/internal/promstore"
)

// maxAhead is how far in the future a sample may lie, as in Prometheus' own push handlers. The head of the database
// only moves forward: one sample of next year would make every honest one too old.
const maxAhead = 10 * time.Minute

// intake is the way in for every writer. It applies what holds whoever writes: time bounds, metadata, and the count of
// open batches that Shutdown waits for.
type intake struct {
	db            *database
	gate          *gate
	families      *families.Table
	retention     time.Duration
	takeExemplars bool

	// reach is how far before the newest sample the database takes any: half a block for samples in order, the
	// out-of-order window for others.
	reach time.Duration
}

// bounds are the times outside which every sample is refused.
func (in *intake) bounds(now time.Time) (oldest, newest time.Time) {
	oldest, newest = now.Add(-in.retention), now.Add(maxAhead)
	if head := in.db.Head().MaxTime(); head != math.MinInt64 {
		if reached := time.UnixMilli(head).Add(-in.reach); reached.After(oldest) {
			oldest = reached
		}
	}
	return oldest, newest
}

func (in *intake) AppenderV2(ctx context.Context) storage.AppenderV2 {
	if !in.gate.enter() {
		return notOpen{}
	}
	oldest, newest := in.bounds(time.Now())
	return &batch{
		AppenderV2: in.db.AppenderV2(ctx),
		intake:     in,
		oldest:     oldest.UnixMilli(),
		newest:     newest.UnixMilli(),
	}
}

// batch is one appender. Like every appender it belongs to one goroutine and ends with Commit or Rollback.
type batch struct {
	storage.AppenderV2
	intake         *intake
	oldest, newest int64 // bounds for t, in ms
	left           bool

	// The family recorded last: consecutive samples mostly share it (17 for one histogram), which saves the table's lock.
	lastFamily   string
	lastMetadata metadata.Metadata
}

func (b *batch) Append(
	ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64,
	h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AppendV2Options,
) (storage.SeriesRef, error) {
	switch {
	case t > b.newest:
		return 0, promstore.ErrTooFarAhead
	case t < b.oldest:
		// The database itself checks only once it has data. In an empty one a sample without a time (1970) would become
		// the start of the head, which compaction then walks through in steps of 2 h.
		return 0, storage.ErrOutOfBounds
	}
	exemplars := opts.Exemplars
	if !b.intake.takeExemplars {
		opts.Exemplars = nil
	}
	ref, err := b.AppenderV2.Append(ref, ls, st, t, v, h, fh, opts)
	if err == nil && len(exemplars) > len(opts.Exemplars) {
		err = exemplarsOff(len(exemplars))
	}
	if opts.MetricFamilyName != "" && !opts.Metadata.IsEmpty() && ref != 0 {
		b.remember(opts.MetricFamilyName, opts.Metadata)
	}
	return ref, err
}

func exemplarsOff(n int) error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = storage.ErrExemplarsDisabled
	}
	return &storage.AppendPartialError{ExemplarErrors: errs}
}

func (b *batch) remember(family string, m metadata.Metadata) {
	if family == b.lastFamily && m == b.lastMetadata {
		return
	}
	b.intake.families.Record(family, m)
	// Cloned: the bytes of a family name live only as long as the Append that brought them.
	b.lastFamily, b.lastMetadata = strings.Clone(family), m
}

func (b *batch) Commit() error {
	defer b.leave()
	return b.AppenderV2.Commit()
}

func (b *batch) Rollback() error {
	defer b.leave()
	return b.AppenderV2.Rollback()
}

// leave counts once, so that a second Commit or Rollback, which callers should not do, cannot close the gate early.
func (b *batch) leave() {
	if !b.left {
		b.left = true
		b.intake.gate.leave()
	}
}

// notOpen is the appender of a store that has not started or has stopped.
type notOpen struct{}

func (notOpen) Append(
	storage.SeriesRef, labels.Labels, int64, int64, float64,
	*histogram.Histogram, *histogram.FloatHistogram, storage.AppendV2Options,
) (storage.SeriesRef, error) {
	return 0, promstore.ErrNotOpen
}

func (notOpen) Commit() error { return promstore.ErrNotOpen }

func (notOpen) Rollback() error { return nil }
