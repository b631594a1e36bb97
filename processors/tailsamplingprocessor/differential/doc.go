// Package differential holds tests that play the same random traffic through two tail_sampling processors and demand the
// same answer. The reference is contrib's tail_sampling at the version go.mod names; the subject is ours.
//
// A case (testCase) is a configuration, a set of feature gates and a timeline of requests. A seeded generator makes
// cases; play runs one processor over one case inside a testing/synctest bubble, so a minute of trace time costs
// milliseconds and nothing depends on the scheduler; compare names every difference in what came out:
//
//   - the kept traces, and every span of them with its resource, scope and all fields, byte for byte. Grouping is not
//     compared: spans may be spread over other ResourceSpans, ScopeSpans and calls than the reference chose;
//   - the attributes that record the policy, and the rewritten tracestate, because they are fields like any other;
//   - the counters that say what was decided (comparedMetrics);
//   - whether the configuration is refused, and whether the caller's data was changed.
//
// A case that differs is shrunk while it still differs in the same way, then printed as YAML, a timeline and the command
// that makes it again.
//
// What the cases avoid, because there the two may differ without either being wrong:
//
//   - Time. contrib decides at the first whole second after a trace's wait is over, another processor may decide at the
//     moment itself. Requests come at half seconds, and no span comes while one of the two may have decided and the other
//     not (see wait).
//   - Order. contrib walks the traces that are due at one second in random order, so where an earlier decision changes a
//     later one (rate limits, composite) no two traces are due at the same second. That
//     also keeps out of the comparison how many traces a limiter in tracestate mode sees at once.
//   - contrib's defects. Each has a test of its own in known_test.go that states both behaviours.
//   - num_traces overflow, which contrib answers by losing a trace undecided.
//
// Flags: -cases says how many cases, -seed where they start. FuzzDifferential lets the fuzzer steer the generator.
package differential
