package promfront

import (
	"context"
	"time"

	"github.com/prometheus/prometheus/storage"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Front writes OTLP metrics into a Prometheus storage. It is safe for concurrent use.
type Front struct {
	sink storage.AppendableV2
	opts Options
}

// New returns a Front that writes into sink. The sink must return a reference other than 0 from Append, by which later
// samples of the series are appended with empty labels; for a reference that it no longer knows it must return an error
// that is tsdb.ErrInvalidSample, as a TSDB does, and is then given the labels again.
func New(sink storage.AppendableV2, o Options) (*Front, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Front{sink: sink, opts: o}, nil
}

// Write stores md, which it only reads. An error means that part of md may not be stored: nothing of it may be
// acknowledged, writing it again is harmless. What was refused sample by sample is no error and stands in the Tally.
func (f *Front) Write(ctx context.Context, md pmetric.Metrics) (Tally, error) { return Tally{}, nil }

// Sweep marks series as stale whose resource has stopped exporting, and forgets what was not written for long. Call it
// every few seconds: a marker is late by at most the time between two calls.
func (f *Front) Sweep(ctx context.Context, now time.Time) error { return nil }

// Refused returns the latest examples of refused samples, newest first.
func (f *Front) Refused() []Refusal { return nil }

// RefusedByMetric counts all refused samples since the start, most first.
func (f *Front) RefusedByMetric() []MetricRefusals { return nil }

// Offenders returns the n metrics and the n resources with the most series.
func (f *Front) Offenders(n int) Offenders { return Offenders{} }
