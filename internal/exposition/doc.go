// Package exposition keeps the last sample of each Prometheus series and shows them to scrapers.
//
// An Exposition is a storage.AppendableV2, so whatever writes into a Prometheus storage can write into it, and an
// http.Handler for the scrapes. It assigns its own series references; a sample that comes with one costs a look into a
// table and a store, no labels are touched. What a scrape writes is ready: the labels of a metric were rendered and
// escaped when it was first seen.
//
// Samples that belong together are kept together: the _bucket, _sum and _count series of a classic histogram, or the
// quantiles of a summary, are parts of one metric, found by AppendV2Options.MetricFamilyName and Metadata.Type. A
// transaction becomes visible at once and a metric is rendered under the lock that Commit takes, so a scrape never sees
// the count of one point beside the buckets of another. Parts that the newest point did not have, such as buckets of
// boundaries that the application has given up, are not shown and are forgotten by the next Sweep.
//
// It does not translate names, accumulate deltas or limit the number of series; whoever stands in front of it does. It
// starts no goroutine: the owner calls Sweep, writers and scrapers bring their own. All methods are safe for concurrent
// use.
//
// Memory: one record of fixed size per series (see series.go for the sum) plus the labels once per metric, one exemplar per
// counter and bucket, ten per native histogram. A metric goes when it was not written for Options.Expiration or when a
// stale marker arrives, whether or not somebody scrapes. A slow scraper holds one buffer and no lock.
//
// Conflicts: the first help text and the first type of a family win its header. Series of another type are never
// dropped: the text formats show them behind the family's own, without a header of their own, and protobuf in a message of
// their own. Two writers that disagree on the type of the very same series take turns:
// the last sample is shown, as in a database.
package exposition
