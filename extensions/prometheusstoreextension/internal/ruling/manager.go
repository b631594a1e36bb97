package ruling

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/notifier"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/features"

	"github.com/tailgate-otel/tailgate/internal/alertfeed"
)

// Settings are what a Manager works with. Engine, Queryable, Appendable, Logger, Registerer and Feed must be set; for the
// rest zero is the default.
type Settings struct {
	// Engine is best one of its own without a query tracker: alerts must not wait behind dashboards for a turn.
	Engine     promql.QueryEngine
	Queryable  storage.Queryable
	Appendable storage.AppendableV2
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Features is told what rules can do. May be nil.
	Features features.Collector
	// Feed gets every change of an alert. It belongs to the caller and may outlive the Manager.
	Feed *alertfeed.Feed

	// ExternalURL is where the store's API can be reached from outside; links in alerts begin with it.
	ExternalURL *url.URL
	// ExternalLabels are added to alerts that do not have them, and known to templates. They are not on stored series.
	ExternalLabels labels.Labels

	// Interval is how often a group is evaluated that does not say so itself. Default 1m.
	Interval time.Duration
	// QueryOffset is how far in the past a group is evaluated that does not say so itself, for data that comes late.
	// Default 0.
	QueryOffset time.Duration
	// MaxConcurrency is how many rule queries run at once; the others wait. Default half of the processors, one at least:
	// the rest is for the pipelines.
	MaxConcurrency int

	// ResendDelay is how often a firing alert is sent to Alertmanagers again. Default 1m; they forget it after 4.
	ResendDelay time.Duration
	// OutageTolerance is how long the store may have been away for pending alerts to go on counting. Default 1h.
	OutageTolerance time.Duration
	// ForGracePeriod is the least that a pending alert still waits after a restart; alerts with a shorter `for` start
	// anew. Default 1m, the export interval of OpenTelemetry's SDKs, so that each sender has had its say. A stock server,
	// which scrapes, takes 10m, and so delays every alert with a short `for` by a restart.
	ForGracePeriod time.Duration

	// Alerting are the Alertmanagers, see LoadAlerting.
	Alerting config.AlertingConfig
	// QueueCapacity is how many alerts wait for each Alertmanager. Default 10000, as in a stock server.
	QueueCapacity int
	// Webhooks are told of each change.
	Webhooks []Webhook
}

// Manager evaluates rules and delivers alerts. It is safe for concurrent use.
type Manager struct {
	settings Settings
	rules    *rules.Manager
	notifier *notifier.Manager
	targets  targetGroups
	webhooks []*webhook
	loader   *loader

	// evaluating is the context of all rule queries, delivering that of all requests to Alertmanagers and webhooks. Each
	// is cancelled when Shutdown runs out of time, and at its end.
	evaluating, delivering       context.Context
	stopEvaluating, stopDelivery context.CancelFunc

	mu       sync.Mutex // guards started and stopped; held over Start, Update and Shutdown
	started  bool
	stopped  bool
	lapsing  chan struct{} // closed to end the lapse goroutine
	delivery sync.WaitGroup
	running  sync.WaitGroup // rules.Run, lapse

	// requests is held for reading during each request to an Alertmanager. The notifier does not wait for its goroutines;
	// Shutdown takes the lock to wait for their last request.
	requests sync.RWMutex
}

// New checks the settings and builds a Manager, without starting anything.
func New(settings Settings) (*Manager, error) {
	targets, err := staticTargets(settings.Alerting)
	if err != nil {
		return nil, err
	}
	settings = settings.withDefaults()
	m := &Manager{settings: settings, targets: targets, loader: &loader{parser: newParser()}, lapsing: make(chan struct{})}
	if err := validateWebhooks(settings.Webhooks); err != nil {
		return nil, err
	}
	m.evaluating, m.stopEvaluating = context.WithCancel(context.Background())
	m.delivering, m.stopDelivery = context.WithCancel(context.Background())
	m.rules = m.newRules()
	if m.notifier, err = m.newNotifier(); err != nil {
		return nil, err
	}
	metrics := newWebhookMetrics(settings.Registerer)
	for _, hook := range settings.Webhooks {
		m.webhooks = append(m.webhooks, newWebhook(hook, m, metrics))
	}
	settings.Registerer.MustRegister(feedCollector{settings.Feed})
	return m, nil
}

func (s Settings) withDefaults() Settings {
	setDefault(&s.Interval, time.Minute)
	setDefault(&s.MaxConcurrency, max(1, runtime.GOMAXPROCS(0)/2))
	setDefault(&s.ResendDelay, time.Minute)
	setDefault(&s.OutageTolerance, time.Hour)
	setDefault(&s.ForGracePeriod, time.Minute)
	setDefault(&s.QueueCapacity, 10_000)
	if s.ExternalURL == nil {
		s.ExternalURL = &url.URL{}
	}
	return s
}

func setDefault[T comparable](value *T, def T) {
	var zero T
	if *value == zero {
		*value = def
	}
}

// newRules is the one place that constructs upstream's rule manager.
func (m *Manager) newRules() *rules.Manager {
	s := &m.settings
	return rules.NewManager(&rules.ManagerOptions{
		NameValidationScheme:   model.UTF8Validation,
		ExternalURL:            s.ExternalURL,
		QueryFunc:              limited(rules.EngineQueryFunc(s.Engine, s.Queryable), s.MaxConcurrency),
		NotifyFunc:             m.notify,
		Context:                m.evaluating,
		Appendable:             appendableV1{s.Appendable},
		Queryable:              s.Queryable,
		Logger:                 s.Logger,
		Registerer:             s.Registerer,
		OutageTolerance:        s.OutageTolerance,
		ForGracePeriod:         s.ForGracePeriod,
		ResendDelay:            s.ResendDelay,
		GroupLoader:            m.loader,
		DefaultRuleQueryOffset: func() time.Duration { return s.QueryOffset },
		// Rules of one group run one after the other. Groups run side by side, and limited bounds them all, which
		// upstream's own limit does not: that is about the rules within a group.
		ConcurrentEvalsEnabled: false,
		// Only what Start brings is restored from the database. A reload hands state over in memory, which is exact.
		RestoreNewRuleGroups: false,
		Parser:               m.loader.parser,
		FeatureRegistry:      s.Features,
	})
}

// limited lets at most n queries run at once. Templates of annotations query through it as well, one after the other and
// never from within a query, so that waiting cannot go in a circle.
func limited(query rules.QueryFunc, n int) rules.QueryFunc {
	slots := make(chan struct{}, n)
	return func(ctx context.Context, q string, t time.Time) (promql.Vector, error) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			return query(ctx, q, t)
		case <-ctx.Done():
			return nil, promql.ErrQueryCanceled("waiting for a free slot")
		}
	}
}

// Start begins to evaluate the rules and to deliver alerts. It returns at once.
func (m *Manager) Start(set *RuleSet) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.started || m.stopped {
		return errors.New("rules have already been started")
	}
	if err := m.apply(set); err != nil {
		return err
	}
	m.started = true
	m.running.Go(m.rules.Run)
	m.running.Go(m.lapse)
	m.runNotifier()
	for _, hook := range m.webhooks {
		hook.subscription = m.settings.Feed.Subscribe("webhook "+hook.Name, hook.QueueCapacity)
		m.delivery.Go(hook.run)
	}
	return nil
}

// Update puts another set in place of the running one. Groups that have not changed run on; in the others, rules with
// equal name and labels keep their alerts and the time these have been pending.
func (m *Manager) Update(set *RuleSet) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.started || m.stopped {
		return errors.New("rules are not running")
	}
	return m.apply(set)
}

// apply gives the rule manager a set; mu held.
func (m *Manager) apply(set *RuleSet) error {
	m.loader.set = set
	err := m.rules.Update(m.settings.Interval, set.files, m.settings.ExternalLabels, m.settings.ExternalURL.String(), nil)
	if err != nil {
		return fmt.Errorf("load rules: %w", err)
	}
	return nil
}

// lapseInterval is how often alerts are looked at that nobody reports any more. These have been valid for 4 minutes by
// default; 15 s is little beside that.
const lapseInterval = 15 * time.Second

func (m *Manager) lapse() {
	ticker := time.NewTicker(lapseInterval)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			m.settings.Feed.Lapse(now)
		case <-m.lapsing:
			return
		}
	}
}

// Shutdown stops evaluating, lets queries end, delivers what is queued and joins all goroutines. When ctx ends it cuts
// queries and requests off, which drops what has not been delivered and counts it. It works without Start and twice.
func (m *Manager) Shutdown(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.stopEvaluating()
	defer m.stopDelivery()
	if m.stopped || !m.started {
		m.stopped = true
		return nil
	}
	m.stopped = true
	defer context.AfterFunc(ctx, m.stopEvaluating)()
	defer context.AfterFunc(ctx, m.stopDelivery)()

	m.rules.Stop()
	close(m.lapsing)
	m.running.Wait()

	m.notifier.Stop()
	for _, hook := range m.webhooks {
		hook.subscription.Close()
		hook.hurry()
	}
	m.delivery.Wait()
	m.requests.Lock() // it is the waiting that counts
	defer m.requests.Unlock()
	return nil
}

// RuleGroups implements the API's RulesRetriever.
func (m *Manager) RuleGroups() []*rules.Group { return m.rules.RuleGroups() }

// AlertingRules implements the API's RulesRetriever.
func (m *Manager) AlertingRules() []*rules.AlertingRule { return m.rules.AlertingRules() }

// Alertmanagers implements the API's AlertmanagerRetriever.
func (m *Manager) Alertmanagers() []*url.URL { return m.notifier.Alertmanagers() }

// DroppedAlertmanagers implements the API's AlertmanagerRetriever.
func (m *Manager) DroppedAlertmanagers() []*url.URL { return m.notifier.DroppedAlertmanagers() }
