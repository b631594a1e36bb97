// Package otlpclient delivers encoded OTLP trace requests over HTTP or gRPC: it is the network behind package span.
//
// The bytes are sent as they are; nothing here knows what a span is. Errors are sorted by the OTLP specification
// (https://opentelemetry.io/docs/specs/otlp/): those that a repetition may cure are *span.RetryableError, with the wait
// that the receiver asked for. Repeating, queueing and timeouts are the caller's. A refused or broken connection counts as
// curable, since a collector that restarts looks like that.
//
// There are no goroutines but those of net/http and grpc-go, which Close ends. A request's memory is the caller's again as
// soon as Send returns: readers of net/http's transport that live longer find an empty body, and grpc-go gets a copy.
//
// The gateway's other signals go through OpenTelemetry's own exporters; Environment reads the same variables as they do.
package otlpclient
