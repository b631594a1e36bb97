// Package promself lists, in the form of the contract, the metrics that Prometheus records about itself and that our
// rules read. The embedded store exports them under the same names, as it is made of the same parts: storage, rule
// manager, notifier; its remote-write sender is ours and keeps the names, so that rules of either fit the other.
//
// Tests compare the list with what these parts register, so that a version bump that renames a metric fails here, by
// name, and not as an alert that never fires again.
package promself

import "github.com/tailgate-otel/tailgate/telemetry"

// Attributes of Prometheus' own metrics.
var (
	AttrRemoteName = telemetry.Attribute{
		Key: "remote_name", Brief: "Name of the remote write.", Bound: "the remote writes of the configuration",
	}
	AttrURL = telemetry.Attribute{
		Key: "url", Brief: "Where the remote write sends to.", Bound: "the remote writes of the configuration",
	}
	// AttrDropReason is why a sample was not sent. unintentionally_dropped_series is of a stock Prometheus alone, queue_full
	// and damaged_segment are of our sender alone.
	AttrDropReason = telemetry.Attribute{
		Key: "reason", Brief: "Why the sample was not sent; dropped_series is by relabelling, so on purpose.",
		Values: []string{ReasonTooOld, ReasonDroppedSeries, "unintentionally_dropped_series", "nhcb_in_rw1_not_supported",
			"queue_full", "damaged_segment"},
	}
	AttrRuleGroup = telemetry.Attribute{
		Key: "rule_group", Brief: "File and name of the group.", Bound: "the groups of the rule files",
	}
	AttrAlertmanager = telemetry.Attribute{
		Key: "alertmanager", Brief: "Address of the Alertmanager.", Bound: "the Alertmanagers of the configuration",
	}
	AttrWebhook = telemetry.Attribute{
		Key: "webhook", Brief: "Name of the webhook.", Bound: "the webhooks of the configuration",
	}
	AttrWebhookDropReason = telemetry.Attribute{
		Key: "reason", Brief: "Why a change of an alert was not delivered.", Values: []string{"refused", "timeout", "shutdown"},
	}
)

// Values of the reason of a sample that was not sent.
const (
	ReasonTooOld        = "too_old"
	ReasonDroppedSeries = "dropped_series"
)

// Up is written by whoever scrapes.
var Up = metric("up", telemetry.Gauge, "1 when the last scrape of the target succeeded, 0 when it failed.")

// The storage.
var (
	HeadSeries                = metric("prometheus_tsdb_head_series", telemetry.Gauge, "Series in the head block.")
	WALWritesFailed           = metric("prometheus_tsdb_wal_writes_failed", telemetry.Counter, "Writes to the write-ahead log that failed.")
	WALTruncationsFailed      = metric("prometheus_tsdb_wal_truncations_failed", telemetry.Counter, "Truncations of the write-ahead log that failed.")
	CheckpointCreationsFailed = metric("prometheus_tsdb_checkpoint_creations_failed", telemetry.Counter, "Checkpoints that could not be written.")
	WALCorruptions            = metric("prometheus_tsdb_wal_corruptions", telemetry.Counter, "Corruptions found in the write-ahead log.")
	CompactionsFailed         = metric("prometheus_tsdb_compactions_failed", telemetry.Counter, "Compactions of the storage that failed.")
	ReloadsFailed             = metric("prometheus_tsdb_reloads_failures", telemetry.Counter, "Times that blocks could not be loaded from disk.")
)

// Remote write.
var (
	RemoteHighest     = remote("queue_highest_timestamp_seconds", telemetry.Gauge, "Newest timestamp that was queued.")
	RemoteHighestSent = remote("queue_highest_sent_timestamp_seconds", telemetry.Gauge, "Newest timestamp that was sent.")
	SamplesFailed     = remote("samples_failed", telemetry.Counter, "Samples that the server refused for good.")
	HistogramsFailed  = remote("histograms_failed", telemetry.Counter, "Histograms that the server refused for good.")
	SamplesDropped    = remote("samples_dropped", telemetry.Counter, "Samples that were not sent.", AttrDropReason)
	HistogramsDropped = remote("histograms_dropped", telemetry.Counter, "Histograms that were not sent.", AttrDropReason)
)

// Rules and notifications.
var (
	RuleEvaluationFailures = metric("prometheus_rule_evaluation_failures", telemetry.Counter, "Evaluations of rules that failed.", AttrRuleGroup)
	GroupIterationsMissed  = metric("prometheus_rule_group_iterations_missed", telemetry.Counter, "Evaluations of groups that were skipped as the one before was not done.", AttrRuleGroup)
	NotificationsDropped   = metric("prometheus_notifications_dropped", telemetry.Counter, "Alerts that were not sent to Alertmanager.", AttrAlertmanager)
	WebhookAlertsDropped   = metric("prometheusstore_webhook_alerts_dropped", telemetry.Counter, "Changes of alerts that a webhook did not get.", AttrWebhook, AttrWebhookDropReason)
)

// All lists every metric of the package.
func All() []telemetry.Metric {
	return []telemetry.Metric{
		Up,
		HeadSeries, WALWritesFailed, WALTruncationsFailed, CheckpointCreationsFailed, WALCorruptions, CompactionsFailed, ReloadsFailed,
		RemoteHighest, RemoteHighestSent, SamplesFailed, HistogramsFailed, SamplesDropped, HistogramsDropped,
		RuleEvaluationFailures, GroupIterationsMissed, NotificationsDropped, WebhookAlertsDropped,
	}
}

func remote(name string, kind telemetry.Kind, description string, attrs ...telemetry.Attribute) telemetry.Metric {
	return metric("prometheus_remote_storage_"+name, kind, description, append([]telemetry.Attribute{AttrRemoteName, AttrURL}, attrs...)...)
}

func metric(name string, kind telemetry.Kind, description string, attrs ...telemetry.Attribute) telemetry.Metric {
	return telemetry.Metric{Name: name, Kind: kind, Description: description, Attributes: attrs,
		Stability: telemetry.Development, Source: "github.com/prometheus/prometheus"}
}
