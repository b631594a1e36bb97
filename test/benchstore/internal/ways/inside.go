package ways

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage/remote/otlptranslator/prometheusremotewrite"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/compression"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/tailgate-otel/tailgate/exporters/prometheusstoreexporter"
	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/api"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/payload"
)

const (
	outOfOrderWindow = 10 * time.Minute
	maxExemplars     = 100_000
)

// embedded is our exporter before our store.
func embedded(o Options) (*Running, error) {
	r := &Running{}
	if err := r.startStore(o, nil); err != nil {
		return r.failed(err)
	}
	return r, nil
}

// startStore starts our exporter and store, with more keys for the store. What the store does of itself is off, as a
// stock server has none of it: its own metrics and the generated rules.
func (r *Running) startStore(o Options, more keys) error {
	dir, err := os.MkdirTemp(o.Dir, "s") // short: the address of a socket has no room for more
	if err != nil {
		return fmt.Errorf("directory of the store: %w", err)
	}
	r.onStop(func() error { return os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	store := keys{
		"directory":     filepath.Join(dir, "data"),
		"http":          keys{"transport": "unix", "endpoint": socket},
		"self_metrics":  keys{"interval": "0s"},
		"rules":         keys{"builtin": false},
		"max_exemplars": maxExemplars, "out_of_order_time_window": outOfOrderWindow.String(),
	}
	for k, v := range more {
		store[k] = v
	}
	h, err := r.startExtension(prometheusstoreextension.NewFactory(), store)
	if err != nil {
		return err
	}
	r.own = api.Unix(socket)
	r.onStop(func() error { r.own.Close(); return nil })
	if r.Stored == nil {
		r.Stored = r.own
	}
	// Stale markers are learnt from the time between exports, which is milliseconds here, and would be samples that were
	// never exported.
	layout := keys{"stale_after": 0}
	if o.Kind == payload.NHCB {
		layout["histograms"] = "nhcb"
	}
	return r.startExporter(prometheusstoreexporter.NewFactory(), layout, h)
}

// converter is Prometheus' own converter, as its server uses it, before a database in this process.
func converter(o Options) (*Running, error) {
	dir, err := os.MkdirTemp(o.Dir, "converter")
	if err != nil {
		return nil, fmt.Errorf("directory of the database: %w", err)
	}
	r := &Running{}
	r.onStop(func() error { return os.RemoveAll(dir) })
	opts := tsdb.DefaultOptions()
	opts.EnableExemplarStorage, opts.MaxExemplars = true, maxExemplars
	opts.OutOfOrderTimeWindow = outOfOrderWindow.Milliseconds()
	opts.WALCompression = compression.Snappy
	registry := prometheus.NewRegistry()
	db, err := tsdb.Open(dir, promslog.NewNopLogger(), registry, opts, nil)
	if err != nil {
		return r.failed(fmt.Errorf("open a database: %w", err))
	}
	r.onStop(db.Close)
	r.Stored = &database{db, registry}
	settings := prometheusremotewrite.Settings{
		AddMetricSuffixes:                    true,
		PromoteResourceAttributes:            prometheusremotewrite.NewPromoteResourceAttributes(config.OTLPConfig{}),
		ConvertHistogramsToNHCB:              o.Kind == payload.NHCB,
		LabelNameUnderscoreSanitization:      true,
		LabelNamePreserveMultipleUnderscores: true,
		LookbackDelta:                        5 * time.Minute,
	}
	r.export = func(ctx context.Context, md pmetric.Metrics) error {
		app := db.AppenderV2(ctx)
		if _, err := prometheusremotewrite.NewPrometheusConverter(app).FromMetrics(ctx, md, settings); err != nil {
			return errors.Join(fmt.Errorf("convert: %w", err), app.Rollback())
		}
		return app.Commit()
	}
	return r, nil
}

// database counts in a database of this process.
type database struct {
	*tsdb.DB
	registry *prometheus.Registry
}

// Count asks the query engine, as the API of a server does.
func (d *database) Count(metrics []string, from, to time.Time) (int, error) {
	engine := promql.NewEngine(promql.EngineOpts{
		Logger: promslog.NewNopLogger(), MaxSamples: math.MaxInt32, Timeout: time.Minute, Parser: parser.NewParser(parser.Options{}),
	})
	total := 0
	for _, metric := range metrics {
		n, err := d.count(engine, api.CountQuery(metric, from, to), to)
		if err != nil {
			return 0, errors.Join(fmt.Errorf("count samples of %s: %w", metric, err), engine.Close())
		}
		total += n
	}
	return total, engine.Close()
}

// count is the value of a query that has one or none.
func (d *database) count(engine *promql.Engine, text string, at time.Time) (int, error) {
	query, err := engine.NewInstantQuery(context.Background(), d.DB, nil, text, at)
	if err != nil {
		return 0, err
	}
	defer query.Close()
	vector, err := query.Exec(context.Background()).Vector()
	if err != nil || len(vector) == 0 {
		return 0, err
	}
	return int(vector[0].F), nil
}

// Counters reads the database's own metrics. What is not there is 0, as it is for a server.
func (d *database) Counters(names ...string) ([]float64, error) {
	families, err := d.registry.Gather()
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	totals := make([]float64, len(names))
	for _, f := range families {
		i := slices.Index(names, f.GetName())
		if i < 0 {
			continue
		}
		for _, m := range f.GetMetric() {
			totals[i] += m.GetCounter().GetValue()
		}
	}
	return totals, nil
}
