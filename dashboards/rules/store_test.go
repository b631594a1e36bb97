package rules_test

import (
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/dashboards/rules/promself"
	"github.com/tailgate-otel/tailgate/telemetry"
)

func TestStoreAlerts(t *testing.T) {
	refused := func(values string) string {
		return of(telemetry.StoreSamplesRefused, values, "exporter", "prometheusstore", "reason", "out_of_order")
	}
	appended := func(values string) string {
		return of(telemetry.StoreSamplesAppended, values, "exporter", "prometheusstore")
	}
	remote := func(m telemetry.Metric, values string, pairs ...string) string {
		return of(m, values, append([]string{"remote_name", "mimir", "url", "http://mimir"}, pairs...)...)
	}
	const far = `{instance="a", remote_name="mimir", url="http://mimir"}`
	run(t, "store", []scenario{
		{name: "TailgateStoreRefusingSamples: one in twenty", series: []string{appended("0+950x80"), refused("0+50x80")}, at: 21 * time.Minute,
			fires: []string{`TailgateStoreRefusingSamples{instance="a"}`}},
		{name: "TailgateStoreRefusingSamples: all", series: []string{refused("0+50x80")}, at: 21 * time.Minute,
			fires: []string{`TailgateStoreRefusingSamples{instance="a"}`}},
		{name: "TailgateStoreRefusingSamples: one in a thousand", series: []string{appended("0+999x80"), refused("0+1x80")}, at: 40 * time.Minute},

		{name: "TailgateStoreSeriesGrowing: from 100k to 300k in a day", step: 15 * time.Minute, at: 25 * time.Hour,
			series: []string{of(promself.HeadSeries, "100000x94 300000x10")}, fires: []string{`TailgateStoreSeriesGrowing{instance="a"}`}},
		{name: "TailgateStoreSeriesGrowing: small stores may double", step: 15 * time.Minute, at: 25 * time.Hour,
			series: []string{of(promself.HeadSeries, "10000x94 90000x10")}},
		{name: "TailgateStoreSeriesGrowing: large and steady", step: 15 * time.Minute, at: 25 * time.Hour,
			series: []string{of(promself.HeadSeries, "900000x105")}},
		{name: "TailgateStoreSeriesGrowing: there was no yesterday", step: 15 * time.Minute, at: 20 * time.Hour,
			series: []string{of(promself.HeadSeries, "300000+6000x100")}},

		{name: "TailgateTargetDown: five minutes", series: []string{of(promself.Up, "1x10 0x30")}, at: 11 * time.Minute,
			fires: []string{`TailgateTargetDown{instance="a"}`}},
		{name: "TailgateTargetDown: a restart", series: []string{of(promself.Up, "1x10 0x4 1x30")}, at: 15 * time.Minute},

		{name: "TailgateStoreLogFailing: the disk is full", series: []string{of(promself.WALWritesFailed, "0+40x40")}, at: 4 * time.Minute,
			fires: []string{`TailgateStoreLogFailing{instance="a"}`}},
		{name: "TailgateStoreLogFailing: no checkpoint, and the log is not cut", at: 4 * time.Minute,
			series: []string{of(promself.CheckpointCreationsFailed, "0+1x40"), of(promself.WALTruncationsFailed, "0+1x40")},
			fires:  []string{`TailgateStoreLogFailing{instance="a"}`}},
		{name: "TailgateStoreLogFailing: an hour ago", at: 30 * time.Minute,
			series: []string{of(promself.WALWritesFailed, "40x80"), of(promself.CheckpointCreationsFailed, "1x80"), of(promself.WALTruncationsFailed, "1x80")}},

		{name: "TailgateStoreCompactionFailing: each time", step: 5 * time.Minute, at: 3 * time.Hour,
			series: []string{of(promself.CompactionsFailed, "0x20 1x20"), of(promself.ReloadsFailed, "0x40")},
			fires:  []string{`TailgateStoreCompactionFailing{instance="a"}`}},
		{name: "TailgateStoreCompactionFailing: blocks do not load", step: 5 * time.Minute, at: 3 * time.Hour,
			series: []string{of(promself.ReloadsFailed, "0+1x40")}, fires: []string{`TailgateStoreCompactionFailing{instance="a"}`}},
		{name: "TailgateStoreCompactionFailing: yesterday", step: 5 * time.Minute, at: 6 * time.Hour,
			series: []string{of(promself.CompactionsFailed, "0 1x80")}},

		{name: "TailgateRemoteWriteBehind: three minutes", at: 16 * time.Minute,
			series: []string{remote(promself.RemoteHighest, "1000+30x80"), remote(promself.RemoteHighestSent, "820+30x80")},
			fires:  []string{`TailgateRemoteWriteBehind` + far}},
		{name: "TailgateRemoteWriteBehind: nothing was ever taken", at: 16 * time.Minute,
			series: []string{remote(promself.RemoteHighest, "1790000000+30x80"), remote(promself.RemoteHighestSent, "0x80")},
			fires:  []string{`TailgateRemoteWriteBehind` + far}},
		{name: "TailgateRemoteWriteBehind: half a minute", at: 40 * time.Minute,
			series: []string{remote(promself.RemoteHighest, "1000+30x80"), remote(promself.RemoteHighestSent, "970+30x80")}},

		{name: "TailgateRemoteWriteRefused: samples", at: 10 * time.Minute,
			series: []string{remote(promself.SamplesFailed, "0+9x40"), remote(promself.HistogramsFailed, "0x40")},
			fires:  []string{`TailgateRemoteWriteRefused` + far}},
		{name: "TailgateRemoteWriteRefused: histograms", at: 10 * time.Minute,
			series: []string{remote(promself.SamplesFailed, "0x40"), remote(promself.HistogramsFailed, "0+9x40")},
			fires:  []string{`TailgateRemoteWriteRefused` + far}},
		{name: "TailgateRemoteWriteRefused: none", at: 20 * time.Minute,
			series: []string{remote(promself.SamplesFailed, "7x40"), remote(promself.HistogramsFailed, "7x40")}},

		{name: "TailgateRemoteWriteDropping: the queue on disk is full", at: 10 * time.Minute,
			series: []string{remote(promself.SamplesDropped, "0+9x40", "reason", "queue_full")},
			fires:  []string{`TailgateRemoteWriteDropping{instance="a", reason="queue_full", remote_name="mimir", url="http://mimir"}`}},
		{name: "TailgateRemoteWriteDropping: histograms too old", at: 10 * time.Minute,
			series: []string{remote(promself.HistogramsDropped, "0+9x40", "reason", "too_old")},
			fires:  []string{`TailgateRemoteWriteDropping{instance="a", reason="too_old", remote_name="mimir", url="http://mimir"}`}},
		{name: "TailgateRemoteWriteDropping: relabelled away on purpose", at: 20 * time.Minute,
			series: []string{remote(promself.SamplesDropped, "0+9x40", "reason", "dropped_series")}},

		{name: "TailgateRuleEvaluationFailing: each time", at: 10 * time.Minute,
			series: []string{of(promself.RuleEvaluationFailures, "0+1x40", "rule_group", "mine.yaml;x")},
			fires:  []string{`TailgateRuleEvaluationFailing{instance="a", rule_group="mine.yaml;x"}`}},
		{name: "TailgateRuleEvaluationFailing: once", at: 14 * time.Minute,
			series: []string{of(promself.RuleEvaluationFailures, "0x4 1x40", "rule_group", "mine.yaml;x")}},

		{name: "TailgateRuleEvaluationLagging: every other turn", at: 20 * time.Minute,
			series: []string{of(promself.GroupIterationsMissed, "0+1x40", "rule_group", "mine.yaml;x")},
			fires:  []string{`TailgateRuleEvaluationLagging{instance="a", rule_group="mine.yaml;x"}`}},
		{name: "TailgateRuleEvaluationLagging: a turn at start", at: 20 * time.Minute,
			series: []string{of(promself.GroupIterationsMissed, "0 1x40", "rule_group", "mine.yaml;x")}},

		{name: "TailgateNotificationsDropped: nobody takes them", at: 10 * time.Minute,
			series: []string{of(promself.NotificationsDropped, "0+2x40", "alertmanager", "http://am/api/v2/alerts")},
			fires:  []string{`TailgateNotificationsDropped{alertmanager="http://am/api/v2/alerts", instance="a"}`}},
		{name: "TailgateNotificationsDropped: it was a restart", at: 14 * time.Minute,
			series: []string{of(promself.NotificationsDropped, "0x4 3x40", "alertmanager", "http://am/api/v2/alerts")}},

		{name: "TailgateWebhookDropping: refused", at: 4 * time.Minute,
			series: []string{of(promself.WebhookAlertsDropped, "0x4 1x40", "webhook", "chat", "reason", "refused")},
			fires:  []string{`TailgateWebhookDropping{instance="a", reason="refused", webhook="chat"}`}},
		{name: "TailgateWebhookDropping: none", at: 10 * time.Minute,
			series: []string{of(promself.WebhookAlertsDropped, "0x40", "webhook", "chat", "reason", "refused")}},
	})
}
