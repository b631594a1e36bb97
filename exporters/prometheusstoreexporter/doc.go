// Package prometheusstoreexporter writes metrics into the embedded Prometheus of the prometheusstore extension, which it
// finds by component id through internal/promstore. Names and labels come from Prometheus' own OTLP converter.
//
// It leaves to others: translating, and what it keeps for each series (internal/promfront, which says what), storing and
// querying (the extension).
//
// One bad sample never costs the good ones: it is counted by reason, logged at most once a minute, and the rest of the
// batch is committed. Only an error that is not about a sample fails a batch.
//
// Goroutines: one, which sweeps the front once a second from start to shutdown, so that series of senders that have gone
// end. Batches are written on the caller's goroutine, several at once if there are several callers.
//
// Overload: without a queue (the default) the caller waits for the database, which is the back-pressure a local sink
// should give. The number of series is bounded (limits). See README.md.
package prometheusstoreexporter

//go:generate go tool -modfile=../../tools/go.mod mdatagen metadata.yaml
