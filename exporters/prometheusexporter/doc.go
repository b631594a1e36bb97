// Package prometheusexporter shows metrics to Prometheus servers that scrape them: the drop-in for contrib's exporter of
// the same type, with the same keys, names, labels and values.
//
// It has two halves. internal/promfront translates OTLP and keeps what belongs to a series, such as the running total of
// delta points; internal/exposition keeps the last sample of each series and renders pages. What is left here is contrib's
// way of naming (names.go), the server, and the instruments.
//
// Goroutines: the HTTP server's, and one that sweeps out what has expired; Shutdown joins both. Batches are written on the
// caller's goroutine, several at once if there are several callers.
//
// Overload: there is no queue unless sending_queue is set. Memory follows the number of live series, whether or not somebody
// scrapes; what was not written for metric_expiration is forgotten. See README.md for the sizes.
package prometheusexporter

//go:generate go tool -modfile=../../tools/go.mod mdatagen metadata.yaml
