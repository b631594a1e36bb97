// Package policy decides which traces are kept. It compiles the policies of the tail sampler (the configuration and
// the decisions are those of contrib's tail_sampling 0.161.0), and ordered rules beside them (ours, see [RuleConfig]),
// into two halves:
//
//   - predicates, "some span or resource of the trace has …", asked once per span as it arrives. Each owns a bit of the
//     trace that only ever turns on; equal predicates share one. Beside the bits stand a few counters, see [Facts].
//   - an expression per policy over bits, counters, trace id and limiters, evaluated once per trace by
//     [Program.Decide]. No span is decoded for it, however large the trace; only evaluators that extensions bring see
//     spans, because their contract promises them, and rules whose samplers need the values of fields.
//
// Because bits stay on and counters only grow, [Program.Certain] can tell when no span still to come changes the
// outcome.
//
// # What it leaves to others
//
// It holds no spans and no traces: the caller keeps a [Facts] and [Program.Words] words of bits per open trace, and
// remembers the [Mark] of each distinct attribute and resource, so that a repeated value costs one table look-up. The
// caller also says when a trace is due, and writes attributes and tracestate on what is kept.
//
// # Concurrency and memory
//
// The package starts no goroutine, does no I/O and reads no clock but to measure 1 decision in 32. A [Program] is
// immutable but for counters, limiters and two tables, and is shared by all shards: limiters are never divided, so
// num_shards does not change what passes. Its memory does not grow with traffic: the table of marks holds at most one
// entry per combination of the configured predicates of one attribute key (and of the keys of a resource) that really
// occurs, the memory of tracestates is a fixed table, and samplers of rules bound their keys. There is nothing here that
// could be full.
//
// # Where it differs from contrib, on purpose
//
//   - latency with upper_threshold_ms asks the duration of the whole trace. contrib asks after every span, so that the
//     answer depends on the order in which spans arrived.
//   - numeric_attribute takes a bound of 0. contrib cannot tell it from an absent one.
//   - span-ingest with a drop policy keeps what other policies sample, see [Program.DecideIngest]. contrib keeps nothing.
//   - and and not may be nested in each other, and stand under drop and composite, to any depth.
//   - A misspelt section is an error. contrib takes it for an extension's and ignores it.
package policy
