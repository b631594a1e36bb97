// Package cell counts and measures on the request path: one cell of atomics per instrument and combination of attributes,
// exported through the SDK's reader as a metric.Producer.
//
// A Registry makes instruments out of the contract (package telemetry), an instrument makes a cell for each attribute set,
// and a Table finds the cells of a request by a comparable key, so that the set is built and hashed once and not per
// measurement. Sum.Add and Histogram.Record allocate nothing and take no lock, but for the first 32 values of a histogram
// and the few moments in which its range grows.
//
// The output equals that of the SDK's instruments for the same measurements (TestLikeTheSDK): scale and offset of
// exponential histograms, bounds, counts, sum, minimum, maximum, exemplars. Differences: temporality is cumulative only; a
// histogram's sum is kept in nanoseconds or bytes and so is exact; an exemplar is the first sampled measurement in its
// group of buckets since the last collection, where the SDK draws lots; sums have none.
//
// Memory is bounded by Table's limit: combinations beyond it share one cell marked otel.metric.overflow. A cell of few
// values takes 0.5 KB, a busy exponential histogram 4 to 10 KB (320 buckets, and those of coarser scales before). Cells
// live as long as the registry, so that a reload of routes forgets no counts.
//
// There are no goroutines; Produce runs on the reader's. It reads while others write: a measurement that is being made
// may be in a histogram's count and not yet in its sum, and is in both of the next collection.
package cell
