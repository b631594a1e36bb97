package prometheusstoreextension

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/ruling"
	"github.com/tailgate-otel/tailgate/internal/alertfeed"
)

// maxFiring bounds the alerts that are followed from firing to resolved, at about 1 KiB each.
const maxFiring = 10_000

var _ alertfeed.Source = (*store)(nil)

// SubscribeAlerts implements alertfeed.Source.
func (s *store) SubscribeAlerts(name string, capacity int) *alertfeed.Subscription {
	return s.feed.Subscribe(name, capacity)
}

// openRules starts what evaluates rules. A store in mode agent has nothing to query.
func (s *store) openRules(ctx context.Context, host component.Host, run *running) error {
	if run.db == nil {
		return nil
	}
	set, err := ruling.Load(s.ruleSources(run), run.logger)
	if err != nil {
		return err
	}
	external, err := url.Parse(cmp.Or(s.cfg.Rules.ExternalURL, "http://"+s.address()+"/"))
	if err != nil {
		return fmt.Errorf("rules::external_url: %w", err)
	}
	hooks, err := s.webhooks(ctx, host)
	if err != nil {
		return err
	}
	run.rules, err = ruling.New(ruling.Settings{
		Engine:         run.db.ruling,
		Queryable:      run.db,
		Appendable:     run.intake,
		Logger:         run.logger,
		Registerer:     run.registry,
		Features:       run.abilities,
		Feed:           s.feed,
		ExternalURL:    external,
		ExternalLabels: run.prom.GlobalConfig.ExternalLabels,
		Interval:       time.Duration(run.prom.GlobalConfig.EvaluationInterval),
		QueryOffset:    time.Duration(run.prom.GlobalConfig.RuleQueryOffset),
		MaxConcurrency: s.cfg.Rules.MaxConcurrency,
		Alerting:       run.prom.AlertingConfig,
		Webhooks:       hooks,
	})
	if err != nil {
		return err
	}
	if err := run.rules.Start(set); err != nil {
		return err
	}
	run.onClose(run.rules.Shutdown)
	return nil
}

func (s *store) ruleSources(run *running) ruling.Sources {
	sources := ruling.Sources{Files: run.prom.RuleFiles}
	if s.cfg.Rules.Builtin {
		sources.Embedded = builtinRules()
	}
	return sources
}

// webhookTimeout bounds one request where the user has not said otherwise.
const webhookTimeout = 10 * time.Second

func (s *store) webhooks(ctx context.Context, host component.Host) ([]ruling.Webhook, error) {
	hooks := make([]ruling.Webhook, 0, len(s.cfg.Rules.Webhooks))
	for i := range s.cfg.Rules.Webhooks {
		cfg := &s.cfg.Rules.Webhooks[i]
		client, err := cfg.HTTP.ToClient(ctx, host.GetExtensions(), s.settings.TelemetrySettings)
		if err != nil {
			return nil, fmt.Errorf("rules::webhooks[%d]: %w", i, err)
		}
		hooks = append(hooks, ruling.Webhook{
			Name:       cfg.Name,
			URL:        cfg.HTTP.Endpoint,
			Client:     client,
			Timeout:    cmp.Or(cfg.HTTP.Timeout, webhookTimeout),
			RetryFor:   time.Duration(cfg.RetryFor),
			OnlyFiring: cfg.OnlyFiring,
		})
	}
	return hooks, nil
}
