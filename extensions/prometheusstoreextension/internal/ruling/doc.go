// Package ruling evaluates recording and alerting rules over a store and tells the world about alerts: to Alertmanagers,
// to webhooks, and to whoever subscribes to a feed (the receiver that makes log records).
//
// Evaluation and delivery to Alertmanagers are upstream's own code, and this is the one place that constructs them:
// rules.ManagerOptions changed in v0.312 and v0.316, so an upgrade is one package, and pin_test.go says what to look at.
// It leaves to others: storage and engine (given by the caller), configuration, the HTTP API (which gets a Manager as
// its retriever), and what becomes of events (internal/alertfeed).
//
//	rule files, embedded rules -> Load -> RuleSet -> Manager: one goroutine per group
//	query  -> at most MaxConcurrency at a time -> engine
//	result -> appenderV1 -> the caller's AppendableV2: the same intake as for any other writer
//	alert  -> external labels, alert_relabel_configs -> notifier -> Alertmanagers (repeated every ResendDelay)
//	                                                 -> Feed: changes only -> webhooks, log records
//
// Goroutines: one per group, one per Alertmanager, one per webhook, one that lets alerts lapse. Start starts them,
// Shutdown joins them: rules first, so that their last alerts are still delivered. Queries use the caller's engine and
// queryable, so Shutdown must have returned before those are closed. One goroutine of upstream's is not joined: it marks the
// series of a removed group stale, two intervals after an Update. It ends with Shutdown and uses nothing but the
// Appendable, which refuses it when the store has closed.
//
// Overload: a group that is not done when its next turn comes skips that turn and counts it
// (prometheus_rule_group_iterations_missed_total). Queues to Alertmanagers and webhooks are bounded, drop their oldest
// alert when full, and count it. Nothing here ever waits for a receiver of alerts.
package ruling
