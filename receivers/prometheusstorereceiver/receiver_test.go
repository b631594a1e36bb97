package prometheusstorereceiver_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/tailgate-otel/tailgate/internal/alertfeed"
	"github.com/tailgate-otel/tailgate/receivers/prometheusstorereceiver"
)

var storeID = component.MustNewID("prometheusstore")

// store is what the receiver knows of the extension.
type store struct {
	component.StartFunc
	component.ShutdownFunc
	*alertfeed.Feed
}

func (s store) SubscribeAlerts(name string, capacity int) *alertfeed.Subscription {
	return s.Subscribe(name, capacity)
}

type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

// world is a receiver between a feed and a pipeline.
type world struct {
	t         *testing.T
	feed      *alertfeed.Feed
	pipeline  *pipeline
	telemetry *componenttest.Telemetry
	receiver  receiver.Logs
}

func newWorld(t *testing.T, change func(*prometheusstorereceiver.Config)) *world {
	t.Helper()
	w := &world{t: t, feed: alertfeed.New(5000), pipeline: &pipeline{}, telemetry: componenttest.NewTelemetry()}
	factory := prometheusstorereceiver.NewFactory()
	cfg := factory.CreateDefaultConfig().(*prometheusstorereceiver.Config)
	if change != nil {
		change(cfg)
	}
	set := receivertest.NewNopSettings(factory.Type())
	set.ID = storeID
	set.TelemetrySettings = w.telemetry.NewTelemetrySettings()
	set.Resource.Attributes().PutStr("service.name", "tailgate")
	var err error
	w.receiver, err = factory.CreateLogs(t.Context(), set, cfg, w.pipeline)
	require.NoError(t, err)
	return w
}

func (w *world) start() {
	w.t.Helper()
	require.NoError(w.t, w.receiver.Start(w.t.Context(), host{storeID: store{Feed: w.feed}}))
}

func (w *world) stop() {
	w.t.Helper()
	require.NoError(w.t, w.receiver.Shutdown(context.Background()))
}

// counted is the value of a counter of the receiver, over all attributes or of those with the value.
func (w *world) counted(name, value string) (sum int64) {
	w.t.Helper()
	metric, err := w.telemetry.GetMetric(name)
	if err != nil {
		return 0
	}
	for _, p := range metric.Data.(metricdata.Sum[int64]).DataPoints {
		reason, _ := p.Attributes.Value("reason")
		if value == "" || reason.AsString() == value {
			sum += p.Value
		}
	}
	return sum
}

// pipeline is a sink that fails on demand.
type pipeline struct {
	consumertest.LogsSink
	mu    sync.Mutex // guards fails
	fails []error    // of the next calls, in order
}

func (*pipeline) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: true}
}

func (p *pipeline) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	p.mu.Lock()
	var err error
	if len(p.fails) > 0 {
		err, p.fails = p.fails[0], p.fails[1:]
	}
	p.mu.Unlock()
	if errors.Is(err, errHang) {
		<-ctx.Done()
		return ctx.Err()
	}
	if err != nil {
		plog.NewLogs().CopyTo(ld) // as an owner may
		return err
	}
	return p.LogsSink.ConsumeLogs(ctx, ld)
}

func (p *pipeline) fail(errs ...error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fails = errs
}

// names are the alerts of the records, with their state.
func (p *pipeline) names() (list []string) {
	for _, ld := range p.AllLogs() {
		records := ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
		for _, r := range records.All() {
			list = append(list, fmt.Sprint(r.Attributes().AsRaw()["alert.name"], " ", r.Attributes().AsRaw()["alert.state"]))
		}
	}
	return list
}

var (
	errBusy = errors.New("queue is full")
	errBad  = consumererror.NewPermanent(errors.New("no such index"))
	errHang = errors.New("hang")
)

func repeat(err error, n int) (errs []error) {
	for range n {
		errs = append(errs, err)
	}
	return errs
}

func firing(name string) alertfeed.Alert {
	return alertfeed.Alert{
		Labels: labels.FromStrings("alertname", name), StartsAt: time.Now(), ValidUntil: time.Now().Add(time.Hour),
	}
}

func resolved(a alertfeed.Alert) alertfeed.Alert {
	a.EndsAt = a.StartsAt.Add(time.Minute)
	return a
}

const (
	dropped  = "otelcol_receiver_prometheusstore_alerts_dropped"
	accepted = "otelcol_receiver_accepted_log_records"
)

func TestRecordsOfAnAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.start()
		a := alertfeed.Alert{
			Labels:      labels.FromStrings("alertname", "HighErrors", "severity", "critical", "service", "shop"),
			Annotations: labels.FromStrings("summary", "errors at 20", "runbook_url", "http://wiki/errors"),
			Expr:        "errors > 10", Value: 20,
			ActiveAt: time.Now().Add(-5 * time.Minute), StartsAt: time.Now(), ValidUntil: time.Now().Add(time.Hour),
			GeneratorURL: "http://store/graph",
		}
		w.feed.Report(a)
		time.Sleep(time.Second)
		w.feed.Report(resolved(a))
		synctest.Wait()
		w.stop()

		require.Equal(t, []string{"HighErrors firing", "HighErrors resolved"}, w.pipeline.names())
		first := w.pipeline.AllLogs()[0].ResourceLogs().At(0)
		assert.Equal(t, map[string]any{"service.name": "tailgate"}, first.Resource().Attributes().AsRaw())
		assert.Equal(t, "github.com/tailgate-otel/tailgate/receivers/prometheusstorereceiver", first.ScopeLogs().At(0).Scope().Name())
		record := first.ScopeLogs().At(0).LogRecords().At(0)
		assert.Equal(t, "alert.state_change", record.EventName())
		assert.Equal(t, "errors at 20", record.Body().Str())
		assert.Equal(t, plog.SeverityNumberError2, record.SeverityNumber())
		assert.Equal(t, "critical", record.SeverityText())
		assert.Equal(t, a.StartsAt.UTC(), record.Timestamp().AsTime())
		assert.True(t, record.TraceID().IsEmpty())
		want := map[string]any{
			"alert.name": "HighErrors", "alert.state": "firing", "alert.fingerprint": a.Fingerprint(),
			"alert.expression": "errors > 10", "alert.value": 20.0, "alert.url": "http://store/graph",
			"alert.start_time":     "2000-01-01T00:00:00Z",
			"alert.label.severity": "critical", "alert.label.service": "shop",
			"alert.annotation.summary": "errors at 20", "alert.annotation.runbook_url": "http://wiki/errors",
		}
		assert.Equal(t, want, record.Attributes().AsRaw())

		record = w.pipeline.AllLogs()[1].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
		want["alert.state"], want["alert.end_time"] = "resolved", "2000-01-01T00:01:00Z"
		assert.Equal(t, want, record.Attributes().AsRaw())
		assert.Equal(t, plog.SeverityNumberInfo, record.SeverityNumber())
		assert.Equal(t, a.StartsAt.Add(time.Minute).UTC(), record.Timestamp().AsTime())
		assert.Equal(t, a.StartsAt.Add(time.Second).UTC(), record.ObservedTimestamp().AsTime())
		assert.Equal(t, int64(2), w.counted(accepted, ""))
	})
}

// What fires already when the pipeline starts is announced.
func TestAlertsFromBeforeTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.feed.Report(firing("A"))
		w.start()
		synctest.Wait()
		assert.Equal(t, []string{"A firing"}, w.pipeline.names())
		w.stop()
	})
}

func TestStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *prometheusstorereceiver.Config) { c.States = []string{"resolved"} })
		w.start()
		a := firing("A")
		w.feed.Report(a)
		w.feed.Report(resolved(a))
		w.feed.Report(firing("B"))
		synctest.Wait()
		assert.Equal(t, []string{"A resolved"}, w.pipeline.names())
		w.stop()
	})
}

func TestLapsedAlerts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.start()
		w.feed.Report(firing("A"))
		time.Sleep(2 * time.Hour)
		w.feed.Lapse(time.Now())
		synctest.Wait()
		require.Equal(t, []string{"A firing", "A resolved"}, w.pipeline.names())
		record := w.pipeline.AllLogs()[1].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
		assert.Equal(t, true, record.Attributes().AsRaw()["alert.lapsed"])
		w.stop()
	})
}

func TestPipelineThatFailsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.pipeline.fail(errBusy, errBusy)
		w.start()
		w.feed.Report(firing("A"))
		time.Sleep(time.Minute)
		assert.Equal(t, []string{"A firing"}, w.pipeline.names(), "whole, although the pipeline emptied its copy")
		assert.Zero(t, w.counted(dropped, ""))
		w.stop()
	})
}

// In = handed on + dropped, whatever goes wrong.
func TestEveryLossIsCounted(t *testing.T) {
	for name, tc := range map[string]struct {
		fails  []error
		retry  bool
		wait   time.Duration
		want   []string
		reason map[string]int64
	}{
		"refused for good": {
			fails: []error{errBad}, retry: true, wait: time.Second,
			want: []string{"B firing", "C firing", "D firing"}, reason: map[string]int64{"refused": 1},
		},
		"refused without retries": {
			fails: []error{errBusy}, retry: false, wait: time.Second,
			want: []string{"B firing", "C firing", "D firing"}, reason: map[string]int64{"refused": 1},
		},
		"away for an hour": {
			fails: repeat(errBusy, 100), retry: true, wait: time.Hour,
			want: nil, reason: map[string]int64{"timeout": 1 + 2, "queue_full": 1},
		},
		"stopped meanwhile": {
			fails: repeat(errBusy, 100), retry: true, wait: time.Second,
			want: nil, reason: map[string]int64{"shutdown": 1 + 2, "queue_full": 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(c *prometheusstorereceiver.Config) {
					c.QueueSize = 2
					c.Retry.Enabled = tc.retry
				})
				w.pipeline.fail(tc.fails...)
				w.start()
				w.feed.Report(firing("A"))
				synctest.Wait()
				for _, name := range []string{"B", "C", "D"} {
					w.feed.Report(firing(name))
					if len(tc.fails) == 1 {
						synctest.Wait()
					}
				}
				time.Sleep(tc.wait)
				w.stop()
				assert.Equal(t, tc.want, w.pipeline.names())
				for reason, n := range tc.reason {
					assert.Equal(t, n, w.counted(dropped, reason), reason)
				}
				assert.Equal(t, int64(4), w.counted(dropped, "")+w.counted(accepted, ""))
			})
		})
	}
}

// A pipeline that never returns holds the shutdown up until its context ends.
func TestShutdownCutsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.pipeline.fail(errHang, errHang)
		w.start()
		w.feed.Report(firing("A"))
		synctest.Wait()
		w.feed.Report(firing("B"))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		require.NoError(t, w.receiver.Shutdown(ctx))
		assert.Equal(t, 3*time.Second, time.Since(began))
		assert.Equal(t, int64(2), w.counted(dropped, "shutdown"))
	})
}

func TestLargeBatchesAreSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.start()
		var burst []alertfeed.Alert
		for i := range 250 {
			burst = append(burst, firing(fmt.Sprint(i)))
		}
		w.feed.Report(burst...)
		synctest.Wait()
		assert.Equal(t, 250, w.pipeline.LogRecordCount())
		assert.Len(t, w.pipeline.AllLogs(), 3)
		w.stop()
	})
}

func TestLifecycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.stop()

		w = newWorld(t, nil)
		require.ErrorContains(t, w.receiver.Start(t.Context(), host{}), `store: there is no extension "prometheusstore"`)
		w.stop()

		w = newWorld(t, nil)
		w.start()
		require.Error(t, w.receiver.Start(t.Context(), host{storeID: store{Feed: w.feed}}))
		assert.Len(t, w.feed.Stats().Subscribers, 1)
		w.stop()
		w.stop()
		assert.Empty(t, w.feed.Stats().Subscribers)
	})
}
