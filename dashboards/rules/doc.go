// Package rules is the alerts and recording rules that come with Tailgate, written once over the contract and emitted as
// Prometheus rule files and as PrometheusRule resources.
//
// Expressions are made by package query, as those of panels are, so that a metric, attribute or value outside the
// contract is an error of the generator. An alert takes a condition, and a condition is made by comparing, so an alert
// that fires whenever there is data cannot be written. A rule that reads what another one records names that Record, not
// its text.
//
// What the rules are held to: an alert means that somebody should do something, its page in docs/runbooks says what. The
// embedded Prometheus evaluates all of them by default, so they are cheap (every rate reads at most an hour, but for
// objectives, whose long windows read what short ones have recorded) and silent where nothing is wrong, an idle program
// and a program that is not there included.
//
// The package holds data and pure functions; it starts nothing and keeps no state. Evaluation is the business of
// whoever loads the files, looking for mistakes in them that of dashboards/check.
package rules
