package tracecontext

import (
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// B3's headers, by https://github.com/openzipkin/b3-propagation, in net/http's form.
const (
	headerB3        = "B3"
	headerB3TraceID = "X-B3-Traceid"
	headerB3SpanID  = "X-B3-Spanid"
	headerB3Sampled = "X-B3-Sampled"
	headerB3Flags   = "X-B3-Flags"
	headerB3Parent  = "X-B3-Parentspanid"
)

var b3Headers = [...]string{headerB3, headerB3TraceID, headerB3SpanID, headerB3Sampled, headerB3Flags, headerB3Parent}

// readB3 reads the single header or, if that says nothing, the several ones.
func readB3(h http.Header) remote {
	if v := only(h, headerB3); v != "" {
		if r := parseB3Single(v); r.decided || r.valid() {
			return r
		}
	}
	var r remote
	switch {
	case only(h, headerB3Flags) == "1": // debug: an accept decision that overrides Sampled
		r.flags, r.decided = trace.FlagsSampled, true
	default:
		r.flags, r.decided = b3Decision(only(h, headerB3Sampled))
	}
	if id := only(h, headerB3TraceID); id != "" && !r.b3IDs(id, only(h, headerB3SpanID)) {
		return remote{}
	}
	return r
}

// only returns the value of a header that stands once.
func only(h http.Header, name string) string {
	if v := h[name]; len(v) == 1 {
		return v[0]
	}
	return ""
}

// parseB3Single reads {trace}-{span}[-{decision}[-{parent}]], or a decision alone.
func parseB3Single(s string) remote {
	first, rest, more := strings.Cut(s, "-")
	if !more {
		flags, decided := b3Decision(first)
		return remote{flags: flags, decided: decided}
	}
	span, rest, more := strings.Cut(rest, "-")
	var r remote
	if !r.b3IDs(first, span) {
		return remote{}
	}
	if more {
		decision, _, _ := strings.Cut(rest, "-")
		if r.flags, r.decided = b3Decision(decision); !r.decided {
			return remote{}
		}
	}
	return r
}

// b3Decision reads a sampling state; "true" and "false" are what old tracers sent.
func b3Decision(s string) (flags trace.TraceFlags, decided bool) {
	switch s {
	case "1", "d", "true":
		return trace.FlagsSampled, true
	case "0", "false":
		return 0, true
	}
	return 0, false
}

// b3IDs sets the ids. A trace id of 64 bits is the lower half of one of 128.
func (r *remote) b3IDs(traceID, spanID string) bool {
	if len(spanID) != 16 || !decodeHex(r.spanID[:], spanID) {
		return false
	}
	switch len(traceID) {
	case 32:
		return decodeHex(r.traceID[:], traceID) && r.valid()
	case 16:
		return decodeHex(r.traceID[8:], traceID) && r.valid()
	}
	return false
}
