package prometheusstorereceiver

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/cenkalti/backoff/v7"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/tailgate-otel/tailgate/internal/alertfeed"
	"github.com/tailgate-otel/tailgate/receivers/prometheusstorereceiver/internal/metadata"
)

// maxBatch is how many records are handed on at once, about 100 KiB.
const maxBatch = 100

// alertReceiver is the receiver.
type alertReceiver struct {
	cfg       *Config
	settings  receiver.Settings
	next      consumer.Logs
	report    *receiverhelper.ObsReport
	telemetry *metadata.TelemetryBuilder

	// delivering is the context of all that is handed on; it ends when Shutdown runs out of time. waiting, below it, ends
	// the pauses between attempts when Shutdown begins.
	delivering, waiting context.Context
	stopDelivery, hurry context.CancelFunc

	mu           sync.Mutex // guards the two below; held over Start and Shutdown
	subscription *alertfeed.Subscription
	done         chan struct{} // closed when run has ended

	lost uint64 // how many events of the subscription's dropped ones have been counted; run's own
}

func newAlertReceiver(cfg *Config, set receiver.Settings, next consumer.Logs) (*alertReceiver, error) {
	report, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID: set.ID, LongLivedCtx: true, ReceiverCreateSettings: set,
	})
	if err != nil {
		return nil, err
	}
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	r := &alertReceiver{cfg: cfg, settings: set, next: next, report: report, telemetry: telemetry, done: make(chan struct{})}
	r.delivering, r.stopDelivery = context.WithCancel(context.Background())
	r.waiting, r.hurry = context.WithCancel(r.delivering)
	return r, nil
}

// Start subscribes to the store's alerts.
func (r *alertReceiver) Start(_ context.Context, host component.Host) error {
	source, err := alertfeed.Find(host, r.cfg.Store)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.subscription != nil {
		return errors.New("already started")
	}
	r.subscription = source.SubscribeAlerts("receiver "+r.settings.ID.String(), r.cfg.QueueSize)
	go r.run()
	return nil
}

// Shutdown ends the subscription, and hands on what is queued, each batch with one attempt; what is not done when ctx ends
// is dropped and counted. It works without Start and twice.
func (r *alertReceiver) Shutdown(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.stopDelivery()
	if r.subscription == nil {
		return nil
	}
	defer context.AfterFunc(ctx, r.stopDelivery)()
	r.subscription.Close()
	r.hurry()
	<-r.done
	r.telemetry.Shutdown()
	return nil
}

// run hands events on until the subscription is closed and empty.
func (r *alertReceiver) run() {
	defer close(r.done)
	for first := range r.subscription.Events() {
		if batch := r.wanted(r.subscription.Batch(first, maxBatch)); len(batch) > 0 {
			r.deliver(batch)
		}
		r.countLost()
	}
	r.countLost()
}

// wanted returns those of the events that make a record.
func (r *alertReceiver) wanted(batch []alertfeed.Event) []alertfeed.Event {
	return slices.DeleteFunc(batch, func(e alertfeed.Event) bool { return !slices.Contains(r.cfg.States, e.State.String()) })
}

// deliver hands a batch on until the pipeline takes it, refuses it for good, or it is too late.
func (r *alertReceiver) deliver(batch []alertfeed.Event) {
	retry := &r.cfg.Retry
	tries := uint(0) // no limit
	if !retry.Enabled {
		tries = 1
	}
	_, err := backoff.Retry(r.waiting,
		func() (struct{}, error) { return struct{}{}, r.offer(batch) },
		backoff.WithBackOff(&backoff.ExponentialBackOff{
			InitialInterval:     retry.InitialInterval,
			RandomizationFactor: retry.RandomizationFactor,
			Multiplier:          retry.Multiplier,
			MaxInterval:         retry.MaxInterval,
		}),
		backoff.WithMaxElapsedTime(retry.MaxElapsedTime),
		backoff.WithMaxTries(tries),
	)
	if err == nil {
		return
	}
	reason := dropTimeout
	switch {
	case errors.Is(err, backoff.ErrPermanent), errors.Is(err, backoff.ErrExhausted):
		reason = dropRefused
	case r.waiting.Err() != nil:
		reason = dropShutdown
	}
	r.drop(reason, len(batch))
	r.settings.Logger.Error("alerts did not reach the pipeline: look at its exporters", zap.Int("alerts", len(batch)),
		zap.String("reason", reason), zap.Error(err))
}

// offer makes one attempt. Each has a batch of its own, because the pipeline owns what it was given.
func (r *alertReceiver) offer(batch []alertfeed.Event) error {
	ctx := r.report.StartLogsOp(r.delivering)
	err := r.next.ConsumeLogs(ctx, r.logs(batch))
	r.report.EndLogsOp(ctx, metadata.Type.String(), len(batch), err)
	if err != nil && consumererror.IsPermanent(err) {
		return backoff.Permanent(err)
	}
	return err
}

// countLost counts what the subscription has dropped since the last call.
func (r *alertReceiver) countLost() {
	lost := r.subscription.Dropped()
	if n := lost - r.lost; n > 0 {
		r.drop(dropQueueFull, int(n))
	}
	r.lost = lost
}

// Why no record of a change reached the pipeline; metadata.yaml says more.
const (
	dropQueueFull = "queue_full"
	dropRefused   = "refused"
	dropTimeout   = "timeout"
	dropShutdown  = "shutdown"
)

func (r *alertReceiver) drop(reason string, n int) {
	r.telemetry.ReceiverPrometheusstoreAlertsDropped.Add(context.Background(), int64(n),
		metric.WithAttributeSet(attribute.NewSet(attribute.String("reason", reason))))
}
