package h1

import (
	"net/textproto"
	"strings"
)

// tokenBytes has a bit for each byte of a token (RFC 9110, section 5.6.2): letters, digits, !#$%&'*+-.^_`|~.
var tokenBytes = func() (set [4]uint64) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		set[c>>6] |= 1 << (c & 63)
	}
	return set
}()

func isToken(s string) bool {
	for i := range len(s) {
		if tokenBytes[s[i]>>6]&(1<<(s[i]&63)) == 0 {
			return false
		}
	}
	return s != ""
}

// canonical is http.CanonicalHeaderKey, and "" for what is no token. One pass sees both, and most servers write names in
// their canonical form already.
func canonical(name string) string {
	same, upper := true, true
	for i := range len(name) {
		c := name[i]
		if tokenBytes[c>>6]&(1<<(c&63)) == 0 {
			return ""
		}
		if upper && 'a' <= c && c <= 'z' || !upper && 'A' <= c && c <= 'Z' {
			same = false
		}
		upper = c == '-'
	}
	if same {
		return name
	}
	return textproto.CanonicalMIMEHeaderKey(name)
}

// isValue says whether s may be the value of a field: no control characters but tab (RFC 9110, section 5.5).
func isValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// isHost is a filter, not a parser: it keeps out what could end the line or be read as something else than a host.
func isHost(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`/\?#@,"<>`, c) >= 0 {
			return false
		}
	}
	return true
}

// withoutZone removes the zone of an IPv6 address, which means something on this machine only (RFC 6874, section 4).
func withoutZone(host string) string {
	if !strings.HasPrefix(host, "[") {
		return host
	}
	end := strings.LastIndexByte(host, ']')
	zone := strings.IndexByte(host, '%')
	if zone < 0 || zone > end {
		return host
	}
	return host[:zone] + host[end:]
}

// anyToken says whether one of the comma-separated lists has the token, whatever its case.
func anyToken(lists []string, token string) bool {
	for _, list := range lists {
		for more := true; more; {
			var item string
			item, list, more = strings.Cut(list, ",")
			if strings.EqualFold(strings.Trim(item, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// allowedTrailer keeps out of trailers what a message cannot be read without (RFC 9110, section 6.5.1).
func allowedTrailer(name string) bool {
	switch name {
	case "Transfer-Encoding", "Content-Length", "Trailer", "Host", "Connection", "Upgrade", "Te", "Content-Encoding",
		"Content-Type", "Content-Range", "Expect", "Authorization", "Set-Cookie", "Cache-Control", "Max-Forwards":
		return false
	}
	return isToken(name)
}
