// Package tailsamplingprocessor decides about whole traces which to keep. It takes contrib's tail_sampling configuration
// and takes the same decisions, but holds spans as bytes outside the Go heap instead of as objects in it.
//
// The shell in this package owns time, locks, goroutines and telemetry; what a shard does with a span and how a trace is
// decided stands in internal/engine, policies in internal/policy, the span log in internal/tracelog.
//
// # Who runs what
//
// ConsumeTraces does its work on the caller's goroutine: it prepares resources and scopes once, then takes each lane's
// lock in turn for at most 256 spans. One ticker decides what is due, 128 traces per lock. One sender per lane turns
// kept traces back into spans and hands them on, outside any lock, with retries.
//
// # When memory is full
//
// max_buffer bounds the log, the index and the decisions remembered. From 70 % on new traces wait shorter; when it is full
// the traces of the oldest segment are decided, complete ones first, and some that still run are carried on; when what was
// kept leaves too slowly to make room, new traces are taken in by chance (overload.go), but for those that policies want for
// what is in them; when nothing leaves, ConsumeTraces waits for a second and then refuses the request with a retryable error.
// Nothing that was accepted is lost silently: in + recovered = kept + dropped + failed + held, and each drop has a reason.
package tailsamplingprocessor
