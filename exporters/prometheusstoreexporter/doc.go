// Package prometheusstoreexporter writes metrics into the embedded Prometheus of the prometheusstore extension, which it
// finds by component id through internal/promstore. Names and labels come from Prometheus' own OTLP converter.
//
// It leaves to others: storing and querying (the extension), and turning delta into cumulative metrics (the
// deltatocumulative processor).
//
// One bad sample never costs the good ones. Prometheus' OTLP endpoint and remote write 1.0 drop a whole request for one
// out-of-order sample; here the appender is wrapped (tolerant), so that refused samples are counted by reason and the
// rest of the batch is committed. What the converter itself cannot translate is taken out first (sieve), because the
// converter gives up on a metric at its first bad point. Only an I/O error of the database fails a batch.
//
// Goroutines: none of its own. Batches are written on the caller's goroutine, several at once if there are several
// callers; each has an appender of its own.
//
// Overload: without a queue (the default) the caller waits for the database, which is the back-pressure a local sink
// should give. See README.md.
package prometheusstoreexporter

//go:generate go tool -modfile=../../tools/go.mod mdatagen metadata.yaml
