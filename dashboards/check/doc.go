// Package check reads emitted dashboards, classic and v2, and rule files, and finds what would make a panel blank, an
// alert silent, or either of them wrong or a dead end: against Grafana's schemas, against the contract (metrics, kinds,
// attributes, closed values, followed through every operator of a query to its legend, and through recorded series to the
// text of an alert), against each other (links and the variables they set), and, in Execute, against a running Prometheus.
//
// It shares no code with the generator (model, query, defs, emit, rules): it knows a dashboard only by its JSON, a rule
// only by its YAML and a metric only by the contract, so that it can contradict them. Load and Lint are pure but for
// reading files. Execute asks a server with at most a few requests under way, owns its goroutines and joins them before it
// returns.
package check
