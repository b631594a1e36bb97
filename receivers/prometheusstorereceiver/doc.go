// Package prometheusstorereceiver makes log records of the alerts that the prometheusstore extension evaluates: one when
// an alert begins to fire, one when it ends. It finds the extension by component id through internal/alertfeed.
//
// It leaves to others: rules and their evaluation (the extension), and repeating, grouping and silencing (Alertmanager,
// to which the extension also sends).
//
// Goroutines: one, from Start to Shutdown, which reads the subscription and hands records on, with retries. It is the
// sole owner of the batch at hand.
//
// Overload: the store never waits. While the pipeline refuses, changes queue up, at most queue_size; then the oldest are
// dropped. A batch is given up when the retries have taken max_elapsed_time. Whatever is dropped is counted by reason.
package prometheusstorereceiver

//go:generate go tool -modfile=../../tools/go.mod mdatagen metadata.yaml
