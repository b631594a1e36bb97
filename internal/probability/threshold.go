// Package probability is consistent probability sampling on 56 bits, and its place in the W3C tracestate
// (`ot=th:…;rv:…`): https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/.
//
// Every trace has a randomness, the same for all who look: an explicit rv, else the low 56 bits of its id. A sampler
// keeps the trace if the randomness reaches the sampler's threshold. So whatever a strict sampler keeps, a looser one
// keeps too, wherever it runs, and the threshold on a kept span says how many spans it stands for.
//
// What the threshold should be is for others to say (package dynsample, the policies). Nothing here allocates, keeps
// state or starts a goroutine; tracestates are read in place, and bounded by the W3C limits before they are read.
package probability

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"
)

// Threshold is how many of the 2^56 values of randomness a sampler drops: a trace is kept if its randomness is not
// below. A greater threshold is a stricter sampler.
type Threshold uint64

const (
	// Always keeps every trace.
	Always Threshold = 0
	// Never keeps none. It has no hex form: a dropped span carries no th. Everything above means the same.
	Never Threshold = 1 << 56

	hexDigits = 56 / 4
)

// FromProbability returns the threshold that keeps a trace with probability p. Above 1 it keeps all, as it does where
// p is not a number: traces are not lost to a rate that nobody could compute. Below 2^-56 it keeps none.
func FromProbability(p float64) Threshold {
	switch {
	case !(p < 1):
		return Always
	case p <= 0:
		return Never
	}
	return Never - Threshold(math.Round(p*float64(Never)))
}

// Probability is the share of traces that t keeps.
func (t Threshold) Probability() float64 {
	if t >= Never {
		return 0
	}
	return float64(Never-t) / float64(Never)
}

// AdjustedCount is how many traces one that passed t stands for: 1/probability, and 0 for Never.
func (t Threshold) AdjustedCount() float64 {
	if t >= Never {
		return 0
	}
	return 1 / t.Probability()
}

// Keeps tells whether t keeps a trace of this randomness.
func (t Threshold) Keeps(randomness uint64) bool {
	return randomness >= uint64(t)
}

// Compose is the threshold of a trace that passed a sampler at incoming before one at own: the stricter of the two.
// Consistent samplers ask the same randomness, so the one is a subset of the other and probabilities do not multiply.
func Compose(incoming, own Threshold) Threshold {
	return max(incoming, own)
}

// Randomness is the randomness of a trace that has no explicit rv: the low 56 bits of its id, as
// https://www.w3.org/TR/trace-context-2/#randomness-of-trace-id has it.
func Randomness(id [16]byte) uint64 {
	return binary.BigEndian.Uint64(id[8:]) & uint64(Never-1)
}

// AppendHex appends the value of th: up to 14 hex digits, most significant first, trailing zeros cut, "0" for Always.
// For Never it appends nothing.
func (t Threshold) AppendHex(dst []byte) []byte {
	switch {
	case t == Always:
		return append(dst, '0')
	case t >= Never:
		return dst
	}
	// The 1 in front of the 56 bits makes AppendUint write leading zeros; it is then overwritten by moving them down.
	n := len(dst)
	dst = strconv.AppendUint(dst, uint64(Never|t), 16)
	copy(dst[n:], dst[n+1:])
	dst = dst[:n+hexDigits]
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// String is the value of th; "never" for Never.
func (t Threshold) String() string {
	if t >= Never {
		return "never"
	}
	return string(t.AppendHex(nil))
}

var errThreshold = errors.New("th: want 1 to 14 hex digits")

// ParseThreshold reads the value of th. Digits left out at the end are zeros.
func ParseThreshold(hex string) (Threshold, error) {
	v, ok := parseHex(hex)
	if !ok {
		return Always, errThreshold
	}
	return Threshold(v << (4 * (hexDigits - len(hex)))), nil
}

// parseHex reads 1 to 14 hex digits of either case. strconv.ParseUint allocates its errors.
func parseHex(s string) (uint64, bool) {
	if s == "" || len(s) > hexDigits {
		return 0, false
	}
	var v uint64
	for i := range len(s) {
		c := s[i]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		v = v<<4 | uint64(c)
	}
	return v, true
}
