// Package prometheusstoreextension embeds Prometheus in the collector: a time series database with a write-ahead log,
// the PromQL engine, Prometheus' own HTTP API and a dashboard viewer on one listener. The data directory is an ordinary
// Prometheus one; a stock server opens it.
//
// It leaves to others: translating OTLP (the prometheusstore exporter, which finds this extension through
// internal/promstore), drawing (dashboards/viewer), and what is on the dashboards (dashboards/dist).
//
// Goroutines: the database owns its compaction and write goroutines, the HTTP server one per connection. Both are
// joined by Shutdown, in this order: listener closed, requests drained, engine closed, database closed. The gate
// counts requests and open batches, so that neither ever sees a closed database.
//
// Overload: appends run on the writer's goroutine, there is no queue. At most query::max_concurrency queries run, the
// rest wait inside their own timeout; a query that loads more than query::max_samples is refused. Metadata is bounded in
// bytes, exemplars by count, data by retention.
package prometheusstoreextension

//go:generate go tool -modfile=../../tools/go.mod mdatagen metadata.yaml
