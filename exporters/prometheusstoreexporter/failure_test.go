package prometheusstoreexporter_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	promlabels "github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exportertest"

	"github.com/tailgate-otel/tailgate/exporters/prometheusstoreexporter"
	"github.com/tailgate-otel/tailgate/internal/promstore"
)

// flaky is a store whose disk fails on demand. It counts how its transactions end.
type flaky struct {
	component.StartFunc
	component.ShutdownFunc
	appendErr, commitErr error

	commits, rollbacks int
}

func (f *flaky) AppenderV2(context.Context) storage.AppenderV2 { return flakyBatch{f} }

func (*flaky) LookbackDelta() time.Duration { return time.Minute }

func (*flaky) Bounds() (oldest, newest time.Time) { return time.Unix(0, 0), time.Now().Add(time.Hour) }

type flakyBatch struct{ store *flaky }

func (b flakyBatch) Append(
	_ storage.SeriesRef, ls promlabels.Labels, _, _ int64, _ float64,
	_ *histogram.Histogram, _ *histogram.FloatHistogram, _ storage.AppendV2Options,
) (storage.SeriesRef, error) {
	return storage.SeriesRef(ls.Hash()), b.store.appendErr
}

func (b flakyBatch) Commit() error {
	b.store.commits++
	return b.store.commitErr
}

func (b flakyBatch) Rollback() error {
	b.store.rollbacks++
	return nil
}

var errDisk = errors.New("no space left on device")

// A failed commit must fail the batch: Prometheus' own OTLP handler answers 200 OK to it.
func TestDiskErrorsFailTheBatch(t *testing.T) {
	for name, tc := range map[string]struct {
		store *flaky
		want  string
		ended int // rollbacks
	}{
		"append":         {&flaky{appendErr: errDisk}, "write to the store: append: no space left on device", 1},
		"commit":         {&flaky{commitErr: errDisk}, "write to the store: commit: no space left on device", 0},
		"store not open": {&flaky{appendErr: promstore.ErrNotOpen}, "write to the store: append: the Prometheus store is not open", 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newFlakyWorld(t, tc.store, settings{"retry_on_failure": map[string]any{"enabled": false}})
			b := newBatch(now())
			b.gauge("depth", 1)
			err := w.exporter.ConsumeMetrics(t.Context(), b.metrics)
			assert.EqualError(t, err, tc.want)
			assert.Equal(t, tc.ended, tc.store.rollbacks)
			_, err = w.telemetry.GetMetric("otelcol_exporter_prometheusstore_samples_appended")
			assert.Error(t, err, "nothing is counted of a batch that was not stored")
		})
	}
}

func newFlakyWorld(t *testing.T, store component.Component, export settings) *world {
	t.Helper()
	w := &world{t: t, telemetry: componenttest.NewTelemetry()}
	t.Cleanup(func() { require.NoError(t, w.telemetry.Shutdown(context.Background())) })
	w.exporter = startExporter(t, host{storeID: store}, w.telemetry, export)
	return w
}

// A batch that succeeds at the second attempt is counted once.
func TestRetriedBatchIsCountedOnce(t *testing.T) {
	store := &healing{flaky: &flaky{commitErr: errDisk}}
	w := newFlakyWorld(t, store, settings{"retry_on_failure": map[string]any{"initial_interval": "1ms"}})
	b := newBatch(now())
	b.gauge("depth", 1)
	w.push(b)
	assert.Equal(t, 2, store.commits)
	w.assertSamples(1+targetInfo, nil)
}

// healing is a flaky store that works from its second batch on.
type healing struct {
	*flaky
	batches int
}

func (h *healing) AppenderV2(ctx context.Context) storage.AppenderV2 {
	if h.batches++; h.batches > 1 {
		h.commitErr = nil
	}
	return h.flaky.AppenderV2(ctx)
}

// A batch whose sender gives up in the middle leaves nothing behind.
func TestCancelledBatchIsRolledBack(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	store := &cancelling{flaky: &flaky{}, cancel: cancel}
	w := newFlakyWorld(t, store, settings{"retry_on_failure": map[string]any{"enabled": false}})
	b := newBatch(now())
	b.gauge("depth", 1)
	b.gauge("length", 1)
	require.ErrorIs(t, w.exporter.ConsumeMetrics(ctx, b.metrics), context.Canceled)
	assert.Equal(t, 0, store.commits)
	assert.Equal(t, 1, store.rollbacks)
}

// cancelling is a store at whose first append the caller gives up.
type cancelling struct {
	*flaky
	cancel context.CancelFunc
}

func (c *cancelling) AppenderV2(ctx context.Context) storage.AppenderV2 {
	c.cancel()
	return c.flaky.AppenderV2(ctx)
}

func TestStartNamesTheMissingStore(t *testing.T) {
	factory := prometheusstoreexporter.NewFactory()
	cfg := factory.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(settings{"store": "prometheusstore/long"}).Unmarshal(cfg))
	exp, err := factory.CreateMetrics(t.Context(), exportertest.NewNopSettings(factory.Type()), cfg)
	require.NoError(t, err)
	err = exp.Start(t.Context(), host{storeID: &flaky{}})
	assert.EqualError(t, err, `store: there is no extension "prometheusstore/long"; did you mean "prometheusstore"?`)
	require.NoError(t, exp.Shutdown(t.Context()))
}
