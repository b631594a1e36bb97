package probability

import (
	"errors"
	"strings"
)

// Limits of https://www.w3.org/TR/trace-context/#tracestate-header. The W3C allows 32 list members, the 32nd is refused
// here as contrib's pkg/sampling refuses it: with 31, the member that Rewrite may have to add always has room.
const (
	maxLength  = 1024
	maxMembers = 31
	maxKey     = 256
	maxTenant  = 241
	maxSystem  = 14
	maxValue   = 256
)

var (
	errLength  = errors.New("tracestate: longer than 1024 bytes")
	errMembers = errors.New("tracestate: more than 31 members")
	errMember  = errors.New("tracestate: a member is not key=value as the W3C defines it")
	errOT      = errors.New("tracestate: ot: want key:value fields separated by semicolons")
	errRV      = errors.New("tracestate: ot: rv: want 14 hex digits")
	errTH      = errors.New("tracestate: ot: th: want 1 to 14 hex digits")
)

// Info is what a tracestate says about sampling.
type Info struct {
	RV    uint64 // explicit randomness, 56 bits
	TH    Threshold
	HasRV bool
	HasTH bool

	ot, rv string // views of what was parsed: the value of the ot member and of its rv
}

// Randomness is the explicit randomness if there is one, else that of the id.
func (i Info) Randomness(id [16]byte) uint64 {
	if i.HasRV {
		return i.RV
	}
	return Randomness(id)
}

// AdjustedCount is how many traces this one stands for as it arrived: 1 if nothing is said about its sampling.
func (i Info) AdjustedCount() float64 {
	return i.TH.AdjustedCount()
}

// ParseTraceState reads the sampling fields of a tracestate. The whole of it must be well formed, members of other
// vendors included; with an error Info is zero. Of a member or field that comes twice, the last one counts.
func ParseTraceState(s string) (Info, error) {
	if len(s) > maxLength {
		return Info{}, errLength
	}
	var info Info
	members := 0
	for s != "" {
		if members++; members > maxMembers {
			return Info{}, errMembers
		}
		var m string
		m, s = cutMember(s)
		if m == "" { // list members may be empty
			continue
		}
		key, value, ok := strings.Cut(m, "=")
		if !ok || !validKey(key) || !validValue(value) {
			return Info{}, errMember
		}
		if key == "ot" {
			var err error
			if info, err = parseOT(value); err != nil {
				return Info{}, err
			}
		}
	}
	return info, nil
}

// cutMember takes the first list member off s, without the optional white space around it.
func cutMember(s string) (member, rest string) {
	member, rest, _ = strings.Cut(s, ",")
	return strings.Trim(member, " \t"), rest
}

// parseOT reads the value of the ot member:
// https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/.
func parseOT(ot string) (Info, error) {
	info := Info{ot: ot}
	for rest, more := ot, true; more; {
		var field string
		field, rest, more = strings.Cut(rest, ";")
		key, value, ok := strings.Cut(field, ":")
		if !ok || !validFieldKey(key) || !all(value, isFieldValue) {
			return Info{}, errOT
		}
		switch key {
		case "rv":
			if info.RV, ok = parseHex(value); !ok || len(value) != hexDigits {
				return Info{}, errRV
			}
			info.HasRV, info.rv = true, value
		case "th":
			var err error
			if info.TH, err = ParseThreshold(value); err != nil {
				return Info{}, errTH
			}
			info.HasTH = true
		}
	}
	return info, nil
}

// validKey checks a member's key: simple-key or tenant-id "@" system-id.
func validKey(key string) bool {
	if len(key) == 0 || len(key) > maxKey {
		return false
	}
	tenant, system, multi := strings.Cut(key, "@")
	if !multi {
		return isLower(key[0]) && all(key[1:], isKey)
	}
	return len(tenant) > 0 && len(tenant) <= maxTenant && isLowerDigit(tenant[0]) && all(tenant[1:], isKey) &&
		len(system) > 0 && len(system) <= maxSystem && isLower(system[0]) && all(system[1:], isKey)
}

// validValue checks a member's value: printable ASCII without comma and equals sign, not ending in a space.
func validValue(v string) bool {
	return len(v) > 0 && len(v) <= maxValue && v[len(v)-1] != ' ' && all(v, isValue)
}

func validFieldKey(key string) bool {
	return len(key) > 0 && isLower(key[0]) && all(key[1:], isLowerDigit)
}

func all(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return true
}

func isLower(c byte) bool      { return 'a' <= c && c <= 'z' }
func isLowerDigit(c byte) bool { return isLower(c) || '0' <= c && c <= '9' }
func isKey(c byte) bool        { return isLowerDigit(c) || c == '_' || c == '-' || c == '*' || c == '/' }
func isValue(c byte) bool      { return ' ' <= c && c <= '~' && c != ',' && c != '=' }
func isFieldValue(c byte) bool {
	return isLowerDigit(c) || 'A' <= c && c <= 'Z' || c == '.' || c == '_' || c == '-'
}
