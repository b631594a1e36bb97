package prometheusstoreextension

import (
	"context"
	"errors"
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

// lead is what takes a sample first, and gives out the references: the database, or in mode agent the forwarder.
type lead interface {
	storage.AppendableV2
	// bounds are the times outside which every sample is refused.
	bounds(now time.Time) (oldest, newest time.Time)
	close() error
}

// intake is the way in for every writer: exporters, scrapes, rules, and what is pushed to the listener. It applies what
// holds whoever writes: time bounds, metadata, the count of open batches that Shutdown waits for, and the copy for each
// remote-write server.
type intake struct {
	lead          lead
	senders       []storage.AppendableV2 // behind a database; they are given its references
	gate          *gate
	families      *families.Table
	takeExemplars bool
}

func (in *intake) AppenderV2(ctx context.Context) storage.AppenderV2 {
	if !in.gate.enter() {
		return notOpen{}
	}
	oldest, newest := in.lead.bounds(time.Now())
	b := &batch{
		AppenderV2: in.lead.AppenderV2(ctx),
		intake:     in,
		oldest:     oldest.UnixMilli(),
		newest:     newest.UnixMilli(),
	}
	for _, s := range in.senders {
		b.copies = append(b.copies, s.AppenderV2(ctx))
	}
	return b
}

// batch is one appender. Like every appender it belongs to one goroutine and ends with Commit or Rollback.
type batch struct {
	storage.AppenderV2
	intake         *intake
	copies         []storage.AppenderV2 // one per sender
	oldest, newest int64                // bounds for t, in ms
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
	if ref == 0 {
		return 0, err
	}
	if opts.MetricFamilyName != "" && !opts.Metadata.IsEmpty() {
		b.remember(opts.MetricFamilyName, opts.Metadata)
	}
	opts.Exemplars = exemplars
	for _, c := range b.copies {
		if _, copyErr := c.Append(ref, ls, st, t, v, h, fh, opts); copyErr != nil {
			err = errors.Join(err, copyErr)
		}
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

// Commit is done when the lead and the queue of every server have the batch. When a queue fails the lead has it already;
// writing it again, as the caller then must, changes nothing there.
func (b *batch) Commit() error {
	defer b.leave()
	if err := b.AppenderV2.Commit(); err != nil {
		return errors.Join(err, rollbackAll(b.copies))
	}
	return commitAll(b.copies)
}

func (b *batch) Rollback() error {
	defer b.leave()
	return errors.Join(b.AppenderV2.Rollback(), rollbackAll(b.copies))
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
