// Package promfront is what stands between OTLP metrics and a Prometheus storage: it turns pdata into samples of series
// that the storage knows by reference. Any storage.AppendableV2 can be behind it: a TSDB, a remote-write queue, a scrape
// page, a recorder in a test.
//
// # What it does
//
// Names, labels and metadata are those of Prometheus' own OTLP converter, which is asked once per series: the answer is
// kept under the bytes that identify the OTLP stream (resource, metric, unit, type, attributes in the order sent), and
// from then on a point costs a comparison and one append by reference per sample. A stream is found through the one that
// followed its predecessor in the last export, else through a map; both compare bytes, never hashes. What the storage
// has forgotten meanwhile is translated again.
//
// Kept with a series, because OTLP says more than one sample does: the running total of a delta stream, the start time
// (from which a zero sample is made when the series starts or restarts), when the resource was last heard of (from which
// stale markers are made), and how many series each metric and resource has (from which limits are made).
//
// One bad sample never costs the good ones: what cannot be translated and what the storage refuses is counted by reason,
// an example is kept, and the rest is stored. Only an error that is not about a sample fails a Write.
//
// # What it leaves to others
//
// Storing, queueing, retrying, logging, instruments, and the clock of Sweep, which the owner calls.
//
// # Goroutines, locks, memory
//
// It starts no goroutine. Write may be called by several at once: resources with different job and instance do not wait
// for each other, those with the same do, because they may write the same series. A Write is one transaction of the
// storage per 10 000 samples.
//
// The cache holds what was written within Options.Forget and is dropped from by Sweep: 400 bytes for a number with three
// attributes, 700 for a histogram of 17 series with seven, where a TSDB's head takes about 2 KiB per series.
// Options.Limits bounds the number of series; beyond it points are summed into one overflow series per metric and
// resource. Front has no queue: it is as slow as its storage.
package promfront
