// Package tracelog keeps the spans of one shard's traces in an append-only log of compact records outside the Go heap.
//
// It knows nothing of policies, deadlines or decisions: the caller holds, per trace, the position of the newest record,
// and says when the oldest segments may go. The package starts no goroutine, reads no clock and logs nothing. A Log is
// guarded by its owner's lock; a View taken under that lock may be read without it, because written bytes never change.
//
// # Why bytes
//
// Decoded spans cost 1,640 heap bytes each for 490 bytes on the wire and the garbage collector visits every one of
// them. A record costs about 140 bytes, and the collector never sees it.
//
// # Segments and records
//
// A segment (2 MiB) is a header of 64 bytes and records one after another; the memory behind them is zero, and a zero
// record header ends the segment. A segment is self-contained: whatever a record refers to, except the previous record
// of its trace, stands earlier in the same segment. So a segment can be dropped, or read back after a crash, alone.
//
//	segment  "TGSEG\x01" shard:u16 | seq:u32 size:u32 | base:u64 (unix ns) | zeros
//	record   header:u32 = length:22 kind:2 check:8, then length bytes
//	span     flags kind|status prev [trace id] scope span-id [parent] start-base end-start name [tracestate]
//	         attributes [events] [links] [message] [span flags] [dropped counts]
//	resource attributes dropped schema-url                          (or one protobuf message, if it has entity references)
//	scope    resource name version attributes dropped schema-url
//	note     trace-id what data
//
// # Repetition
//
// Nearly all of a span repeats: keys, names, most values. A string or a whole attribute that stands earlier in the
// segment is written as its offset there (1 to 4 bytes), as LZ77 does, but on the boundaries of fields, so that a record
// can be read without unpacking anything before it. A small table per open segment finds repetitions; it may forget
// (then the text is written once more), it never lies: a hit is compared byte by byte. A closed segment needs no table.
//
// The alternatives that lost: OTLP protobuf kept as it is, 485 bytes per span; a dictionary with numbers per epoch, 141
// bytes, which needs the dictionary to outlive its segments, a second structure to bound, persist and free.
package tracelog
