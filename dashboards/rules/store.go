package rules

import (
	"time"

	"github.com/tailgate-otel/tailgate/dashboards/query"
	"github.com/tailgate-otel/tailgate/dashboards/rules/promself"
	"github.com/tailgate-otel/tailgate/telemetry"
)

func (s sheet) store() []Group {
	return []Group{
		{Name: "tailgate-store-intake", Interval: often, Alerts: []Alert{s.storeRefuses(), s.seriesGrow(), s.targetDown()}},
		{Name: "tailgate-store-disk", Interval: seldom, Alerts: []Alert{s.logFails(), s.compactionFails()}},
		{Name: "tailgate-remote-write", Interval: often, Alerts: []Alert{s.remoteBehind(), s.remoteRefused(), s.remoteDrops()}},
		{Name: "tailgate-rules", Interval: often, Alerts: []Alert{s.rulesFail(), s.rulesLag(), s.notificationsDropped(), s.webhookDrops()}},
	}
}

// lookAtStore is the page with the row "Embedded store". The store's metrics bear a job of their own, so nothing is set.
var lookAtStore = Look{UID: pipelineDashboard}

func (s sheet) storeRefuses() Alert {
	refused, taken := s.rate(telemetry.StoreSamplesRefused, everything), s.rate(telemetry.StoreSamplesAppended, everything)
	return Alert{
		Name: "TailgateStoreRefusingSamples", Severity: Warning, For: 15 * time.Minute,
		When:    per(short, refused.Over(taken.OrZeroOf(refused).Plus(refused))).above(0.01),
		Summary: `The store of {{ $labels.instance }} refuses {{ $value | humanizePercentage }} of its samples`,
		Description: `The embedded store takes the rest of each batch, but {{ $value | humanizePercentage }} of the samples on ` +
			`{{ $labels.instance }} are not stored. The panel "Samples refused" has the reason.`,
		Look: ofProgram(pipelineDashboard),
	}
}

// A floor of 100,000 series, some hundred MB of head, is where a doubling begins to hurt; below it every new service doubles.
func (s sheet) seriesGrow() Alert {
	const floor, factor = 100_000, 2
	series := now(s.value(promself.HeadSeries))
	return Alert{
		Name: "TailgateStoreSeriesGrowing", Severity: Warning, For: 30 * time.Minute,
		When:    series.over(series.before(24 * time.Hour)).above(factor).and(series.above(floor)),
		Summary: `The store {{ $labels.instance }} has {{ $value | humanize }} times the series of a day ago`,
		Description: `Series cost memory for as long as they are in the head, a few kB each. Growth like this is a label with too many ` +
			`values, or pods that change their name.`,
		Look: lookAtStore,
	}
}

func (s sheet) targetDown() Alert {
	return Alert{
		Name: "TailgateTargetDown", Severity: Warning, For: 5 * time.Minute,
		When:    now(s.scope.Value(promself.Up).MinBy(ofEach()...)).below(1),
		Summary: `{{ $labels.instance }} of job {{ $labels.job }} cannot be scraped`,
		Description: `For five minutes every scrape of {{ $labels.instance }} has failed. Its series have ended, so alerts about it are ` +
			`silent. /api/v1/targets has the error.`,
		Look: lookAtStore,
	}
}

func (s sheet) logFails() Alert {
	failures := func(m telemetry.Metric) condition {
		return per(15*time.Minute, s.scope.Increase(m).SumBy(ofEach()...)).above(0)
	}
	return Alert{
		Name: "TailgateStoreLogFailing", Severity: Critical, For: 2 * time.Minute,
		When: failures(promself.WALWritesFailed).or(failures(promself.WALTruncationsFailed)).
			or(failures(promself.CheckpointCreationsFailed)),
		Summary: `The store {{ $labels.instance }} cannot write its log`,
		Description: `Writing, truncating or condensing the write-ahead log of {{ $labels.instance }} has failed {{ $value | humanize }} times ` +
			`in a quarter of an hour. Samples of the last two hours would not survive a restart, or the log grows without end.`,
		Look: lookAtStore,
	}
}

// Compaction runs every two hours; three hours hold at least one run.
func (s sheet) compactionFails() Alert {
	failures := func(m telemetry.Metric) condition {
		return per(3*time.Hour, s.scope.Increase(m).SumBy(ofEach()...)).above(0)
	}
	return Alert{
		Name: "TailgateStoreCompactionFailing", Severity: Warning, For: 15 * time.Minute,
		When:    failures(promself.CompactionsFailed).or(failures(promself.ReloadsFailed)),
		Summary: `The store {{ $labels.instance }} cannot compact its blocks`,
		Description: `Compacting or loading blocks of {{ $labels.instance }} has failed {{ $value | humanize }} times in three hours. Memory ` +
			`and the log grow until it succeeds.`,
		Look: lookAtStore,
	}
}

// remote are the labels of one remote write.
func remote(keys ...string) []string {
	return ofEach(append([]string{promself.AttrRemoteName.Key, promself.AttrURL.Key}, keys...)...)
}

func (s sheet) remoteBehind() Alert {
	queued := s.scope.Value(promself.RemoteHighest).MaxBy(remote()...)
	sent := s.scope.Value(promself.RemoteHighestSent).MaxBy(remote()...)
	return Alert{
		Name: "TailgateRemoteWriteBehind", Severity: Warning, For: 15 * time.Minute,
		When:    now(queued.Minus(sent)).above((2 * time.Minute).Seconds()),
		Summary: `Remote write {{ $labels.remote_name }} of {{ $labels.instance }} is {{ $value | humanizeDuration }} behind`,
		Description: `The newest sample that {{ $labels.url }} has taken is {{ $value | humanizeDuration }} older than the newest queued. Nothing ` +
			`is lost yet: what waits is on disk. Decades mean that nothing has been taken since the start.`,
		Look: lookAtStore,
	}
}

func (s sheet) remoteRefused() Alert {
	refused := func(m telemetry.Metric) condition { return per(short, s.scope.Rate(m).SumBy(remote()...)).above(0) }
	return Alert{
		Name: "TailgateRemoteWriteRefused", Severity: Critical, For: 5 * time.Minute,
		When:    refused(promself.SamplesFailed).or(refused(promself.HistogramsFailed)),
		Summary: `Remote write {{ $labels.remote_name }} of {{ $labels.instance }} has {{ $value | humanize }} samples a second refused`,
		Description: `{{ $labels.url }} refuses samples of {{ $labels.instance }} for good. They are not sent again; they are in the local ` +
			`store only.`,
		Look: lookAtStore,
	}
}

// Series that relabelling drops are dropped on purpose.
func (s sheet) remoteDrops() Alert {
	key := promself.AttrDropReason.Key
	lost := query.IsNot(key, promself.ReasonDroppedSeries)
	dropped := func(m telemetry.Metric) condition {
		return per(short, s.scope.Rate(m, lost).SumBy(remote(key)...)).above(0)
	}
	return Alert{
		Name: "TailgateRemoteWriteDropping", Severity: Critical, For: 5 * time.Minute,
		When:    dropped(promself.SamplesDropped).or(dropped(promself.HistogramsDropped)),
		Summary: `Remote write {{ $labels.remote_name }} of {{ $labels.instance }} drops {{ $value | humanize }} samples a second`,
		Description: `Samples for {{ $labels.url }} are given up before they were sent: {{ $labels.reason }}. The local store has them ` +
			`until its retention ends.`,
		Look: lookAtStore,
	}
}

func (s sheet) rulesFail() Alert {
	failures := s.scope.Increase(promself.RuleEvaluationFailures).SumBy(ofEach(promself.AttrRuleGroup.Key)...)
	return Alert{
		Name: "TailgateRuleEvaluationFailing", Severity: Warning, For: 5 * time.Minute,
		When:    per(short, failures).above(0),
		Summary: `Rules of {{ $labels.rule_group }} fail on {{ $labels.instance }}`,
		Description: `{{ $value | humanize }} evaluations of rules in {{ $labels.rule_group }} failed within five minutes. Alerts of the group ` +
			`may stay silent. /api/v1/rules has the error.`,
		Look: lookAtStore,
	}
}

func (s sheet) rulesLag() Alert {
	missed := s.scope.Increase(promself.GroupIterationsMissed).SumBy(ofEach(promself.AttrRuleGroup.Key)...)
	return Alert{
		Name: "TailgateRuleEvaluationLagging", Severity: Info, For: 15 * time.Minute,
		When:    per(short, missed).above(0),
		Summary: `Rules of {{ $labels.rule_group }} on {{ $labels.instance }} take longer than their interval`,
		Description: `Group {{ $labels.rule_group }} was not done when its next turn came, and the turn was skipped. Its alerts come late, and ` +
			`series that it records have gaps.`,
		Look: lookAtStore,
	}
}

func (s sheet) notificationsDropped() Alert {
	dropped := s.scope.Rate(promself.NotificationsDropped).SumBy(ofEach(promself.AttrAlertmanager.Key)...)
	return Alert{
		Name: "TailgateNotificationsDropped", Severity: Warning, For: 5 * time.Minute,
		When:    per(short, dropped).above(0),
		Summary: `{{ $labels.instance }} cannot tell {{ $labels.alertmanager }} about alerts`,
		Description: `{{ $value | humanize }} alerts a second are dropped because {{ $labels.alertmanager }} does not take them. When it is the ` +
			`only Alertmanager, nobody hears of any alert, this one included.`,
		Look: lookAtStore,
	}
}

func (s sheet) webhookDrops() Alert {
	keys := ofEach(promself.AttrWebhook.Key, promself.AttrWebhookDropReason.Key)
	return Alert{
		Name: "TailgateWebhookDropping", Severity: Warning, For: time.Minute, KeepFiring: 15 * time.Minute,
		When:    per(short, s.scope.Rate(promself.WebhookAlertsDropped).SumBy(keys...)).above(0),
		Summary: `Webhook {{ $labels.webhook }} of {{ $labels.instance }} does not get its alerts`,
		Description: `Changes of alerts for webhook {{ $labels.webhook }} are given up: {{ $labels.reason }}. Whoever listens there believes ` +
			`what it was told before.`,
		Look: lookAtStore,
	}
}
