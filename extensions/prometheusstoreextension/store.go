package prometheusstoreextension

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/extension"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/families"
	"github.com/tailgate-otel/tailgate/internal/promstore"
)

// drainTime is how long Shutdown lets requests finish before it cuts them off. A dashboard query takes well under a
// second; longer would hold up a rolling restart for one forgotten browser tab.
const drainTime = 5 * time.Second

// metadataLimitBytes bounds the metadata table: about 100,000 families with a help text of usual length.
const metadataLimitBytes = 16 << 20

// store is the extension. Its zero state is "not started"; Start and Shutdown move it, everything else only reads.
type store struct {
	cfg      *Config
	settings extension.Settings

	// intake is nil until the database is open. Writers load it once per batch.
	intake atomic.Pointer[intake]

	mu      sync.Mutex // guards running; held over all of Start and Shutdown, which nothing else waits for
	running *running
}

// running is what Start has opened and Shutdown has to close.
type running struct {
	db     *database
	gate   *gate
	server *http.Server
	served chan struct{} // closed when the serving goroutine has ended
}

var (
	_ extension.Extension = (*store)(nil)
	_ promstore.Store     = (*store)(nil)
)

func newStore(cfg *Config, set extension.Settings) *store {
	return &store{cfg: cfg, settings: set}
}

// AppenderV2 implements promstore.Store.
func (s *store) AppenderV2(ctx context.Context) storage.AppenderV2 {
	in := s.intake.Load()
	if in == nil {
		return notOpen{}
	}
	return in.AppenderV2(ctx)
}

// LookbackDelta implements promstore.Store.
func (s *store) LookbackDelta() time.Duration { return time.Duration(s.cfg.Query.LookbackDelta) }

// Bounds implements promstore.Store. A store that is not open has none: each append says so.
func (s *store) Bounds() (oldest, newest time.Time) {
	in := s.intake.Load()
	if in == nil || !in.gate.enter() {
		return time.Unix(0, 0), time.Now().Add(maxAhead)
	}
	defer in.gate.leave()
	return in.bounds(time.Now())
}

// Start opens the database and serves it. It returns when both are ready, after the write-ahead log has been replayed,
// because the pipelines that start next write at once.
func (s *store) Start(ctx context.Context, host component.Host) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		return errors.New("already started")
	}
	// The port first: finding it taken is cheap, opening a large database is not.
	listener, err := s.listen(ctx)
	if err != nil {
		return err
	}
	run, err := s.open(ctx, host)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	s.running = run
	go s.serve(run, listener, host)
	s.settings.Logger.Sugar().Infof("Prometheus store in %s, dashboards and API at http://%s/", s.cfg.Directory, listener.Addr())
	return nil
}

func (s *store) listen(ctx context.Context) (net.Listener, error) {
	listener, err := s.cfg.HTTP.ToListener(ctx)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("http::endpoint: %s is in use by another process (a Prometheus listens there by default): "+
			"stop that one, or choose another port: %w", s.cfg.HTTP.NetAddr.Endpoint, err)
	}
	if err != nil {
		return nil, fmt.Errorf("http::endpoint: listen on %s: %w", s.cfg.HTTP.NetAddr.Endpoint, err)
	}
	return listener, nil
}

func (s *store) open(ctx context.Context, host component.Host) (*running, error) {
	logger := slogFrom(s.settings.Logger)
	registry := newRegistry()
	db, err := openDatabase(s.cfg, registry, logger)
	if err != nil {
		return nil, err
	}
	in := &intake{
		db:            db,
		gate:          newGate(),
		families:      families.NewTable(metadataLimitBytes),
		retention:     time.Duration(s.cfg.Retention.Time),
		reach:         max(time.Duration(s.cfg.OutOfOrderTimeWindow), time.Duration(tsdb.DefaultBlockDuration/2)*time.Millisecond),
		takeExemplars: s.cfg.MaxExemplars > 0,
	}
	registerFamilies(registry, in.families)
	server, err := s.newServer(ctx, host, in, registry, logger)
	if err != nil {
		return nil, errors.Join(err, db.close())
	}
	s.intake.Store(in)
	return &running{db: db, gate: in.gate, server: server, served: make(chan struct{})}, nil
}

func (s *store) newServer(
	ctx context.Context, host component.Host, in *intake, registry *prometheus.Registry, logger *slog.Logger,
) (*http.Server, error) {
	handler, err := s.routes(in, registry, logger)
	if err != nil {
		return nil, err
	}
	server, err := s.cfg.HTTP.ToServer(ctx, host.GetExtensions(), s.settings.TelemetrySettings, handler)
	if err != nil {
		return nil, fmt.Errorf("http: %w", err)
	}
	return server, nil
}

func (s *store) serve(run *running, listener net.Listener, host component.Host) {
	defer close(run.served)
	if err := run.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		componentstatus.ReportStatus(host, componentstatus.NewPermanentErrorEvent(fmt.Errorf("serve the store's API: %w", err)))
	}
}

// Shutdown drains the API, waits for open batches and closes engine and database. It works without Start and twice; after
// an error another call tries again.
func (s *store) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	if err := s.running.drain(ctx); err != nil {
		return err
	}
	db := s.running.db
	s.running = nil
	if err := db.close(); err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}

// drain returns when nobody uses the database any more.
func (run *running) drain(ctx context.Context) error {
	if err := run.server.Shutdown(ctx); err != nil {
		// Cutting the connections cancels the requests' contexts, on which the engine gives up within a step.
		_ = run.server.Close()
	}
	<-run.served
	// A little longer than the drain itself: requests that were just cut off still have to notice.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := run.gate.close(ctx); err != nil {
		// Nothing is lost: what was committed is in the write-ahead log, and the lock ends with the process.
		return fmt.Errorf("database is left open: %w", err)
	}
	return nil
}
