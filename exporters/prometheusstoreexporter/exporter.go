package prometheusstoreexporter

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/tailgate-otel/tailgate/internal/promfront"
	"github.com/tailgate-otel/tailgate/internal/promstore"
)

// sweepEvery is how late a stale marker may be. A sweep looks at each resource, not at each series, unless one is gone.
const sweepEvery = time.Second

// storeExporter writes through a front, and sweeps it. After start it is safe for concurrent use.
type storeExporter struct {
	id          component.ID
	cfg         *Config
	logger      *zap.Logger
	instruments *instruments
	report      *report

	// Set by start, then read only.
	front *promfront.Front

	stop        context.CancelFunc // ends the sweeper
	sweeper     sync.WaitGroup
	stopInspect func() // takes the front off the store's page; nil if the store has none
}

func newStoreExporter(cfg *Config, set exporter.Settings) (*storeExporter, error) {
	instruments, err := newInstruments(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("create instruments: %w", err)
	}
	return &storeExporter{id: set.ID, cfg: cfg, logger: set.Logger, instruments: instruments, report: newReport(set.Logger)}, nil
}

func (e *storeExporter) start(_ context.Context, host component.Host) error {
	store, err := promstore.Find(host, e.cfg.Store)
	if err != nil {
		return err
	}
	front, err := promfront.New(store, e.cfg.options(store))
	if err != nil {
		return err
	}
	if err := e.instruments.watch(front); err != nil {
		return err
	}
	e.front = front
	if inspector, ok := store.(promfront.Inspector); ok {
		e.stopInspect = inspector.Inspect(e.id.String(), front)
	}
	ctx, stop := context.WithCancel(context.Background())
	e.stop = stop
	e.sweeper.Go(func() { e.sweep(ctx) })
	return nil
}

func (c *Config) options(store promstore.Store) promfront.Options {
	return promfront.Options{
		Strategy:                          c.TranslationStrategy,
		PromoteResourceAttributes:         c.PromoteResourceAttributes,
		KeepIdentifyingResourceAttributes: c.KeepIdentifyingResourceAttributes,
		PromoteScopeMetadata:              c.PromoteScopeMetadata,
		Histograms:                        c.Histograms,
		ZeroSamples:                       c.ZeroSamples,
		StaleAfter:                        c.StaleAfter,
		Limits: promfront.Limits{
			PerMetric:   c.Limits.PerMetric,
			PerResource: c.Limits.PerResource,
			Total:       c.Limits.Total,
		},
		Lookback: store.LookbackDelta(),
		Bounds:   store.Bounds,
	}
}

// shutdown may be called without start, and twice.
func (e *storeExporter) shutdown(context.Context) error {
	if e.stop != nil {
		e.stop()
		e.sweeper.Wait()
	}
	if e.stopInspect != nil {
		e.stopInspect()
	}
	e.instruments.shutdown()
	return nil
}

// sweep runs until ctx is over.
func (e *storeExporter) sweep(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if err := e.front.Sweep(ctx, now); err != nil && ctx.Err() == nil {
				// It is tried again at the next tick; batches fail meanwhile, and the pipeline says so.
				e.logger.Debug("sweep", zap.Error(err))
			}
		}
	}
}

// push writes one batch: all of it that the store can take. It fails only on errors that are not about samples.
func (e *storeExporter) push(ctx context.Context, md pmetric.Metrics) error {
	tally, err := e.front.Write(ctx, md)
	if err != nil {
		return fmt.Errorf("write to the store: %w", err)
	}
	e.instruments.add(ctx, tally)
	e.report.say(tally)
	return nil
}
