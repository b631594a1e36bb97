package retry

import (
	"slices"
	"time"
)

// Class says how a try failed.
type Class uint8

// The classes. The zero value is success.
const (
	// OK: there is an answer, whatever it says.
	OK Class = iota
	// NotSent: no byte of the request can have been acted on, and its body can still be sent whole: the connection was
	// refused, its handshake failed, or HTTP/2 refused the stream before it took of the body.
	NotSent
	// Reset: the connection broke before the response, after something was sent.
	Reset
	// Timeout: the try's own time ran out before the response.
	Timeout
	// Status: a response that says the upstream cannot (Failure.Code).
	Status
	// GRPC: a gRPC response without messages that says so (Failure.Code).
	GRPC
	// Final: nothing that another try would change: the client is gone, its body is broken, or the response has begun.
	Final
)

// Failure is how a try failed. The zero value: it did not.
type Failure struct {
	Class Class
	Code  int   // HTTP status or gRPC code
	Err   error // for the log and for the caller; nil for responses
	// Pushback is what the upstream asks for before the next try (Retry-After, grpc-retry-pushback-ms). Negative: none.
	Pushback time.Duration
}

// Reason says why there was no further try.
type Reason string

// The reasons: a closed set, fit for a metric.
const (
	Again      Reason = ""            // there was one
	Answered   Reason = "answered"    // it went well
	Unsafe     Reason = "unsafe"      // the upstream may have acted on the request, or its body is gone
	Attempts   Reason = "attempts"    // all tries are used up
	Deadline   Reason = "deadline"    // the time is up, or would be before the next try
	Gone       Reason = "gone"        // the client is gone, or the gateway cut the request off
	Exhausted  Reason = "exhausted"   // the route's retry budget is empty
	Hopeless   Reason = "hopeless"    // this failure is not worth a try
	PushedBack Reason = "pushed_back" // the upstream asked not to
)

// Decision is what follows a try.
type Decision struct {
	Reason Reason        // Again, or why not
	Wait   time.Duration // before the next try
	Paid   bool          // whether the next try needs a token of the retry budget
}

// Next decides about the tries-th try of r, which failed with f, when left remains of its deadline (negative: without
// end). random is uniform in [0, 1).
func (p *Policy) Next(r Request, tries int, f Failure, left time.Duration, random float64) Decision {
	switch safe := r.Replayable && slices.Contains(p.s.Methods, r.Method); f.Class {
	case OK:
		return Decision{Reason: Answered}
	case NotSent:
	case Reset, Timeout:
		if !safe {
			return Decision{Reason: Unsafe}
		}
	case Status:
		if !p.statuses.has(f.Code) {
			return Decision{Reason: Hopeless}
		}
		if !safe {
			return Decision{Reason: Unsafe}
		}
	case GRPC:
		if !slices.Contains(p.s.GRPCCodes, uint32(f.Code)) {
			return Decision{Reason: Hopeless}
		}
		if !r.Replayable {
			return Decision{Reason: Unsafe}
		}
	default:
		return Decision{Reason: Hopeless}
	}
	if tries >= p.s.Attempts {
		return Decision{Reason: Attempts}
	}
	return p.schedule(tries, f, left, random)
}

// schedule finds the wait before the next try. One that reaches past the deadline is not begun.
func (p *Policy) schedule(tries int, f Failure, left time.Duration, random float64) Decision {
	d := Decision{Paid: f.Class != NotSent}
	if d.Paid || tries > 1 {
		most := min(p.s.BackoffMax, p.s.BackoffBase<<min(tries-1, 10))
		d.Wait = time.Duration(random * float64(most))
	}
	switch {
	case f.Pushback < 0 || f.Pushback > p.s.BackoffMax: // the client can wait for longer than a request may
		return Decision{Reason: PushedBack}
	case f.Pushback > d.Wait:
		d.Wait = f.Pushback
	}
	if left >= 0 && d.Wait >= left {
		return Decision{Reason: Deadline}
	}
	return d
}

// hedgeAfter returns how long a first try may take before a second is sent beside it.
func (p *Policy) hedgeAfter(r Request, s *State, left time.Duration) (time.Duration, bool) {
	if p.s.HedgePercentile == 0 || p.s.Attempts < 2 || !r.Replayable || !slices.Contains(p.s.Methods, r.Method) {
		return 0, false
	}
	usual, known := s.latency.quantile(p.s.HedgePercentile)
	if !known {
		return 0, false
	}
	after := max(usual, p.s.HedgeMin)
	return after, left < 0 || after < left
}
