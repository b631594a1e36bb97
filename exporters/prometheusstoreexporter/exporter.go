package prometheusstoreexporter

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/storage/remote/otlptranslator/prometheusremotewrite"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/tailgate-otel/tailgate/internal/promstore"
)

// storeExporter translates and writes. After start it is safe for concurrent use.
type storeExporter struct {
	cfg         *Config
	logger      *zap.Logger
	instruments *instruments
	report      *report
	newestMaps  sync.Pool // of map[storage.SeriesRef]int64, see tolerant

	// Set by start, then read only.
	store       promstore.Store
	translation prometheusremotewrite.Settings
}

func newStoreExporter(cfg *Config, set exporter.Settings) (*storeExporter, error) {
	instruments, err := newInstruments(set.TelemetrySettings)
	if err != nil {
		return nil, fmt.Errorf("create instruments: %w", err)
	}
	return &storeExporter{cfg: cfg, logger: set.Logger, instruments: instruments, report: newReport(set.Logger)}, nil
}

func (e *storeExporter) start(_ context.Context, host component.Host) error {
	store, err := promstore.Find(host, e.cfg.Store)
	if err != nil {
		return err
	}
	e.store = store
	strategy := e.cfg.TranslationStrategy
	e.translation = prometheusremotewrite.Settings{
		AddMetricSuffixes: strategy.ShouldAddSuffixes(),
		AllowUTF8:         !strategy.ShouldEscape(),
		PromoteResourceAttributes: prometheusremotewrite.NewPromoteResourceAttributes(
			config.OTLPConfig{PromoteResourceAttributes: e.cfg.PromoteResourceAttributes}),
		KeepIdentifyingResourceAttributes: e.cfg.KeepIdentifyingResourceAttributes,
		PromoteScopeMetadata:              e.cfg.PromoteScopeMetadata,
		LookbackDelta:                     store.LookbackDelta(),
		// As in Prometheus' own defaults, so that series keep their names when a site moves to a server.
		LabelNameUnderscoreSanitization:      true,
		LabelNamePreserveMultipleUnderscores: true,
	}
	return nil
}

func (e *storeExporter) shutdown(context.Context) error {
	e.instruments.shutdown()
	return nil
}

// push writes one batch: all of it that the store can take. It fails only when nothing was written.
func (e *storeExporter) push(ctx context.Context, md pmetric.Metrics) error {
	counted := &tally{}
	err := errUntranslatable
	bounds := boundsOf(e.store)
	if !bounds.exceededBy(md) {
		err = e.write(ctx, md, counted, refuseUntranslated)
	}
	if errors.Is(err, errUntranslatable) {
		// Rare, so it may cost a second pass: nothing was written, the batch is strained and written again.
		clean, strained := e.strain(ctx, md, bounds)
		counted = strained
		err = e.write(ctx, clean, counted, countUntranslated)
	}
	if err != nil {
		return err
	}
	e.instruments.add(ctx, counted)
	e.report.say(counted)
	return nil
}

// errUntranslatable says that the converter skipped points, how many is not known, and that nothing was written.
var errUntranslatable = errors.New("untranslatable points")

// untranslated is what write does about an error of the converter.
type untranslated int

const (
	refuseUntranslated untranslated = iota
	countUntranslated
)

// write translates md into one transaction of the store. On error nothing was written.
func (e *storeExporter) write(ctx context.Context, md pmetric.Metrics, tally *tally, mode untranslated) error {
	app := e.newTolerant(e.store.AppenderV2(ctx), tally)
	defer e.release(app)
	annotations, err := prometheusremotewrite.NewPrometheusConverter(app).FromMetrics(ctx, md, e.translation)
	switch {
	case app.failure != nil:
		return errors.Join(fmt.Errorf("append to the store: %w", app.failure), app.Rollback())
	case err != nil && ctx.Err() != nil:
		return errors.Join(fmt.Errorf("append to the store: %w", ctx.Err()), app.Rollback())
	case err != nil && mode == refuseUntranslated:
		return errors.Join(errUntranslatable, app.Rollback())
	case err != nil:
		// The points are fine by now, so it is a resource's target_info.
		tally.refuse(reasonUntranslatable, err.Error())
	}
	if err := app.Commit(); err != nil {
		return fmt.Errorf("commit to the store: %w", err)
	}
	if warnings, _ := annotations.AsStrings("", 0, 0); len(warnings) > 0 {
		e.logger.Debug("translation warnings", zap.Strings("warnings", warnings))
	}
	return nil
}
