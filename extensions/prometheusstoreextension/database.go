package prometheusstoreextension

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/compression"
)

// maxBlock is the longest block that compaction builds, as in a stock server: a tenth of the retention, so that expiry
// deletes in small steps, and at most 31 days.
const maxBlock = 31 * 24 * time.Hour

// database is the open TSDB with the engine that queries it. Both are safe for concurrent use until close.
type database struct {
	*tsdb.DB
	engine *promql.Engine
}

func openDatabase(cfg *Config, registry *prometheus.Registry, logger *slog.Logger) (*database, error) {
	db, err := tsdb.Open(cfg.Directory, logger, registry, databaseOptions(cfg), nil)
	if err != nil {
		return nil, openError(cfg.Directory, err)
	}
	// After Open, because the tracker truncates its file and only the lock says that no other process uses it.
	tracker, err := promql.NewActiveQueryTracker(cfg.Directory, cfg.Query.MaxConcurrency, logger)
	if err != nil {
		return nil, errors.Join(openError(cfg.Directory, err), db.Close())
	}
	engine := promql.NewEngine(promql.EngineOpts{
		Logger:               logger,
		Reg:                  registry,
		MaxSamples:           cfg.Query.MaxSamples,
		Timeout:              time.Duration(cfg.Query.Timeout),
		ActiveQueryTracker:   tracker,
		LookbackDelta:        time.Duration(cfg.Query.LookbackDelta),
		EnableAtModifier:     true,
		EnableNegativeOffset: true,
		Parser:               parser.NewParser(parser.Options{}),
	})
	return &database{DB: db, engine: engine}, nil
}

func databaseOptions(cfg *Config) *tsdb.Options {
	opts := tsdb.DefaultOptions()
	opts.RetentionDuration = cfg.Retention.Time.Milliseconds()
	opts.MaxBytes = int64(cfg.Retention.Size)
	opts.MaxBlockDuration = max(opts.MinBlockDuration, min(maxBlock.Milliseconds(), opts.RetentionDuration/10))
	opts.OutOfOrderTimeWindow = cfg.OutOfOrderTimeWindow.Milliseconds()
	opts.EnableExemplarStorage = cfg.MaxExemplars > 0
	opts.MaxExemplars = cfg.MaxExemplars
	if cfg.WALCompression {
		opts.WALCompression = compression.Snappy
	}
	return opts
}

// openError says what an operator can do about a directory that does not open.
func openError(dir string, err error) error {
	full, absErr := filepath.Abs(dir)
	if absErr != nil {
		full = dir
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("directory: %s is in use by another process (a second collector, or a Prometheus): stop that "+
			"one, or give this one a directory of its own: %w", full, err)
	}
	return fmt.Errorf("directory: open database in %s: %w", full, err)
}

// close must not run while a query or an append is in progress.
func (d *database) close() error {
	return errors.Join(d.engine.Close(), d.DB.Close())
}

// demoted passes the database's own log on with info as debug: a start would print a page of replay steps. Warnings and
// errors stay what they are.
type demoted struct{ slog.Handler }

func (d demoted) Enabled(ctx context.Context, level slog.Level) bool {
	return d.Handler.Enabled(ctx, demote(level))
}

func (d demoted) Handle(ctx context.Context, r slog.Record) error {
	r.Level = demote(r.Level)
	return d.Handler.Handle(ctx, r)
}

func (d demoted) WithAttrs(attrs []slog.Attr) slog.Handler {
	return demoted{d.Handler.WithAttrs(attrs)}
}

func (d demoted) WithGroup(name string) slog.Handler {
	return demoted{d.Handler.WithGroup(name)}
}

func demote(level slog.Level) slog.Level {
	if level == slog.LevelInfo {
		return slog.LevelDebug
	}
	return level
}
