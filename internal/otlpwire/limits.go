package otlpwire

import (
	"fmt"
	"math"
)

// Limits bounds what a request may hold beyond what pdata bounds, which is nothing. A zero or negative bound is off.
type Limits struct {
	// MaxDepth is how deep attribute values may nest: a plain value has depth 1, an array of plain values 2. Both this
	// package and pdata descend by recursion, and a Go program dies, unrecoverably, when a stack passes 1 GB. A level
	// costs a sender as little as 10 bytes and pdata two stack frames, so a body of 20 MiB, the receivers' default
	// bound, can come near that.
	MaxDepth int
	// MaxSpans is how many spans a request may carry, those in the obsolete field 1000 included.
	MaxSpans int
	// MaxAttributes is how many attributes one resource, scope, span, event or link may have. Entries of map values
	// are not attributes; what bounds them is the size of the request.
	MaxAttributes int
}

// DefaultLimits guards the stack only. 64 levels are more than any SDK can be made to build by accident (their values
// are scalars and arrays of scalars: depth 2) and cost under 32 kB of stack.
var DefaultLimits = Limits{MaxDepth: 64}

// unbounded replaces the bounds that are off by ones that cannot be reached.
func (l Limits) unbounded() Limits {
	for _, bound := range []*int{&l.MaxDepth, &l.MaxSpans, &l.MaxAttributes} {
		if *bound <= 0 {
			*bound = math.MaxInt
		}
	}
	return l
}

// SyntaxError says that the bytes are not a well-formed message: no retry will help.
type SyntaxError struct {
	// Message is the OTLP message in which reading failed and Offset the position of the offending field's tag, counted
	// from the start of the checked bytes.
	Message string
	Offset  int
	// Reason is what was wrong, from a closed set of texts.
	Reason string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("OTLP %s, field at byte %d: %s", e.Message, e.Offset, e.Reason)
}

// LimitError says that a well-formed message exceeds a bound of Limits.
type LimitError struct {
	// Limit is the exceeded bound: "depth", "spans" or "attributes".
	Limit string
	// Max is the bound's value and Offset where the first thing too many begins.
	Max, Offset int
}

func (e *LimitError) Error() string {
	advice := map[string]string{
		"depth":      "attribute values nested deeper than %d levels (byte %d): flatten them at the sender",
		"spans":      "more than %d spans in one request (byte %d): send smaller batches",
		"attributes": "more than %d attributes on one item (byte %d): set an attribute count limit in the SDK",
	}
	return "OTLP request: " + fmt.Sprintf(advice[e.Limit], e.Max, e.Offset)
}
