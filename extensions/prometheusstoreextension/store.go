package prometheusstoreextension

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/prometheus/storage"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/extension"

	"github.com/tailgate-otel/tailgate/internal/alertfeed"
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
	feed     *alertfeed.Feed
	writers  writers

	// intake is nil until the database is open. Writers load it once per batch.
	intake atomic.Pointer[intake]

	mu       sync.Mutex // guards the fields below; held over all of Start and Shutdown, which nothing else waits for
	running  *running
	listener net.Addr
}

var (
	_ extension.Extension = (*store)(nil)
	_ promstore.Store     = (*store)(nil)
)

func newStore(cfg *Config, set extension.Settings) *store {
	return &store{cfg: cfg, settings: set, feed: alertfeed.New(maxFiring)}
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
	return in.lead.bounds(time.Now())
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
	s.listener = listener.Addr()
	run, err := s.open(ctx, host)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	if err := s.openServer(ctx, host, run, listener); err != nil {
		return errors.Join(err, run.close(ctx), listener.Close())
	}
	s.intake.Store(run.intake)
	s.running = run
	// Building the API's description allocates 80 MB, and replaying a log more, all of it garbage by now. Nothing would
	// collect it for two minutes in a collector that has little to do.
	go debug.FreeOSMemory()
	if run.db == nil {
		s.settings.Logger.Sugar().Infof("Prometheus store in mode agent: forwards to %d servers, API at http://%s/", len(run.senders), listener.Addr())
	} else {
		s.settings.Logger.Sugar().Infof("Prometheus store in %s, dashboards and API at http://%s/", s.cfg.Directory, listener.Addr())
	}
	return nil
}

// address is where the listener can be reached.
func (s *store) address() string {
	if s.listener != nil && s.listener.Network() == "tcp" {
		return s.listener.String()
	}
	return s.cfg.HTTP.NetAddr.Endpoint
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

func (s *store) newServer(ctx context.Context, host component.Host, handler http.Handler) (*http.Server, error) {
	server, err := s.cfg.HTTP.ToServer(ctx, host.GetExtensions(), s.settings.TelemetrySettings, handler,
		confighttp.WithDecoder("snappy", untouched))
	if err != nil {
		return nil, fmt.Errorf("http: %w", err)
	}
	return server, nil
}

// untouched leaves Snappy to Prometheus' own handlers, which expect its block format whatever the header says.
func untouched(body io.ReadCloser) (io.ReadCloser, error) { return body, nil }

func (s *store) serve(server *http.Server, listener net.Listener, host component.Host) {
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		componentstatus.ReportStatus(host, componentstatus.NewPermanentErrorEvent(fmt.Errorf("serve the store's API: %w", err)))
	}
}

// Shutdown drains the API, ends rules and scrapes, waits for open batches and closes the database. It works without Start
// and twice; after an error another call tries again.
func (s *store) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	err := s.running.close(ctx)
	if len(s.running.closers) == 0 {
		s.running = nil
	}
	return err
}
