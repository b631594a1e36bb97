package ruling

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/prometheus/prometheus/notifier"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/util/strutil"

	"github.com/tailgate-otel/tailgate/internal/alertfeed"
)

// targetGroups are Alertmanagers' addresses by the key of their configuration.
type targetGroups = map[string][]*targetgroup.Group

// newNotifier is the one place that constructs upstream's notifier. External labels and alert_relabel_configs are not
// given to it: outgoing applies them once, for every receiver of alerts.
func (m *Manager) newNotifier() (*notifier.Manager, error) {
	n := notifier.NewManager(&notifier.Options{
		QueueCapacity:   m.settings.QueueCapacity,
		DrainOnShutdown: true,
		Do:              m.do,
		Registerer:      m.settings.Registerer,
	}, model.UTF8Validation, m.settings.Logger)
	err := n.ApplyConfig(&config.Config{
		AlertingConfig: config.AlertingConfig{AlertmanagerConfigs: m.settings.Alerting.AlertmanagerConfigs},
	})
	if err != nil {
		return nil, fmt.Errorf("alerting: %w", err)
	}
	return n, nil
}

// runNotifier starts the notifier with the addresses, which will not change.
func (m *Manager) runNotifier() {
	targets := make(chan targetGroups, 1)
	targets <- m.targets
	close(targets)
	m.delivery.Go(func() { m.notifier.Run(targets) })
}

var errStopped = errors.New("the store is shutting down")

// do sends a request of the notifier, which ties each to a timeout of its own only, until delivery is cut off.
func (m *Manager) do(ctx context.Context, client *http.Client, req *http.Request) (*http.Response, error) {
	m.requests.RLock()
	defer m.requests.RUnlock()
	if m.delivering.Err() != nil {
		return nil, errStopped
	}
	// The notifier reads the body after this has returned and then cancels ctx, which ends ours as well.
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(m.delivering, cancel)
	context.AfterFunc(ctx, func() { stop() })
	return client.Do(req.WithContext(ctx))
}

// notify implements rules.NotifyFunc. It is called after each evaluation of an alerting rule, with what is to be said
// about its alerts: all that fire, once per ResendDelay, and those that have ended, for a quarter of an hour.
func (m *Manager) notify(_ context.Context, expr string, alerts ...*rules.Alert) {
	if len(alerts) == 0 {
		return
	}
	link := m.settings.ExternalURL.String() + strutil.TableLinkForExpression(expr)
	var toNotifier []*notifier.Alert
	var toFeed []alertfeed.Alert
	for _, a := range alerts {
		ls, keep := m.outgoing(a.Labels)
		if !keep {
			continue
		}
		out := &notifier.Alert{Labels: ls, Annotations: a.Annotations, StartsAt: a.FiredAt, EndsAt: a.ResolvedAt, GeneratorURL: link}
		if a.ResolvedAt.IsZero() {
			out.EndsAt = a.ValidUntil
		}
		toNotifier = append(toNotifier, out)
		toFeed = append(toFeed, alertfeed.Alert{
			Labels:       ls,
			Annotations:  a.Annotations,
			Value:        a.Value,
			Expr:         expr,
			ActiveAt:     a.ActiveAt,
			StartsAt:     a.FiredAt,
			EndsAt:       a.ResolvedAt,
			ValidUntil:   a.ValidUntil,
			GeneratorURL: link,
		})
	}
	m.notifier.Send(toNotifier...)
	m.settings.Feed.Report(toFeed...)
}

// outgoing returns the labels under which an alert is known outside, and whether it is sent at all.
func (m *Manager) outgoing(ls labels.Labels) (labels.Labels, bool) {
	b := labels.NewBuilder(ls)
	m.settings.ExternalLabels.Range(func(l labels.Label) {
		if !ls.Has(l.Name) {
			b.Set(l.Name, l.Value)
		}
	})
	keep := relabel.ProcessBuilder(b, m.settings.Alerting.AlertRelabelConfigs...)
	return b.Labels(), keep
}
