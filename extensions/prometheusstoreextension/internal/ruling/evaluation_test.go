package ruling_test

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/internal/alertfeed"
)

const highErrors = `
groups:
  - name: shop
    rules:
      - alert: HighErrors
        expr: errors > 10
        for: 5m
        labels: {severity: critical}
        annotations: {summary: 'errors at {{ $value }} in {{ $labels.service }}'}
`

// keep writes the value every 15 seconds, the interval of the groups.
func (w *world) keep(v float64, d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(15 * time.Second) {
		w.write(v, "__name__", "errors", "service", "shop")
	}
}

// How long an alert waits after a restart depends on how long it has been pending before.
func TestPendingTimeSurvivesARestart(t *testing.T) {
	for name, tc := range map[string]struct {
		pending, down time.Duration
		want          time.Duration
	}{
		"4 of 5 minutes":                     {4 * time.Minute, 20 * time.Second, time.Minute},
		"2 of 5 minutes":                     {2 * time.Minute, 20 * time.Second, 3 * time.Minute},
		"away for half an hour":              {4 * time.Minute, 30 * time.Minute, time.Minute},
		"less is left than the grace period": {4*time.Minute + 45*time.Second, 20 * time.Second, time.Minute},
		"away for longer than is tolerated":  {4 * time.Minute, 2 * time.Hour, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.start(highErrors)
				for pending := 0.0; pending < tc.pending.Seconds(); {
					w.keep(20, time.Second)
					if v := w.query("time() - ALERTS_FOR_STATE"); len(v) > 0 {
						pending = v[0].F
					}
				}
				require.Empty(t, w.announced())
				w.stop()

				time.Sleep(tc.down)
				w.start(highErrors)
				restarted := time.Now()
				for w.feed.Stats().Fired == 0 && time.Since(restarted) < 10*time.Minute {
					w.keep(20, time.Second)
				}
				w.stop()
				fired := w.announced()
				require.Len(t, fired, 1)
				// On top of what is left: up to one interval to the first turn, one to the second, after which the old
				// state is read, and the rounding up to the next.
				waited := fired[0].StartsAt.Sub(restarted)
				assert.GreaterOrEqual(t, waited, tc.want)
				assert.LessOrEqual(t, waited, tc.want+45*time.Second)
			})
		})
	}
}

func TestAlertFiresAndResolves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.settings.ExternalLabels = labels.FromStrings("cluster", "north", "severity", "never used")
		w.start(highErrors)
		began := time.Now()
		w.keep(20, 6*time.Minute)
		fired := w.announced()
		require.Len(t, fired, 1)
		assert.Equal(t, alertfeed.Firing, fired[0].State)
		assert.Equal(t, `{alertname="HighErrors", cluster="north", service="shop", severity="critical"}`, fired[0].Labels.String())
		assert.Equal(t, "errors at 20 in shop", fired[0].Annotations.Get("summary"))
		assert.InDelta(t, 20, fired[0].Value, 0)
		assert.Equal(t, "errors > 10", fired[0].Expr)
		assert.Equal(t, "/graph?g0.expr=errors+%3E+10&g0.tab=1", fired[0].GeneratorURL)
		assert.Equal(t, 5*time.Minute, fired[0].StartsAt.Sub(fired[0].ActiveAt))
		assert.WithinDuration(t, began.Add(5*time.Minute+15*time.Second), fired[0].StartsAt, 15*time.Second)
		assert.Len(t, w.query(`ALERTS{alertstate="firing",cluster=""}`), 1, "no external label on a stored series")

		w.keep(20, 10*time.Minute)
		assert.Empty(t, w.announced(), "repetitions are for Alertmanagers only")

		w.keep(1, time.Minute)
		ended := w.announced()
		require.Len(t, ended, 1)
		assert.Equal(t, alertfeed.Resolved, ended[0].State)
		assert.False(t, ended[0].Lapsed)
		assert.Equal(t, fired[0].StartsAt, ended[0].StartsAt)
		assert.Empty(t, w.query("ALERTS"), "gone at once, not after 5 minutes")
		w.stop()
	})
}

const recording = `
groups:
  - name: shop
    rules:
      - {record: "shop:errors:sum", expr: sum(errors), labels: {team: a}}
      - {record: "shop:latency:rate", expr: sum(latency)}
`

// Results, stale markers and native histograms all take the way in that the caller gives.
func TestResultsGoThroughTheIntake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		intake := &spy{world: w}
		w.settings.Appendable = intake
		w.start(recording)
		h := &histogram.FloatHistogram{Count: 3, Sum: 6, Schema: 0, PositiveSpans: []histogram.Span{{Length: 2}}, PositiveBuckets: []float64{1, 2}}
		w.write(20, "__name__", "errors", "service", "shop")
		w.writeHistogram(h, "__name__", "latency")
		time.Sleep(time.Minute)

		sums := w.query("shop:errors:sum")
		require.Len(t, sums, 1)
		assert.Equal(t, `{__name__="shop:errors:sum", team="a"}`, sums[0].Metric.String())
		latency := w.query("shop:latency:rate")
		require.Len(t, latency, 1)
		require.NotNil(t, latency[0].H)
		assert.InDelta(t, 3, latency[0].H.Count, 0)

		w.write(staleMarker, "__name__", "errors", "service", "shop")
		time.Sleep(15 * time.Second)
		assert.Empty(t, w.query("shop:errors:sum"))
		w.stop()
		assert.Positive(t, intake.floats)
		assert.Positive(t, intake.histograms)
		assert.Equal(t, 1, intake.stale)
		assert.Equal(t, intake.floats+intake.histograms, intake.inOrderOnly, "rules must not write out of order")
		assert.Equal(t, intake.batches, intake.committed)
	})
}

// spy counts what passes on its way to the database.
type spy struct {
	world                                                              *world
	floats, histograms, stale, inOrderOnly, batches, committed, failed int
	refuse                                                             error
}

func (s *spy) AppenderV2(ctx context.Context) storage.AppenderV2 {
	s.batches++
	return &spyBatch{s.world.db.AppenderV2(ctx), s}
}

type spyBatch struct {
	storage.AppenderV2
	spy *spy
}

func (b *spyBatch) Append(
	ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64,
	h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AppendV2Options,
) (storage.SeriesRef, error) {
	if opts.RejectOutOfOrder {
		b.spy.inOrderOnly++
	}
	switch {
	case b.spy.refuse != nil:
		b.spy.failed++
		return 0, b.spy.refuse
	case fh != nil:
		b.spy.histograms++
	default:
		b.spy.floats++
		if math.Float64bits(v) == value.StaleNaN {
			b.spy.stale++
		}
	}
	return b.AppenderV2.Append(ref, ls, st, t, v, h, fh, opts)
}

func (b *spyBatch) Commit() error {
	b.spy.committed++
	return b.AppenderV2.Commit()
}

// What the intake refuses shows on the rule, and evaluation goes on.
func TestRefusedResultsShow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		intake := &spy{world: w, refuse: errors.New("too many series")}
		w.settings.Appendable = intake
		w.start(recording)
		w.write(20, "__name__", "errors", "service", "shop")
		time.Sleep(time.Minute)
		w.stop()
		assert.GreaterOrEqual(t, intake.failed, 3)
		rule := w.manager.RuleGroups()[0].Rules()[0]
		assert.Equal(t, rules.HealthBad, rule.Health())
		assert.EqualError(t, rule.LastError(), "too many series")
	})
}

func TestQueryOffset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.settings.QueryOffset = time.Minute
		w.start(recording)
		w.write(20, "__name__", "errors", "service", "shop")
		time.Sleep(55 * time.Second)
		assert.Empty(t, w.query("last_over_time(shop:errors:sum[5m])"))
		time.Sleep(40 * time.Second)
		assert.Len(t, w.query("last_over_time(shop:errors:sum[5m])"), 1)
		w.stop()
	})
}

// A reload keeps pending alerts and those that fire, also when their rule has changed.
func TestUpdateKeepsState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start(highErrors)
		began := time.Now()
		w.keep(20, 4*time.Minute)
		changed := parse(t, `
groups:
  - name: shop
    rules:
      - alert: HighErrors
        expr: errors > 5
        for: 5m
        labels: {severity: critical}
`)
		require.NoError(t, w.manager.Update(changed))
		w.keep(20, 2*time.Minute)
		fired := w.announced()
		require.Len(t, fired, 1)
		assert.Equal(t, "errors > 5", fired[0].Expr)
		assert.WithinDuration(t, began.Add(5*time.Minute+15*time.Second), fired[0].StartsAt, 15*time.Second)

		require.NoError(t, w.manager.Update(changed))
		w.keep(20, 2*time.Minute)
		assert.Empty(t, w.announced())
		w.stop()
	})
}

// Nobody resolves the alert of a rule that was taken out; it ends when it is not valid any more.
func TestAlertOfARemovedRuleLapses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start(highErrors)
		w.keep(20, 6*time.Minute)
		require.Len(t, w.announced(), 1)
		require.NoError(t, w.manager.Update(parse(t, `groups: []`)))
		assert.Empty(t, w.manager.RuleGroups())
		w.keep(20, 3*time.Minute)
		assert.Empty(t, w.announced())
		w.keep(20, 2*time.Minute)
		ended := w.announced()
		require.Len(t, ended, 1)
		assert.True(t, ended[0].Lapsed)
		assert.Empty(t, w.query("ALERTS"), "marked stale two intervals after the reload")
		w.stop()
	})
}

// 8 groups that are due at the same moment share 2 slots.
func TestQueriesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.settings.MaxConcurrency = 2
		text := "groups:\n"
		for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
			text += "- name: " + name + "\n  rules: [{record: x, expr: slow}, {record: y, expr: slow}]\n"
		}
		slow := &slowEngine{}
		w.wrap = func(e promql.QueryEngine) promql.QueryEngine {
			slow.QueryEngine = e
			return slow
		}
		w.start(text)
		time.Sleep(5 * time.Minute)
		w.stop()
		assert.Equal(t, int32(2), slow.most.Load())
		assert.Positive(t, w.metric("prometheus_rule_group_iterations_missed_total", ""), "what cannot be done in time is skipped and counted")
	})
}

// slowEngine takes 4 s for a query, and remembers how many ran at once.
type slowEngine struct {
	promql.QueryEngine
	running, most atomic.Int32
}

func (e *slowEngine) NewInstantQuery(ctx context.Context, q storage.Queryable, opts promql.QueryOpts, qs string, ts time.Time) (promql.Query, error) {
	now := e.running.Add(1)
	defer e.running.Add(-1)
	for most := e.most.Load(); now > most && !e.most.CompareAndSwap(most, now); most = e.most.Load() {
	}
	select {
	case <-time.After(4 * time.Second):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return e.QueryEngine.NewInstantQuery(ctx, q, opts, qs, ts)
}

// A query that hangs holds the shutdown up until its context ends, and no longer.
func TestShutdownCutsQueriesOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.wrap = func(e promql.QueryEngine) promql.QueryEngine { return hungEngine{e} }
		w.settings.MaxConcurrency = 1
		w.start(highErrors + "  - {name: waits for the slot, rules: [{record: x, expr: up}]}\n")
		time.Sleep(20 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		require.NoError(t, w.manager.Shutdown(ctx))
		assert.Equal(t, 3*time.Second, time.Since(began))
		w.stop()
	})
}

type hungEngine struct{ promql.QueryEngine }

func (hungEngine) NewInstantQuery(ctx context.Context, _ storage.Queryable, _ promql.QueryOpts, _ string, _ time.Time) (promql.Query, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestLifecycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start(highErrors)
		require.ErrorContains(t, w.manager.Start(parse(t, highErrors)), "already been started")
		w.stop()
		require.NoError(t, w.manager.Shutdown(t.Context()), "twice")
		require.Error(t, w.manager.Update(parse(t, highErrors)))
		require.Error(t, w.manager.Start(parse(t, highErrors)))
	})
}
