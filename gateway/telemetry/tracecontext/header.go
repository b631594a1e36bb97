package tracecontext

import (
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// The header names in the form in which net/http keeps them.
const (
	headerTraceparent = "Traceparent"
	headerTracestate  = "Tracestate"
	headerBaggage     = "Baggage"
)

// traceparentLen is the length of a traceparent of version 00: 2+1+32+1+16+1+2.
const traceparentLen = 55

// knownFlags are the trace flags that are passed on: sampled, and the random flag of Trace Context level 2.
const knownFlags = trace.FlagsSampled | trace.FlagsRandom

// remote is what a client said about its trace.
type remote struct {
	traceID trace.TraceID
	spanID  trace.SpanID
	flags   trace.TraceFlags
	state   string
	// decided says that flags hold the client's sampling decision. W3C always carries one, B3 may leave it out, and may
	// carry a decision without ids.
	decided bool
}

func (r *remote) valid() bool { return r.traceID.IsValid() && r.spanID.IsValid() }

// readW3C reads traceparent and tracestate. Two traceparents name two parents, so neither is believed (W3C Trace Context
// section 3.2). found says that there was a traceparent at all, good or bad.
func readW3C(h http.Header) (r remote, found bool) {
	values := h[headerTraceparent]
	if len(values) != 1 {
		return remote{}, len(values) > 0
	}
	if !r.parseTraceparent(values[0]) {
		return remote{}, true
	}
	r.decided = true
	r.state = joinState(h[headerTracestate])
	return r, true
}

// parseTraceparent reads a traceparent by section 3.2.2: version 00 exactly, later versions by the part that 00 knows.
func (r *remote) parseTraceparent(s string) bool {
	if len(s) < traceparentLen || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return false
	}
	var version, flags [1]byte
	if !decodeHex(version[:], s[:2]) || version[0] == 0xff || !decodeHex(r.traceID[:], s[3:35]) ||
		!decodeHex(r.spanID[:], s[36:52]) || !decodeHex(flags[:], s[53:55]) || !r.valid() {
		return false
	}
	if version[0] == 0 && (len(s) != traceparentLen || flags[0] > byte(knownFlags)) {
		return false
	}
	if len(s) > traceparentLen && s[traceparentLen] != '-' {
		return false
	}
	r.flags = trace.TraceFlags(flags[0]) & knownFlags
	return true
}

// decodeHex reads lower-case digits only, as W3C asks; len(s) must be 2*len(dst).
func decodeHex(dst []byte, s string) bool {
	bad := byte(0)
	for i := range dst {
		hi, lo := nibbles[s[2*i]], nibbles[s[2*i+1]]
		bad |= hi | lo
		dst[i] = hi<<4 | lo
	}
	return bad&0xf0 == 0
}

// nibbles maps lower-case hex digits to their values, everything else to 0xff.
var nibbles = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range hexDigits {
		t[c] = byte(i)
	}
	return t
}()

const hexDigits = "0123456789abcdef"

func appendHex(dst []byte, src []byte) []byte {
	for _, b := range src {
		dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
	}
	return dst
}

// AppendTraceparent appends the header's value for c, version 00.
func (c *Context) AppendTraceparent(dst []byte) []byte {
	dst = append(dst, "00-"...)
	dst = appendHex(dst, c.TraceID[:])
	dst = append(dst, '-')
	dst = appendHex(dst, c.SpanID[:])
	return append(dst, '-', hexDigits[byte(c.Flags&knownFlags)>>4], hexDigits[byte(c.Flags&knownFlags)&15])
}

// Inject makes c the only trace context in h, which must not be shared: whatever traceparent, tracestate or B3 header
// stood there named another parent. It allocates the value, and its slice when there was no traceparent.
func (c *Context) Inject(h http.Header) {
	var buf [traceparentLen]byte
	set(h, headerTraceparent, string(c.AppendTraceparent(buf[:0])))
	if c.State != "" {
		set(h, headerTracestate, c.State)
	} else {
		delete(h, headerTracestate)
	}
	for _, name := range b3Headers {
		delete(h, name)
	}
}

// set does not write into the values that are there: header values may share one array with others.
func set(h http.Header, name, value string) {
	if old := h[name]; len(old) == 1 && old[0] == value {
		return
	}
	h[name] = []string{value}
}

const (
	maxStateMembers = 32  // section 3.3.1.1
	maxStateKey     = 256 // section 3.3.1.3.1
	maxStateValue   = 256 // section 3.3.1.3.2
)

// joinState returns the tracestate of a header: the lines joined, blanks and empty members left out. One that breaks the
// rules is dropped as a whole, while the traceparent beside it stands (section 3.3.1).
func joinState(lines []string) string {
	switch len(lines) {
	case 0:
		return ""
	case 1:
		return tidyState(lines[0])
	}
	return tidyState(strings.Join(lines, ","))
}

func tidyState(s string) string {
	members, tidy := 0, true
	for rest := s; rest != ""; {
		var m string
		m, rest, _ = strings.Cut(rest, ",")
		key, ok := memberKey(m)
		switch {
		case m == "":
			tidy = false
			continue
		case !ok || members == maxStateMembers || holdsMember(rest, key):
			return ""
		case strings.TrimLeft(m, " \t") != m || strings.TrimRight(m, " \t") != m:
			tidy = false
		}
		members++
	}
	if tidy && !strings.HasSuffix(s, ",") {
		return s
	}
	kept := make([]string, 0, members)
	for m := range strings.SplitSeq(s, ",") {
		if m != "" {
			kept = append(kept, strings.Trim(m, " \t"))
		}
	}
	return strings.Join(kept, ",")
}

// holdsMember says whether key names a member of list. At most 32 members are asked for, each of a list as long as a
// header may be; a map would cost the usual one or two members more than the walk does.
func holdsMember(list, key string) bool {
	for list != "" {
		var m string
		m, list, _ = strings.Cut(list, ",")
		m = strings.TrimLeft(m, " \t")
		if len(m) > len(key) && m[len(key)] == '=' && m[:len(key)] == key {
			return true
		}
	}
	return false
}

// memberKey returns the key of a list member if the member is well formed.
func memberKey(m string) (string, bool) {
	key, value, ok := strings.Cut(m, "=")
	key, value = strings.TrimLeft(key, " \t"), strings.TrimRight(value, " \t")
	return key, ok && validKey(key) && validValue(value)
}

// validKey: simple-key, or tenant-id@system-id with at most 241 and 14 characters.
func validKey(key string) bool {
	tenant, system, multi := strings.Cut(key, "@")
	if !multi {
		return len(key) > 0 && len(key) <= maxStateKey && isLower(key[0]) && validKeyChars(key)
	}
	return len(tenant) > 0 && len(tenant) <= 241 && (isLower(tenant[0]) || isDigit(tenant[0])) && validKeyChars(tenant) &&
		len(system) > 0 && len(system) <= 14 && isLower(system[0]) && validKeyChars(system)
}

func validKeyChars(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case isLower(c), isDigit(c), c == '_', c == '-', c == '*', c == '/':
		default:
			return false
		}
	}
	return true
}

func validValue(s string) bool {
	if s == "" || len(s) > maxStateValue {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == ',' || c == '=' {
			return false
		}
	}
	return true
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
