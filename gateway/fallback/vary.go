package fallback

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// selector is a request header that chose the response, and its value then (RFC 9111, section 4.1).
type selector struct {
	name   string
	values []string
}

// selectors returns what Vary says the response depends on. False: it is never the answer to another request.
func selectors(r *http.Request, h http.Header) ([]selector, bool) {
	var out []selector
	for _, v := range h["Vary"] {
		for name := range strings.SplitSeq(v, ",") {
			name = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))
			switch {
			case name == "*":
				return nil, false
			case name != "" && !slices.ContainsFunc(out, func(s selector) bool { return s.name == name }):
				out = append(out, selector{name, slices.Clone(r.Header[name])})
			}
		}
	}
	return out, true
}

func selected(selectors []selector, r *http.Request) bool {
	for i := range selectors {
		if !slices.Equal(selectors[i].values, r.Header[selectors[i].name]) {
			return false
		}
	}
	return true
}
