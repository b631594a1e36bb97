// Package otlpwire reads and writes traces in their protobuf form, ExportTraceServiceRequest (which is TracesData on the
// wire), without building objects: it hands out slices of the request's own bytes and allocates nothing.
//
// [Parse] checks a whole request once. It accepts exactly what pdata's ptrace.ProtoUnmarshaler accepts, and what the
// readers then find is what pdata finds: unknown fields are skipped, of a repeated scalar the last one counts, repeated
// messages are merged, trace and span ids are whole or empty, and the odd corners (field numbers cut to 32 bits,
// varints whose tenth byte overflows, groups) are those of pdata v1.67. FuzzParse holds it to that. [Limits] adds
// bounds that pdata does not have.
//
// Reading trusts: [Fields], [Span.Decode] and the iterators expect bytes that Parse, or [CheckSpan] and its siblings,
// accepted. On other bytes they are safe but stop early, without saying so.
//
//	req, err := otlpwire.Parse(body, otlpwire.DefaultLimits)
//	for rs := range req.ResourceSpans() {
//		for ss := range rs.Scopes() {
//			for raw := range ss.Spans() {
//				span.Decode(raw)
//				for key, value := range span.Attributes() { … }
//
// Writing appends to a buffer the caller owns. The Append functions write what pdata's marshaller writes, byte for byte,
// when fields are appended from the highest number to the lowest: that is the order in which the Collector emits them
// (SDKs emit ascending; readers take any). [Begin] and [End] write the length of a message once its content is known.
//
// What this package leaves to others: compression and transport, the meaning of attributes, UTF-8 (pdata does not check
// it either), and text or JSON forms. It is pure: no goroutine, clock, I/O or state, so any number of goroutines may
// read the same request. Everything read aliases the request's bytes and is valid as long as these are; nothing is ever
// written to them. A request has no size of its own to be full at: the memory in use is the caller's two buffers, plus
// stack for nested values, which [Limits.MaxDepth] bounds.
package otlpwire
