// Package rewrite changes what passes through a route: the path and the host that go upstream, headers of request and
// response, and redirects, which answer in place of an upstream.
//
// Everything is checked when a Plan is compiled; a request only puts together what is known to be good. A Plan is
// immutable and safe for concurrent use. The package starts nothing and keeps nothing. What it costs: nothing for a
// prefix that is cut off, one allocation for a path or a header value put together from pieces (BenchmarkPath,
// BenchmarkHeaders).
//
// What comes from a client stays percent-encoded, so that no value of a wildcard can break out of its segment or end a
// header line. A path never starts with two slashes afterwards, which browsers and some servers take for a host.
package rewrite

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tailgate-otel/tailgate/gateway/route"
)

// Settings are what a route changes. The zero value changes nothing.
type Settings struct {
	// Route is the name of the route, the value of {route}.
	Route string
	// StripPrefix is cut off the path, whole segments only; ReplacePrefix takes its place.
	StripPrefix, ReplacePrefix string
	// Path takes the place of the whole path; {name} stands for a wildcard of the pattern. Instead of StripPrefix.
	Path string
	// Host takes the place of the Host header that the upstream sees.
	Host string
	// Redirect answers instead of an upstream.
	Redirect *Redirect
	// Request and Response edit headers.
	Request, Response Headers
}

// Headers are edits, done in this order. Values may name {client_ip}, {route}, {tenant} and the wildcards of the path;
// a brace is written as {{ or }}.
type Headers struct {
	Remove   []string
	Set, Add map[string]string
}

// Error is one mistake in Settings.
type Error struct {
	Key  string // as in a configuration file: rewrite, redirect.status, request_headers.set.X-A
	Text string
}

func (e *Error) Error() string { return e.Key + ": " + e.Text }

// Plan is Settings, compiled.
type Plan struct {
	route    string
	pattern  route.Pattern
	strip    int    // segments
	put      string // in the place of what was cut off, without a slash at the end
	path     *template
	host     string
	redirect *redirect
	request  edits
	response edits
}

// Request is what a plan is applied to.
type Request struct {
	Path     string // percent-encoded, as the route matched it
	Query    string // raw
	Host     string // as the client named it
	Scheme   string // http or https
	ClientIP string
	Tenant   string
}

// Compile checks settings for a route whose paths match the pattern (its most general one). It joins everything that is
// wrong, each an *Error.
func Compile(s Settings, p route.Pattern) (*Plan, error) {
	c := &compiler{pattern: p, names: p.Names()}
	plan := &Plan{route: s.Route, pattern: p}
	c.prefix(plan, s)
	if s.Path != "" {
		plan.path = c.path(s.Path)
	}
	plan.host = c.host("rewrite_host", s.Host)
	plan.redirect = c.redirect(s)
	plan.request = c.headers("request_headers", s.Request, requestOnly)
	plan.response = c.headers("response_headers", s.Response, nil)
	return plan, errors.Join(c.errs...)
}

type compiler struct {
	pattern route.Pattern
	names   []string // of the pattern's wildcards
	errs    []error
}

func (c *compiler) add(key, format string, args ...any) {
	c.errs = append(c.errs, &Error{key, fmt.Sprintf(format, args...)})
}

func (c *compiler) prefix(plan *Plan, s Settings) {
	base := strings.TrimSuffix(s.StripPrefix, "/")
	pattern := c.pattern.String()
	switch {
	case s.Path != "" && s.StripPrefix != "":
		c.add("rewrite", "give one of rewrite and strip_prefix, not both")
	case s.StripPrefix == "" && s.ReplacePrefix != "":
		c.add("replace_prefix", "needs strip_prefix, whose place it takes")
	case s.StripPrefix == "":
	case !isPlainPath(s.StripPrefix):
		c.add("strip_prefix", "%q: want a plain path that starts with a slash", s.StripPrefix)
	case pattern != base && !strings.HasPrefix(pattern, base+"/"):
		c.add("strip_prefix", "%q is not how the route's path starts, so it would never be cut off", s.StripPrefix)
	case s.ReplacePrefix != "" && !isPlainPath(s.ReplacePrefix):
		c.add("replace_prefix", "%q: want a plain path that starts with a slash", s.ReplacePrefix)
	}
	plan.strip, plan.put = strings.Count(base, "/"), strings.TrimSuffix(s.ReplacePrefix, "/")
}

// isPlainPath says whether a path needs no encoding and means the same to everyone. A slash at its end is allowed.
func isPlainPath(path string) bool {
	inner, ok := strings.CutPrefix(path, "/")
	if !ok {
		return false
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(inner, "/"), "/") {
		if segment == "." || segment == ".." || segment == "" && inner != "" {
			return false
		}
	}
	return strings.IndexFunc(path, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`{}%?#\;"<>^|`+"`", r)
	}) < 0
}

// ChangesPath says whether Path returns anything but what it is given.
func (p *Plan) ChangesPath() bool { return p.path != nil || p.strip > 0 || p.put != "" }

// Path returns the percent-encoded path that goes upstream for the one of a request.
func (p *Plan) Path(escaped string) string {
	switch {
	case p.path != nil:
		return oneSlash(p.path.fill(p, &Request{Path: escaped}))
	case p.strip == 0 && p.put == "":
		return escaped
	}
	rest := skipSegments(escaped, p.strip)
	if p.put == "" {
		return oneSlash(rest)
	}
	if rest == "/" && strings.Count(escaped, "/") == p.strip { // the prefix itself: no slash at its end, none afterwards
		return p.put
	}
	return p.put + rest
}

// skipSegments cuts segments by number, not by text: a client may have percent-encoded them.
func skipSegments(path string, segments int) string {
	for range segments {
		slash := strings.IndexByte(path[1:], '/')
		if slash < 0 {
			return "/"
		}
		path = path[1+slash:]
	}
	return path
}

func oneSlash(path string) string {
	if strings.HasPrefix(path, "//") {
		return "/" + strings.TrimLeft(path, "/")
	}
	return path
}

// Host is what the upstream sees as Host; empty: the plan leaves it alone.
func (p *Plan) Host() string { return p.host }
