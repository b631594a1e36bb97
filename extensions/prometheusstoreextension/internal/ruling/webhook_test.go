package ruling_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/ruling"
	"github.com/tailgate-otel/tailgate/internal/alertfeed"
)

// receiver is a webhook's receiver without a network, so that faults can be staged and time is the test's. It answers
// with its script, one entry per request, and takes what comes after the end of it.
type receiver struct {
	mu     sync.Mutex // guards all below
	script []reply
	at     []time.Time // of each request
	taken  []string    // "HighErrors firing+resolved" per message
	bodies [][]byte
}

type reply struct {
	status     int
	retryAfter string
	err        error // of the network
	hang       bool  // until the request is given up
}

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	next := r.next(body)
	if next.hang {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	if next.err != nil {
		return nil, next.err
	}
	header := http.Header{}
	if next.retryAfter != "" {
		header.Set("Retry-After", next.retryAfter)
	}
	return &http.Response{
		StatusCode: next.status, Status: fmt.Sprint(next.status), Header: header,
		Body: io.NopCloser(strings.NewReader("as you like")), Request: req,
	}, nil
}

// next returns the answer to a request, and keeps the message if it is taken.
func (r *receiver) next(body []byte) reply {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := reply{status: http.StatusOK}
	if n := len(r.at); n < len(r.script) {
		next = r.script[n]
	}
	r.at = append(r.at, time.Now())
	if next.status/100 == 2 {
		r.take(body)
	}
	return next
}

// take keeps a message; mu held.
func (r *receiver) take(body []byte) {
	var m struct {
		GroupLabels map[string]string
		Alerts      []struct{ Status string }
	}
	if err := json.Unmarshal(body, &m); err != nil {
		panic(err)
	}
	var states []string
	for _, a := range m.Alerts {
		states = append(states, a.Status)
	}
	r.taken = append(r.taken, m.GroupLabels["alertname"]+" "+strings.Join(states, "+"))
	r.bodies = append(r.bodies, body)
}

// got are the messages that were taken.
func (r *receiver) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.taken)
}

// body is the number-th message that was taken.
func (r *receiver) body(number int) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.bodies[number])
}

// recover ends the script.
func (r *receiver) recover() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.script = nil
}

// pauses are the times between requests.
func (r *receiver) pauses() (list []time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := 1; i < len(r.at); i++ {
		list = append(list, r.at[i].Sub(r.at[i-1]))
	}
	return list
}

const hookURL = "https://hooks.example/secret-token"

// hooked runs a manager without rules that has one webhook, to r.
func hooked(t *testing.T, r *receiver, hook ruling.Webhook) *world {
	w := newWorld(t)
	hook.Name, hook.URL, hook.Client = "pager", hookURL, &http.Client{Transport: r}
	w.settings.Webhooks = []ruling.Webhook{hook}
	w.start("groups: []")
	return w
}

func firing(name string, ls ...string) alertfeed.Alert {
	return alertfeed.Alert{
		Labels:      labels.FromStrings(append([]string{"alertname", name}, ls...)...),
		Annotations: labels.FromStrings("summary", name+" is up to no good"),
		StartsAt:    time.Now().UTC(), ValidUntil: time.Now().Add(time.Hour),
		GeneratorURL: "http://store/graph",
	}
}

func resolved(a alertfeed.Alert) alertfeed.Alert {
	a.EndsAt = a.StartsAt.Add(time.Minute)
	return a
}

const (
	sentMetric    = "prometheusstore_webhook_alerts_sent_total"
	droppedMetric = "prometheusstore_webhook_alerts_dropped_total"
	retryMetric   = "prometheusstore_webhook_retries_total"
	lostInQueue   = "prometheusstore_alert_events_dropped_total"
)

func TestWebhookThatFailsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{script: []reply{{status: 503}, {err: errors.New("connection refused")}, {hang: true}, {status: 408}, {status: 200}}}
		w := hooked(t, r, ruling.Webhook{})
		w.feed.Report(firing("A"))
		time.Sleep(2 * time.Minute)
		assert.Equal(t, []string{"A firing"}, r.got())
		assert.InDelta(t, 1, w.metric(sentMetric, ""), 0)
		assert.InDelta(t, 4, w.metric(retryMetric, ""), 0)
		assert.InDelta(t, 0, w.metric(droppedMetric, ""), 0)
		want := []time.Duration{time.Second, 2 * time.Second, 10*time.Second + 4*time.Second, 8 * time.Second}
		for i, pause := range r.pauses() {
			assert.InDelta(t, want[i], pause, 0.35*float64(want[i]), "pause %d", i)
		}
		w.stop()
	})
}

func TestWebhookWaitsAsToldByTheReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{script: []reply{{status: 429, retryAfter: "42"}, {status: 503, retryAfter: "7"}}}
		w := hooked(t, r, ruling.Webhook{})
		w.feed.Report(firing("A"))
		time.Sleep(time.Minute)
		assert.Equal(t, []time.Duration{42 * time.Second, 7 * time.Second}, r.pauses())
		assert.Equal(t, []string{"A firing"}, r.got())
		w.stop()
	})
}

// What the receiver refuses is not sent again, and does not hold up what comes after.
func TestWebhookThatRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{script: []reply{{status: 400}}}
		w := hooked(t, r, ruling.Webhook{})
		w.feed.Report(firing("A"))
		synctest.Wait()
		w.feed.Report(firing("B"))
		synctest.Wait()
		assert.Equal(t, []string{"B firing"}, r.got())
		assert.InDelta(t, 1, w.metric(droppedMetric, "refused"), 0)
		w.stop()
	})
}

// A receiver that is away for long costs the message at hand and the oldest of those that do not fit into the queue.
func TestWebhookIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		for range 20 {
			r.script = append(r.script, reply{status: 502})
		}
		w := hooked(t, r, ruling.Webhook{RetryFor: time.Minute, QueueCapacity: 3})
		w.feed.Report(firing("A"))
		synctest.Wait() // A is being tried
		for _, name := range []string{"B", "C", "D", "E", "F"} {
			w.feed.Report(firing(name))
		}
		w.feed.Report(firing("F")) // a repetition takes no place
		assert.InDelta(t, 2, w.metric(lostInQueue, "webhook pager"), 0, "B and C")
		began := time.Now()
		for w.metric(droppedMetric, "timeout") == 0 && time.Since(began) < 2*time.Minute {
			time.Sleep(100 * time.Millisecond)
		}
		assert.LessOrEqual(t, time.Since(began), time.Minute+100*time.Millisecond, "A was given up")
		r.recover()
		time.Sleep(time.Minute)
		assert.Equal(t, []string{"D firing", "E firing", "F firing"}, r.got())
		assert.InDelta(t, 1, w.metric(droppedMetric, "timeout"), 0, "A alone")

		sent, dropped, lost := w.metric(sentMetric, ""), w.metric(droppedMetric, ""), w.metric(lostInQueue, "webhook pager")
		assert.InDelta(t, w.metric("prometheusstore_alert_events_total", ""), sent+dropped+lost, 0)
		w.stop()
	})
}

// At shutdown what is queued gets one attempt, without waiting for another.
func TestShutdownDeliversWhatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{script: []reply{{status: 503}, {status: 503}}}
		w := hooked(t, r, ruling.Webhook{})
		w.feed.Report(firing("A"))
		synctest.Wait() // A waits for its second attempt
		w.feed.Report(firing("B"), firing("C"))
		began := time.Now()
		w.stop()
		assert.Zero(t, time.Since(began))
		assert.Equal(t, []string{"C firing"}, r.got(), "the script has refused A and B")
		assert.InDelta(t, 2, w.metric(droppedMetric, "shutdown"), 0)
	})
}

func TestShutdownCutsDeliveryOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{script: []reply{{hang: true}, {hang: true}}}
		w := hooked(t, r, ruling.Webhook{Timeout: time.Hour})
		w.feed.Report(firing("A"))
		synctest.Wait()
		w.feed.Report(firing("B"))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		require.NoError(t, w.manager.Shutdown(ctx))
		assert.Equal(t, 3*time.Second, time.Since(began))
		assert.InDelta(t, 2, w.metric(droppedMetric, "shutdown"), 0)
		w.stop()
	})
}

func TestOnlyFiring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		w := hooked(t, r, ruling.Webhook{OnlyFiring: true})
		a := firing("A")
		w.feed.Report(a)
		synctest.Wait()
		w.feed.Report(resolved(a))
		synctest.Wait()
		w.feed.Report(firing("B"))
		synctest.Wait()
		assert.Equal(t, []string{"A firing", "B firing"}, r.got())
		w.stop()
	})
}

// What changes together comes in one message per rule name.
func TestWebhookMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		w := hooked(t, r, ruling.Webhook{})
		a1, a2, b := firing("A", "zone", "1", "team", "x"), firing("A", "zone", "2", "team", "x"), firing("B")
		w.feed.Report(a1, a2, b)
		synctest.Wait()
		w.feed.Report(resolved(a1))
		synctest.Wait()
		assert.Equal(t, []string{"A firing+firing", "B firing", "A resolved"}, r.got())
		assert.JSONEq(t, `{
			"version": "4", "groupKey": "{}:{alertname=\"A\"}", "truncatedAlerts": 0, "status": "firing", "receiver": "pager",
			"groupLabels": {"alertname": "A"}, "commonLabels": {"alertname": "A", "team": "x"},
			"commonAnnotations": {"summary": "A is up to no good"}, "externalURL": "",
			"alerts": [
				{"status": "firing", "labels": {"alertname": "A", "team": "x", "zone": "1"}, "annotations": {"summary": "A is up to no good"},
				 "startsAt": "2000-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://store/graph", "fingerprint": "`+a1.Fingerprint()+`"},
				{"status": "firing", "labels": {"alertname": "A", "team": "x", "zone": "2"}, "annotations": {"summary": "A is up to no good"},
				 "startsAt": "2000-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://store/graph", "fingerprint": "`+a2.Fingerprint()+`"}
			]}`, r.body(0))
		assert.Contains(t, r.body(2), `"status":"resolved"`)
		w.stop()
	})
}

// A burst is delivered whole, in messages of at most 100 alerts.
func TestLargeGroupsAreSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		w := newWorld(t)
		w.feed = alertfeed.New(1000)
		w.settings.Webhooks = []ruling.Webhook{{Name: "pager", URL: hookURL, Client: &http.Client{Transport: r}}}
		w.start("groups: []")
		var burst []alertfeed.Alert
		for i := range 250 {
			burst = append(burst, firing("A", "n", fmt.Sprint(i)))
		}
		w.feed.Report(burst...)
		synctest.Wait()
		assert.Len(t, r.got(), 3)
		assert.InDelta(t, 250, w.metric(sentMetric, ""), 0)
		w.stop()
	})
}

// A webhook's address often is its password.
func TestAddressIsNotLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		w := newWorld(t)
		w.settings.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		r := &receiver{script: []reply{{err: errors.New("connection refused")}, {status: 400}}}
		w.settings.Webhooks = []ruling.Webhook{{Name: "pager", URL: hookURL, Client: &http.Client{Transport: r}}}
		w.start("groups: []")
		w.feed.Report(firing("A"))
		time.Sleep(time.Minute)
		w.stop()
		assert.Contains(t, log.String(), "connection refused")
		assert.Contains(t, log.String(), "as you like", "what the receiver says")
		assert.NotContains(t, log.String(), "secret-token")
	})
}

func TestBadSettings(t *testing.T) {
	good := ruling.Webhook{Name: "a", URL: hookURL, Client: http.DefaultClient}
	change := func(f func(*ruling.Webhook)) []ruling.Webhook {
		bad := good
		f(&bad)
		return []ruling.Webhook{bad}
	}
	for want, hooks := range map[string][]ruling.Webhook{
		"webhooks[0]: name: must be set":                         change(func(w *ruling.Webhook) { w.Name = "" }),
		"webhooks[0]: client: must be set":                       change(func(w *ruling.Webhook) { w.Client = nil }),
		"webhooks[0]: url: must be like https://host/path":       change(func(w *ruling.Webhook) { w.URL = "host/secret" }),
		`webhooks[1]: name: "a" is taken by another webhook`:     {good, good},
		"the value is not shown: it may hold a secret":           change(func(w *ruling.Webhook) { w.URL = ":" }),
		"alerting: relabel configuration for replace action req": nil,
	} {
		settings := ruling.Settings{Registerer: prometheus.NewRegistry(), Feed: alertfeed.New(1), Webhooks: hooks}
		if hooks == nil {
			settings.Alerting.AlertRelabelConfigs = []*relabel.Config{{Action: relabel.Replace}}
		}
		_, err := ruling.New(settings)
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "host/secret")
	}
}
