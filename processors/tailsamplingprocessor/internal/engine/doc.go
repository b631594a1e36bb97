// Package engine holds the open traces of one shard and decides them.
//
// A Shard owns an index of fixed-size entries without pointers (trace id, facts, deadline, newest record), the shard's
// span log, and the memory of its decisions. Spans are folded into facts and appended to the log as they arrive; when a
// trace's time has come its policies are asked, which needs no span, and the entry is forgotten. What was kept comes out
// as Decisions that name records of the log; those stay until the caller unpins them.
//
// The package starts no goroutine, reads no clock, does no I/O and logs nothing. A Shard is guarded by its owner's lock.
// Times are durations since the owner's start on a monotonic clock, so that a wall clock that jumps moves no deadline.
//
// When the log's store has no room left, Add fails with the store's error and nothing is lost: the caller makes room
// with Relieve, which decides traces of the oldest segment on what is there, complete ones first, or refuses the request.
package engine
