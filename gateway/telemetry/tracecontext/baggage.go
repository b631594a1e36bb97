package tracecontext

import (
	"net/http"
	"strings"
)

// The limits up to which W3C Baggage (section 3.3.2) obliges everyone to pass baggage on.
const (
	defaultBaggageBytes   = 8192
	defaultBaggageMembers = 64
)

// LimitBaggage changes h, which must not be shared, so that its baggage is what may go upstream: all of it within the
// limits, whole members from the left when there is more, and none with Ignore. It returns how many members were dropped
// for the limits. It allocates only when it drops something.
func (p *Policy) LimitBaggage(h http.Header) (dropped int) {
	lines := h[headerBaggage]
	if len(lines) == 0 {
		return 0
	}
	if p.settings.Trust == Ignore {
		delete(h, headerBaggage)
		return 0
	}
	bytes, members := 0, 0
	for _, l := range lines {
		bytes += len(l) + 1
		members += strings.Count(l, ",") + 1
	}
	if bytes-1 <= p.settings.BaggageBytes && members <= p.settings.BaggageMembers {
		return 0
	}
	all := strings.Join(lines, ",")
	kept := p.baggageWithin(all)
	if kept == "" {
		delete(h, headerBaggage)
	} else {
		h[headerBaggage] = []string{kept}
	}
	return members - countMembers(kept)
}

// baggageWithin returns the longest run of whole members from the start of s that the limits allow.
func (p *Policy) baggageWithin(s string) string {
	end := 0
	for range p.settings.BaggageMembers {
		next := strings.IndexByte(s[end:], ',')
		if next < 0 {
			next = len(s) - end
		}
		if end+next > p.settings.BaggageBytes {
			break
		}
		end += next + 1
		if end >= len(s) {
			return s
		}
	}
	return s[:max(end-1, 0)]
}

func countMembers(s string) int {
	if s == "" {
		return 0
	}
	return strings.Count(s, ",") + 1
}
