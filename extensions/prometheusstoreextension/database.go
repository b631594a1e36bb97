package prometheusstoreextension

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/compression"
	"github.com/prometheus/prometheus/util/features"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/dialect"
)

// maxBlock is the longest block that compaction builds, as in a stock server: a tenth of the retention, so that expiry
// deletes in small steps, and at most 31 days.
const maxBlock = 31 * 24 * time.Hour

// database is the open TSDB with the engine that queries it. Both are safe for concurrent use until close.
type database struct {
	*tsdb.DB
	engine    *promql.Engine
	ruling    *promql.Engine // of rules, so that alerts do not queue behind dashboards
	retention time.Duration

	// reach is how far before the newest sample the database takes any: half a block for samples in order, the
	// out-of-order window for others.
	reach time.Duration
}

// openDatabase opens the directory. step is that of subqueries which name none.
func openDatabase(
	cfg *Config, step time.Duration, registry *prometheus.Registry, abilities features.Collector, logger *slog.Logger,
) (*database, error) {
	options := databaseOptions(cfg)
	options.FeatureRegistry = abilities
	db, err := tsdb.Open(cfg.Directory, logger, registry, options, nil)
	if err != nil {
		return nil, openError(cfg.Directory, err)
	}
	// After Open, because the tracker truncates its file and only the lock says that no other process uses it.
	tracker, err := promql.NewActiveQueryTracker(cfg.Directory, cfg.Query.MaxConcurrency, logger)
	if err != nil {
		return nil, errors.Join(openError(cfg.Directory, err), db.Close())
	}
	settings := engineOptions(cfg, step, logger)
	ruling := promql.NewEngine(settings)
	settings.Reg, settings.ActiveQueryTracker, settings.FeatureRegistry = registry, tracker, abilities
	engine := promql.NewEngine(settings)
	return &database{
		DB: db, engine: engine, ruling: ruling, retention: time.Duration(cfg.Retention.Time),
		reach: max(time.Duration(cfg.OutOfOrderTimeWindow), time.Duration(tsdb.DefaultBlockDuration/2)*time.Millisecond),
	}, nil
}

func engineOptions(cfg *Config, step time.Duration, logger *slog.Logger) promql.EngineOpts {
	return promql.EngineOpts{
		Logger:        logger,
		MaxSamples:    cfg.Query.MaxSamples,
		Timeout:       time.Duration(cfg.Query.Timeout),
		LookbackDelta: time.Duration(cfg.Query.LookbackDelta),
		// Without it a subquery that names no step ends the process.
		NoStepSubqueryIntervalFn: func(int64) int64 { return step.Milliseconds() },
		EnableAtModifier:         true,
		EnableNegativeOffset:     true,
		Parser:                   dialect.Parser(),
	}
}

func (d *database) bounds(now time.Time) (oldest, newest time.Time) {
	oldest, newest = now.Add(-d.retention), now.Add(maxAhead)
	if head := d.Head().MaxTime(); head != math.MinInt64 {
		if reached := time.UnixMilli(head).Add(-d.reach); reached.After(oldest) {
			oldest = reached
		}
	}
	return oldest, newest
}

// Labels returns the labels of a series that was appended lately, for senders that only know its reference.
func (d *database) Labels(ref storage.SeriesRef) (labels.Labels, bool) {
	index, err := d.Head().Index()
	if err != nil {
		return labels.EmptyLabels(), false
	}
	defer index.Close() //nolint:errcheck // of a head in memory: nothing to close
	var builder labels.ScratchBuilder
	if err := index.Series(ref, &builder, nil); err != nil {
		return labels.EmptyLabels(), false
	}
	return builder.Labels(), true
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
	return errors.Join(d.ruling.Close(), d.engine.Close(), d.DB.Close())
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
