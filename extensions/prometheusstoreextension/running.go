package prometheusstoreextension

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/features"
	"github.com/prometheus/prometheus/util/logging"
	"go.opentelemetry.io/collector/component"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/families"
	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/ruling"
	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/scraping"
	"github.com/tailgate-otel/tailgate/internal/promfront"
	"github.com/tailgate-otel/tailgate/internal/remotewrite"
)

// running is what Start has opened. Shutdown closes it in the opposite order, so that each part can use those opened
// before it until it has ended itself:
//
//	database or forwarder ─ remote-write senders ─ gate ─ OTLP front ─ rules ─ scraper ─ HTTP server
type running struct {
	prom      *config.Config // the fragment of a prometheus.yml
	registry  *prometheus.Registry
	abilities features.Collector
	logger    *slog.Logger

	db      *database // nil in mode agent
	intake  *intake
	senders map[string]*remotewrite.Sender // by name
	front   *promfront.Front
	rules   *ruling.Manager // nil in mode agent
	scraper *scraping.Scraper

	closers []closer
}

// closer ends one part. If it must succeed, what was opened before it stays open when it fails.
type closer struct {
	close       func(context.Context) error
	mustSucceed bool
}

func (run *running) onClose(f func(context.Context) error) {
	run.closers = append(run.closers, closer{close: f})
}

// close may be called again after an error, and goes on where it stopped.
func (run *running) close(ctx context.Context) error {
	var errs []error
	for len(run.closers) > 0 {
		last := run.closers[len(run.closers)-1]
		err := last.close(ctx)
		errs = append(errs, err)
		if err != nil && last.mustSucceed {
			break
		}
		run.closers = run.closers[:len(run.closers)-1]
	}
	return errors.Join(errs...)
}

// open opens everything but the HTTP server.
func (s *store) open(ctx context.Context, host component.Host) (*running, error) {
	run := &running{registry: newRegistry(), abilities: features.NewRegistry(), logger: slogFrom(s.settings.Logger)}
	rules := func(run *running) error { return s.openRules(ctx, host, run) }
	for _, step := range []func(*running) error{s.readFragment, s.openStorage, s.openFront, rules, s.openScraper} {
		if err := step(run); err != nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
			defer cancel()
			return nil, errors.Join(err, run.close(ctx))
		}
	}
	return run, nil
}

func (s *store) readFragment(run *running) (err error) {
	run.prom, err = s.cfg.Load(run.logger)
	return err
}

// openStorage opens the lead, what follows it, and the gate in front of both.
func (s *store) openStorage(run *running) error {
	in := &intake{
		gate:          newGate(),
		families:      families.NewTable(metadataLimitBytes),
		takeExemplars: s.cfg.MaxExemplars > 0,
	}
	if s.cfg.Mode == ModeServer {
		db, err := openDatabase(s.cfg, time.Duration(run.prom.GlobalConfig.EvaluationInterval), run.registry, run.abilities, run.logger)
		if err != nil {
			return err
		}
		run.db, in.lead = db, db
		run.onClose(func(context.Context) error { return db.close() })
		if err := logQueries(run); err != nil {
			return err
		}
	}
	if err := s.openSenders(run); err != nil {
		return err
	}
	var behind []storage.AppendableV2
	for _, sender := range run.senders {
		behind = append(behind, sender)
	}
	if run.db != nil {
		in.senders = behind
	} else {
		in.lead, in.takeExemplars = newForwarder(behind, time.Now), true
	}
	run.intake = in
	registerFamilies(run.registry, in.families)
	run.closers = append(run.closers, closer{close: in.drain, mustSucceed: true})
	return nil
}

// logQueries writes each query to global::query_log_file, in Prometheus' form.
func logQueries(run *running) error {
	file := run.prom.GlobalConfig.QueryLogFile
	if file == "" {
		return nil
	}
	log, err := logging.NewJSONFileLogger(file)
	if err != nil {
		return fmt.Errorf("global::query_log_file: %w", err)
	}
	run.db.engine.SetQueryLogger(log)
	run.onClose(func(context.Context) error { return log.Close() })
	return nil
}

// drain waits for open batches and requests.
func (in *intake) drain(ctx context.Context) error {
	// A little longer than the drain itself: requests that were just cut off still have to notice.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := in.gate.close(ctx); err != nil {
		// Nothing is lost: what was committed is in the write-ahead log, and the lock ends with the process.
		return fmt.Errorf("database is left open: %w", err)
	}
	return nil
}

func (s *store) openSenders(run *running) error {
	var behind remotewrite.Lead // a nil interface in mode agent, where each sender stands alone
	if run.db != nil {
		behind = run.db
	}
	run.senders = map[string]*remotewrite.Sender{}
	for i, entry := range run.prom.RemoteWriteConfigs {
		cfg, err := remotewrite.FromPrometheus(entry, run.prom.GlobalConfig.ExternalLabels)
		if err != nil {
			return fmt.Errorf("remote_write[%d]: %w", i, err)
		}
		if !s.cfg.MessageGiven(i) {
			cfg.Message = remotewrite.Auto
		}
		cfg.Directory = filepath.Join(s.queueDirectory(), cfg.Name)
		cfg.MaxBytes = int64(s.cfg.RemoteWriteQueue.MaxSize)
		cfg.SyncEvery = time.Duration(s.cfg.RemoteWriteQueue.SyncInterval)
		sender, err := remotewrite.Open(cfg, behind, run.registry, run.logger)
		if err != nil {
			return fmt.Errorf("remote_write[%d]: %w", i, err)
		}
		run.senders[cfg.Name] = sender
		run.onClose(sender.Close)
	}
	return nil
}

func (s *store) queueDirectory() string {
	if s.cfg.RemoteWriteQueue.Directory != "" {
		return s.cfg.RemoteWriteQueue.Directory
	}
	return filepath.Join(s.cfg.Directory, "remote_write")
}

// sweepEvery is how late a stale marker may be.
const sweepEvery = 5 * time.Second

// openFront opens the translation of what is pushed as OTLP to the listener.
func (s *store) openFront(run *running) error {
	otlp := run.prom.OTLPConfig
	front, err := promfront.New(run.intake, promfront.Options{
		Strategy:                          otlp.TranslationStrategy,
		PromoteResourceAttributes:         otlp.PromoteResourceAttributes,
		KeepIdentifyingResourceAttributes: otlp.KeepIdentifyingResourceAttributes,
		PromoteScopeMetadata:              otlp.PromoteScopeMetadata,
		ZeroSamples:                       true,
		StaleAfter:                        1,
		Lookback:                          s.LookbackDelta(),
		Bounds:                            s.Bounds,
	})
	if err != nil {
		return fmt.Errorf("otlp: %w", err)
	}
	run.front = front
	remove := s.writers.add(pushedWriter, front)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(sweepEvery)
		defer ticker.Stop()
		for {
			select {
			case now := <-ticker.C:
				if err := front.Sweep(ctx, now); err != nil && ctx.Err() == nil {
					run.logger.Warn("Stale markers not written, will be tried again", "err", err)
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	run.onClose(func(context.Context) error {
		cancel()
		<-done
		remove()
		return nil
	})
	return nil
}

func (s *store) openScraper(run *running) error {
	sd, err := discovery.CreateAndRegisterSDMetrics(run.registry)
	if err != nil {
		return fmt.Errorf("register the metrics of service discovery: %w", err)
	}
	inside := scraping.NewInside(run.registry)
	run.onClose(func(context.Context) error { return inside.Close() })
	run.scraper, err = scraping.Start(scraping.Settings{
		Sink: run.intake, Registerer: run.registry, Logger: run.logger, Discovery: sd, Dial: inside.Dial, Features: run.abilities,
	})
	if err != nil {
		return err
	}
	run.onClose(func(context.Context) error {
		run.scraper.Stop()
		return nil
	})
	return s.scrape(run, "")
}

func (s *store) openServer(ctx context.Context, host component.Host, run *running, listener net.Listener) error {
	handler, err := s.routes(run)
	if err != nil {
		return err
	}
	server, err := s.newServer(ctx, host, handler)
	if err != nil {
		return err
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		s.serve(server, listener, host)
	}()
	run.onClose(func(ctx context.Context) error {
		if err := server.Shutdown(ctx); err != nil {
			// Cutting the connections cancels the requests' contexts, on which the engine gives up within a step.
			_ = server.Close()
		}
		<-served
		return nil
	})
	return nil
}
