package prometheusexporter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/tailgate-otel/tailgate/internal/exposition"
	"github.com/tailgate-otel/tailgate/internal/promfront"
)

const (
	// forever is a look-back in which every batch fits, so that target_info is written once or twice per batch: the page
	// shows only the last one.
	forever = 100 * 365 * 24 * time.Hour

	// A tenth of metric_expiration, within these bounds, lies between two sweeps. A sweep takes 0.4 ms per 50,000 series,
	// and what has expired is not shown meanwhile.
	minSweep = time.Second
	maxSweep = time.Minute

	reportEvery = time.Minute
)

// promExporter is the component. Its mutex guards what start and shutdown exchange; writes need none of it.
type promExporter struct {
	cfg         *Config
	settings    component.TelemetrySettings
	page        *exposition.Exposition
	front       *promfront.Front
	instruments *instruments
	report      *zap.Logger // each message at most once per reportEvery
	now         func() time.Time

	mu      sync.Mutex
	server  *http.Server
	address net.Addr
	stop    context.CancelFunc
	running sync.WaitGroup
}

func newExporter(cfg *Config, set exporter.Settings) (*promExporter, error) {
	strategy := cfg.strategy()
	if cfg.TranslationStrategy == "" && !cfg.AddMetricSuffixes && disableAddMetricSuffixes.IsEnabled() {
		set.Logger.Warn("add_metric_suffixes is ignored: use translation_strategy: UnderscoreEscapingWithoutSuffixes")
	}
	if !cfg.ResourceToTelemetry.IsEmpty() {
		set.Logger.Warn("resource_to_telemetry_conversion is deprecated: use resource_constant_labels")
	}
	page := exposition.New(exposition.Options{
		Expiration:   time.Duration(cfg.MetricExpiration),
		Timestamps:   cfg.SendTimestamps,
		OpenMetrics:  cfg.EnableOpenMetrics,
		CreatedLines: cfg.CreatedSamples,
		Compression:  cfg.Compression,
		ConstLabels:  cfg.ConstLabels,
		TargetFamily: targetInfo,
		FamilyName:   familyNames(cfg.Namespace, strategy, set.Logger),
		LabelName:    labelNames(strategy),
	})
	front, err := promfront.New(page, promfront.Options{
		Strategy:             strategy,
		PromoteScopeMetadata: !cfg.WithoutScopeInfo,
		Forget:               max(time.Duration(cfg.MetricExpiration), time.Second),
		Lookback:             forever,
	})
	if err != nil {
		return nil, err
	}
	instruments, err := newInstruments(set.TelemetrySettings, page)
	if err != nil {
		return nil, fmt.Errorf("create instruments: %w", err)
	}
	return &promExporter{
		cfg: cfg, settings: set.TelemetrySettings, page: page, front: front, instruments: instruments, now: time.Now,
		report: set.Logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
			return zapcore.NewSamplerWithOptions(core, reportEvery, 1, 0)
		})),
	}, nil
}

func (e *promExporter) start(ctx context.Context, host component.Host) error {
	listener, err := e.cfg.Server.ToListener(ctx)
	if err != nil {
		return fmt.Errorf("endpoint: listen on %s: %w", e.cfg.Server.NetAddr.Endpoint, err)
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", e.page)
	server, err := e.cfg.Server.ToServer(ctx, host.GetExtensions(), e.settings, mux)
	if err != nil {
		return errors.Join(fmt.Errorf("create the server: %w", err), listener.Close())
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.server, e.address = server, listener.Addr()
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.stop = stop
	e.running.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			componentstatus.ReportStatus(host, componentstatus.NewPermanentErrorEvent(fmt.Errorf("serve /metrics: %w", err)))
		}
	})
	e.running.Go(func() { e.sweep(running) })
	return nil
}

// sweep runs until ctx ends.
func (e *promExporter) sweep(ctx context.Context) {
	ticker := time.NewTicker(min(max(time.Duration(e.cfg.MetricExpiration)/10, minSweep), maxSweep))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			e.page.Sweep(now)
			if err := e.front.Sweep(ctx, now); err != nil && ctx.Err() == nil {
				e.report.Warn("sweep", zap.Error(err))
			}
		}
	}
}

// push shows one batch. What cannot be shown is counted and costs only itself.
func (e *promExporter) push(ctx context.Context, md pmetric.Metrics) error {
	tally, err := e.front.Write(ctx, timed(md, e.now()))
	if err != nil {
		return fmt.Errorf("show metrics: %w", err)
	}
	e.instruments.add(ctx, &tally)
	for why := range promfront.ReasonCount {
		if tally.Refused[why] > 0 {
			e.report.Warn("samples refused, the rest of the batch is shown: "+why.String(),
				zap.Int64("count", tally.Refused[why]), zap.String("example", tally.Examples[why]), zap.String("hint", why.Hint()))
		}
	}
	return e.writeBareTargets(ctx, md)
}

// shutdown works without start and twice.
func (e *promExporter) shutdown(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.instruments.shutdown()
	if e.server == nil {
		return nil
	}
	e.stop()
	err := e.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("wait for scrapes to end: %w", err), e.server.Close())
	}
	e.running.Wait()
	e.server = nil
	return err
}
