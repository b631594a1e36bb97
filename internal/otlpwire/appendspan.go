package otlpwire

// AppendSpan appends the Span message of s, canonical as pdata writes it (unknown fields left out) but for the elements of
// its lists, which are copied from s.Raw as they are. Change a field of s, a trace state say, to change the span.
func AppendSpan(dst []byte, s *Span) []byte {
	dst = AppendStatus(dst, s.Status, s.StatusMessage)
	dst = AppendUint(dst, SpanDroppedLinks, uint64(s.DroppedLinks))
	dst = copyList(dst, s.Raw, SpanLinks, s.links, s.NumLinks)
	dst = AppendUint(dst, SpanDroppedEvents, uint64(s.DroppedEvents))
	dst = copyList(dst, s.Raw, SpanEvents, s.events, s.NumEvents)
	dst = AppendUint(dst, SpanDroppedAttributes, uint64(s.DroppedAttributes))
	dst = copyList(dst, s.Raw, SpanAttributes, s.attributes, s.NumAttributes)
	dst = AppendFixed64(dst, SpanEnd, s.End)
	dst = AppendFixed64(dst, SpanStart, s.Start)
	dst = AppendUint(dst, SpanKind, uint64(s.Kind))
	dst = AppendText(dst, SpanName, s.Name)
	dst = AppendFixed32(dst, SpanFlags, s.Flags) // pdata's one field out of order
	dst = AppendSpanID(dst, SpanParentSpanID, s.ParentID)
	dst = AppendText(dst, SpanTraceState, s.TraceState)
	dst = AppendSpanID(dst, SpanSpanID, s.SpanID)
	return AppendTraceID(dst, SpanTraceID, s.TraceID)
}

// AppendStatus appends the status field of a span, which is there even if it is empty.
func AppendStatus[T ~string | ~[]byte](dst []byte, code int32, message T) []byte {
	dst = AppendHeader(dst, SpanStatus, SizeUint(StatusCode, uint64(code))+SizeText(StatusMessage, len(message)))
	dst = AppendUint(dst, StatusCode, uint64(code))
	return AppendText(dst, StatusMessage, message)
}

// copyList appends the n fields f of raw, the first of which begins at pos.
func copyList(dst, raw []byte, field Field, pos, n int) []byte {
	eachMessage(raw, pos, n, field, func(m []byte) bool {
		dst = AppendBytes(dst, field, m)
		return true
	})
	return dst
}
