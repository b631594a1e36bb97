package remotewrite

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/tailgate-otel/tailgate/internal/remotewrite/frame"
	"github.com/tailgate-otel/tailgate/internal/remotewrite/journal"
	"github.com/tailgate-otel/tailgate/internal/remotewrite/wire"
)

// appender gathers one batch. It belongs to one goroutine and ends with Commit or Rollback.
type appender struct {
	sender  *Sender
	batch   *frame.Batch // nil: it has ended
	lookup  lookup
	dropped journal.Counts // by relabelling
	newest  int64
}

var errEnded = errors.New("the appender has been committed or rolled back")

// Append implements storage.AppenderV2. Histograms are encoded at once: they are not the sender's to keep.
func (a *appender) Append(
	ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64,
	h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AppendV2Options,
) (storage.SeriesRef, error) {
	if a.batch == nil {
		return 0, errEnded
	}
	s, err := a.sender.cache.find(&a.lookup, ref, ls)
	if err != nil {
		return 0, err
	}
	native := h != nil || fh != nil
	if s.dropped {
		a.drop(native, len(opts.Exemplars))
		return s.ref, nil
	}
	if native && !a.sender.cfg.SendHistograms {
		return s.ref, nil
	}
	a.sender.cache.describe(s, opts.MetricFamilyName, opts.Metadata)
	x := frame.Sample{Series: &s.Series, Start: st, T: t, V: v}
	if native {
		x.Histogram, x.Custom = a.histogram(h, fh)
	}
	if len(opts.Exemplars) > 0 && a.sender.cfg.SendExemplars {
		x.Exemplars = a.exemplars(opts.Exemplars)
	}
	a.batch.Samples = append(a.batch.Samples, x)
	a.newest = max(a.newest, t)
	return s.ref, nil
}

func (a *appender) drop(native bool, exemplars int) {
	if native {
		a.dropped.Histograms++
	} else {
		a.dropped.Samples++
	}
	a.dropped.Exemplars += exemplars
}

func (a *appender) histogram(h *histogram.Histogram, fh *histogram.FloatHistogram) (frame.Span, bool) {
	from := uint32(len(a.batch.Histograms))
	var custom bool
	if fh != nil {
		a.batch.Histograms = wire.AppendFloatHistogram(a.batch.Histograms, fh)
		custom = fh.UsesCustomBuckets()
	} else {
		a.batch.Histograms = wire.AppendHistogram(a.batch.Histograms, h)
		custom = h.UsesCustomBuckets()
	}
	return frame.Span{From: from, To: uint32(len(a.batch.Histograms))}, custom
}

func (a *appender) exemplars(xs []exemplar.Exemplar) frame.Span {
	from := uint32(len(a.batch.Exemplars))
	a.batch.Exemplars = append(a.batch.Exemplars, xs...)
	return frame.Span{From: from, To: uint32(len(a.batch.Exemplars))}
}

// Commit implements storage.AppenderV2.
func (a *appender) Commit() error {
	if a.batch == nil {
		return errEnded
	}
	defer a.end()
	s := a.sender
	s.metrics.dropped(a.dropped, reasonDroppedSeries)
	if len(a.batch.Samples) == 0 {
		return nil
	}
	if s.closed.Load() {
		return ErrClosed
	}
	err := s.journal.Append(func(segment uint32, buf []byte) ([]byte, journal.Summary) {
		return s.encoder.Encode(segment, buf, a.batch)
	})
	if err != nil {
		return fmt.Errorf("remote write %s: %w", s.cfg.Name, err)
	}
	s.metrics.enqueued(len(a.batch.Samples), time.UnixMilli(a.newest))
	s.keepLimit()
	return nil
}

// Rollback implements storage.AppenderV2.
func (a *appender) Rollback() error {
	a.end()
	return nil
}

func (a *appender) end() {
	if a.batch != nil {
		a.batch.Reset()
		a.sender.batches.Put(a.batch)
		a.batch = nil
	}
}
