package ruling

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v7"

	"github.com/tailgate-otel/tailgate/internal/alertfeed"
)

// Webhook is an address that is told of each alert that begins to fire or ends, in the format of Alertmanager's webhooks.
// Unlike Alertmanager it repeats nothing, silences nothing and groups only what changes together.
type Webhook struct {
	// Name tells webhooks apart in metrics, logs and the message's field receiver.
	Name string
	// URL is where messages are posted. It may carry a secret, so it is in no log and no metric.
	URL string
	// Client sends them, with whatever authentication the receiver asks for.
	Client *http.Client
	// Timeout bounds one request. Default 10s.
	Timeout time.Duration
	// RetryFor is for how long a message is tried again after a network error or a status 408, 429 or 5xx. Default 5m: a
	// later alert waits meanwhile.
	RetryFor time.Duration
	// QueueCapacity is how many events may wait. Default 1000, at most half a MiB.
	QueueCapacity int
	// OnlyFiring leaves out that alerts have ended.
	OnlyFiring bool
}

func validateWebhooks(webhooks []Webhook) error {
	var errs []error
	seen := map[string]bool{}
	for i, w := range webhooks {
		if err := w.validate(); err != nil {
			errs = append(errs, fmt.Errorf("webhooks[%d]: %w", i, err))
		}
		if seen[w.Name] {
			errs = append(errs, fmt.Errorf("webhooks[%d]: name: %q is taken by another webhook", i, w.Name))
		}
		seen[w.Name] = true
	}
	return errors.Join(errs...)
}

func (w Webhook) validate() error {
	u, err := url.Parse(w.URL)
	switch {
	case w.Name == "":
		return errors.New("name: must be set: metrics and messages carry it")
	case w.Client == nil:
		return errors.New("client: must be set")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("url: must be like https://host/path (the value is not shown: it may hold a secret)")
	}
	return nil
}

// maxBatch is how many events one message may have, which keeps it under 100 KiB with usual labels.
const maxBatch = 100

// webhook delivers to one address. Its goroutine is run's.
type webhook struct {
	Webhook
	manager      *Manager
	metrics      *webhookMetrics
	subscription *alertfeed.Subscription

	// waiting ends waits between attempts: at shutdown each message gets one more attempt and no wait.
	waiting context.Context
	hurry   context.CancelFunc
}

func newWebhook(w Webhook, m *Manager, metrics *webhookMetrics) *webhook {
	setDefault(&w.Timeout, 10*time.Second)
	setDefault(&w.RetryFor, 5*time.Minute)
	setDefault(&w.QueueCapacity, 1000)
	metrics.declare(w.Name)
	hook := &webhook{Webhook: w, manager: m, metrics: metrics}
	hook.waiting, hook.hurry = context.WithCancel(m.delivering)
	return hook
}

// run delivers until the subscription is closed and empty.
func (w *webhook) run() {
	for first := range w.subscription.Events() {
		for _, group := range groupByName(w.wanted(w.subscription.Batch(first, maxBatch))) {
			w.deliver(group)
		}
	}
}

// wanted returns those of the events that the receiver is to know.
func (w *webhook) wanted(batch []alertfeed.Event) []alertfeed.Event {
	return slices.DeleteFunc(batch, func(e alertfeed.Event) bool { return w.OnlyFiring && e.State != alertfeed.Firing })
}

// deliver posts one message until it is taken, refused, or too late.
func (w *webhook) deliver(events []alertfeed.Event) {
	logger := w.manager.settings.Logger.With("webhook", w.Name)
	body, err := json.Marshal(newMessage(w.Name, w.manager.settings.ExternalURL.String(), events))
	if err != nil {
		logger.Error("Alerts could not be encoded for the webhook", "alerts", len(events), "err", err)
		w.metrics.dropped(w.Name, dropRefused, len(events))
		return
	}
	_, err = backoff.Retry(w.waiting,
		func() (struct{}, error) { return struct{}{}, w.post(body) },
		backoff.WithBackOff(&backoff.ExponentialBackOff{
			InitialInterval: time.Second, Multiplier: 2, MaxInterval: 30 * time.Second, RandomizationFactor: 0.3,
		}),
		backoff.WithMaxElapsedTime(w.RetryFor),
		backoff.WithNotify(func(err error, next time.Duration) {
			w.metrics.retries.WithLabelValues(w.Name).Inc()
			logger.Debug("Webhook did not take alerts", "alerts", len(events), "next_attempt", next, "err", err)
		}),
	)
	if err == nil {
		w.metrics.sent.WithLabelValues(w.Name).Add(float64(len(events)))
		return
	}
	reason := dropTimeout
	switch {
	case errors.Is(err, backoff.ErrPermanent):
		reason = dropRefused
	case w.waiting.Err() != nil:
		reason = dropShutdown
	}
	w.metrics.dropped(w.Name, reason, len(events))
	logger.Error("Alerts were not delivered to the webhook: look whether its receiver is up and takes Alertmanager's "+
		"format (version 4)", "alerts", len(events), "reason", reason, "err", err)
}

// post makes one attempt. Its error says whether another one makes sense.
func (w *webhook) post(body []byte) error {
	ctx, cancel := context.WithTimeout(w.manager.delivering, w.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return backoff.Permanent(errors.New("the URL is not usable"))
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := w.Client.Do(req)
	if err != nil {
		return withoutURL(err)
	}
	defer func() { _ = resp.Body.Close() }()
	// What a receiver says about a refusal is short; what is longer is cut, and costs the connection.
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	return outcome(resp, answer)
}

// outcome reads the status: taken, to be tried again, or refused for good.
func outcome(resp *http.Response, answer []byte) error {
	if resp.StatusCode/100 == 2 {
		return nil
	}
	err := fmt.Errorf("status %s: %q", resp.Status, answer)
	switch {
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusServiceUnavailable:
		if seconds, parseErr := strconv.Atoi(resp.Header.Get("Retry-After")); parseErr == nil && seconds >= 0 {
			return backoff.RetryAfter(time.Duration(seconds)*time.Second, err)
		}
		return err
	case resp.StatusCode == http.StatusRequestTimeout, resp.StatusCode/100 == 5:
		return err
	}
	return backoff.Permanent(err)
}

// withoutURL takes the address, which may hold a secret, out of an error of the client.
func withoutURL(err error) error {
	var inURL *url.Error
	if errors.As(err, &inURL) {
		return inURL.Err
	}
	return err
}
