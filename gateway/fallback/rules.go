package fallback

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// terms are how long a stored response may be used.
type terms struct {
	age      time.Duration // at the time of storing
	lifetime time.Duration // of freshness
	strict   bool          // not to be used beyond it
	stale    time.Duration // how far beyond it the upstream allows; -1: it does not say
}

// usable says whether a response of a given age may be served when the route allows maxStale.
func (t terms) usable(age, maxStale time.Duration) bool {
	switch {
	case t.strict:
		maxStale = 0
	case t.stale >= 0:
		maxStale = min(maxStale, t.stale)
	}
	return age < t.lifetime || age-t.lifetime <= maxStale && maxStale > 0
}

// storable says whether the response to r may be kept for other clients, and on which terms. The rules are those of RFC
// 9111, section 3, for a shared cache, and section 4.2.4 for serving stale; no-cache forbids all use here, since nobody is
// there to validate with. Three rules are stricter: a response that sets a cookie, or answers a request with one without
// being called public, is taken for personal, as too many services forget to say so; and a response that was itself a
// fallback is not kept.
func storable(r *http.Request, status int, h http.Header) (terms, bool) {
	if r.Method != http.MethodGet || !keptStatus(status) || len(h["Set-Cookie"]) > 0 || len(h["Content-Range"]) > 0 || len(h[HeaderDowngraded]) > 0 {
		return terms{}, false
	}
	if len(r.Header["Range"]) > 0 || directives(r.Header).noStore {
		return terms{}, false
	}
	d := directives(h)
	shared := d.public || d.sMaxAge >= 0
	switch {
	case d.noStore, d.private, d.noCache:
		return terms{}, false
	case len(r.Header["Authorization"]) > 0 && !shared && !d.mustRevalidate:
		return terms{}, false
	case len(r.Header["Cookie"]) > 0 && !shared:
		return terms{}, false
	case strings.HasPrefix(get(h, "Content-Type"), "text/event-stream"): // it has no end
		return terms{}, false
	}
	t := terms{lifetime: d.lifetime(h), stale: d.staleIfError, strict: d.mustRevalidate || d.sMaxAge >= 0}
	t.age = seconds(get(h, "Age"))
	return t, !t.strict || t.age < t.lifetime
}

// keptStatus says whether a response with this status is a good one. Errors that may be cached (404, 410) are not good
// enough to stand in for an answer; 206 is a part of one.
func keptStatus(status int) bool {
	switch status {
	case http.StatusOK, http.StatusNonAuthoritativeInfo, http.StatusNoContent, http.StatusMultipleChoices, http.StatusMovedPermanently, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// cacheControl is what a Cache-Control header says. Durations are -1 if it does not.
type cacheControl struct {
	noStore, noCache, private, public, mustRevalidate bool
	maxAge, sMaxAge, staleIfError                     time.Duration
}

// directives reads Cache-Control. A directive that it cannot read counts as the safer of its meanings: max-age=x as 0.
// The forms with field names (private="x") count for the whole response.
func directives(h http.Header) cacheControl {
	d := cacheControl{maxAge: -1, sMaxAge: -1, staleIfError: -1}
	for _, value := range h["Cache-Control"] {
		for len(value) > 0 {
			var one string
			one, value = cutDirective(value)
			name, arg, _ := strings.Cut(one, "=")
			d.set(strings.TrimSpace(name), strings.Trim(strings.TrimSpace(arg), `"`))
		}
	}
	return d
}

func (d *cacheControl) set(name, arg string) {
	switch {
	case strings.EqualFold(name, "no-store"):
		d.noStore = true
	case strings.EqualFold(name, "no-cache"):
		d.noCache = true
	case strings.EqualFold(name, "private"):
		d.private = true
	case strings.EqualFold(name, "public"):
		d.public = true
	case strings.EqualFold(name, "must-revalidate"), strings.EqualFold(name, "proxy-revalidate"):
		d.mustRevalidate = true
	case strings.EqualFold(name, "max-age"):
		d.maxAge = seconds(arg)
	case strings.EqualFold(name, "s-maxage"):
		d.sMaxAge = seconds(arg)
	case strings.EqualFold(name, "stale-if-error"): // RFC 5861
		d.staleIfError = seconds(arg)
	}
}

// cutDirective cuts s at its first comma outside quotes.
func cutDirective(s string) (first, rest string) {
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// lifetime is how long a response is fresh from its generation on (RFC 9111, section 4.2.1), without heuristics.
func (d cacheControl) lifetime(h http.Header) time.Duration {
	switch {
	case d.sMaxAge >= 0:
		return d.sMaxAge
	case d.maxAge >= 0:
		return d.maxAge
	}
	expires, err := http.ParseTime(get(h, "Expires"))
	if err != nil {
		return 0
	}
	date, err := http.ParseTime(get(h, "Date"))
	if err != nil {
		return 0
	}
	return max(0, expires.Sub(date))
}

// seconds reads delta-seconds, of which more than a year are a year. What is no number is 0: the safer side.
func seconds(s string) time.Duration {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return 0
	}
	return time.Duration(min(n, 365*24*3600)) * time.Second
}

func get(h http.Header, canonical string) string {
	if v := h[canonical]; len(v) > 0 {
		return v[0]
	}
	return ""
}
