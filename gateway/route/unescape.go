package route

import (
	"net/url"
	"strings"
)

// unescape decodes one segment. Segments are decoded one by one, so that an encoded slash never splits one; without a
// percent sign nothing is allocated.
func unescape(s string) (string, bool) {
	if strings.IndexByte(s, '%') < 0 {
		return s, true
	}
	out, err := url.PathUnescape(s)
	return out, err == nil
}

// normalHost returns the host of a Host header as the table spells it: lower case, without port and trailing dot. Only
// an upper-case letter costs an allocation.
func normalHost(host string) string {
	if strings.HasPrefix(host, "[") { // [::1]:8080
		if end := strings.IndexByte(host, ']'); end >= 0 {
			return strings.ToLower(host[1:end])
		}
	}
	if colon := strings.LastIndexByte(host, ':'); colon >= 0 && strings.IndexByte(host, ':') == colon {
		host = host[:colon]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
