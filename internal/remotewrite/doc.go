// Package remotewrite sends samples to a remote-write server, as Prometheus' own queue manager does, with three
// differences: what Commit acknowledged survives the death of the process, one refused sample does not cost its
// neighbours, and an outage longer than the queue is made good from the local database.
//
// A Sender is a storage.AppendableV2. It stands either behind a lead (the tee commits to the local TSDB first and hands
// on the lead's series references, with or without labels) or alone, when it gives out references itself.
//
//	Append ─ series cache (ref → relabelled labels, once per series) ─ batch of the appender
//	Commit ─ one frame in the journal (internal/remotewrite/journal: segments on disk, each with its own symbols)
//	pump   ─ reads frames, sorts samples by lane (hash of the series mod 64) to shards: order is kept within a series
//	shard  ─ builds a request of version 2 or 1, posts it until the server took or refused it, moves its lanes' positions
//
// What is promised. Commit returns when the frame has been written to the operating system: it survives kill -9, not a
// power cut, unless Config.SyncEvery is set, which bounds what a power cut takes. Delivery is at least once: what was
// in flight when the process died is sent again. Positions are kept per lane, so that is one request per shard at most.
//
// When it is full. The journal has a limit in bytes. Beyond it the oldest segment is given up. With a lead the range of
// time that it covered is written down as a hole, and once the server answers again the hole is read back from the
// lead, oldest first, before the journal goes on: a server without an out-of-order window refuses what is older than
// what it has, so nothing newer of a series may overtake. What the journal holds of a range that was read back is
// skipped. Exemplars are read back as far as the lead still has them. Alone, what was given up is counted as dropped,
// reason "queue_full".
//
// What the server says. 2xx: done, and the written-headers of version 2 tell what was not. 429, 5xx and network errors:
// again, with backoff or Retry-After, until the data is beyond the limits. 401, 403, 404, 407: the same, at the longest
// backoff; the specification would have the data dropped, but these are mistakes of configuration or expired tokens,
// and repairing those should find the data still there. 400 and every other 4xx: a server that confirms partial writes
// has taken the good ones; for any other the request is split until the refused samples stand alone. What is refused
// is counted by reason, and the latest are kept as examples (Refused).
//
// Version 2 is tried first; a server that does not understand it (415, 406, 400 without its headers, or 2xx without
// them) gets version 1, and version 2 is tried again an hour later. Version 1 has no place for start timestamps, and
// none for histograms with custom buckets, which are then dropped and counted.
//
// Goroutines: Open starts one pump and the shards; Close ends and joins them all. Appenders belong to their callers.
// Requests are compressed with snappy, the one that the specification has.
package remotewrite
