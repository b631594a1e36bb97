package ruling_test

import (
	"context"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/ruling"
	"github.com/tailgate-otel/tailgate/internal/alertfeed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a real database with an engine, and a rule manager on top that can be restarted.
type world struct {
	t        *testing.T
	dir      string
	db       *tsdb.DB
	engine   *promql.Engine
	registry *prometheus.Registry
	feed     *alertfeed.Feed
	events   *alertfeed.Subscription
	manager  *ruling.Manager
	settings ruling.Settings // what is not the default; set before start
	wrap     func(promql.QueryEngine) promql.QueryEngine
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir(), feed: alertfeed.New(100)}
	w.settings.Interval = 15 * time.Second
	w.events = w.feed.Subscribe("test", 100)
	return w
}

// start opens the database and starts the rules.
func (w *world) start(rules string) {
	w.t.Helper()
	w.registry = prometheus.NewRegistry()
	opts := tsdb.DefaultOptions()
	opts.OutOfOrderTimeWindow = (10 * time.Minute).Milliseconds()
	var err error
	w.db, err = tsdb.Open(w.dir, slog.New(slog.DiscardHandler), nil, opts, nil)
	require.NoError(w.t, err)
	w.engine = promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, LookbackDelta: 5 * time.Minute})
	s := w.settings
	s.Queryable, s.Registerer, s.Feed = w.db, w.registry, w.feed
	s.Engine = w.engine
	if w.wrap != nil {
		s.Engine = w.wrap(w.engine)
	}
	if s.Appendable == nil {
		s.Appendable = w.db
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	w.manager, err = ruling.New(s)
	require.NoError(w.t, err)
	require.NoError(w.t, w.manager.Start(parse(w.t, rules)))
}

// stop ends rules and database, as the end of the process does.
func (w *world) stop() {
	w.t.Helper()
	require.NoError(w.t, w.manager.Shutdown(context.Background()))
	require.NoError(w.t, w.engine.Close())
	require.NoError(w.t, w.db.Close())
}

// write appends a sample of now.
func (w *world) write(v float64, ls ...string) {
	w.t.Helper()
	w.append(v, nil, ls)
}

func (w *world) writeHistogram(h *histogram.FloatHistogram, ls ...string) {
	w.t.Helper()
	w.append(0, h, ls)
}

func (w *world) append(v float64, h *histogram.FloatHistogram, ls []string) {
	w.t.Helper()
	app := w.db.AppenderV2(w.t.Context())
	_, err := app.Append(0, labels.FromStrings(ls...), 0, time.Now().UnixMilli(), v, nil, h, storage.AppendV2Options{})
	require.NoError(w.t, err)
	require.NoError(w.t, app.Commit())
}

// query evaluates an instant query now.
func (w *world) query(expr string) promql.Vector {
	w.t.Helper()
	q, err := w.engine.NewInstantQuery(w.t.Context(), w.db, nil, expr, time.Now())
	require.NoError(w.t, err)
	defer q.Close()
	vector, err := q.Exec(w.t.Context()).Vector()
	require.NoError(w.t, err)
	return vector
}

// announced reads the events that have been published and not been read.
func (w *world) announced() (list []alertfeed.Event) {
	for {
		select {
		case e := <-w.events.Events():
			list = append(list, e)
		default:
			return list
		}
	}
}

// metric adds up the values of a family, of those series that have the label value.
func (w *world) metric(name, labelValue string) float64 {
	w.t.Helper()
	families, err := w.registry.Gather()
	require.NoError(w.t, err)
	sum := math.NaN()
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if labelValue == "" || hasValue(m, labelValue) {
				sum = m.GetCounter().GetValue() + m.GetGauge().GetValue() + nonNaN(sum)
			}
		}
	}
	return sum
}

func hasValue(m *dto.Metric, v string) bool {
	for _, l := range m.GetLabel() {
		if l.GetValue() == v {
			return true
		}
	}
	return false
}

func nonNaN(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}

// parse makes a set of one embedded file.
func parse(t *testing.T, rules string) *ruling.RuleSet {
	t.Helper()
	set, err := ruling.Load(ruling.Sources{Embedded: fstest.MapFS{"test.yaml": {Data: []byte(rules)}}}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return set
}

// file writes a file into a directory of the test.
func file(t *testing.T, name, content string) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

var staleMarker = math.Float64frombits(value.StaleNaN)
