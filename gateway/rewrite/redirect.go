package rewrite

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Redirect sends the client elsewhere: to the path that the other settings make of its own, and where they leave it
// alone to the same.
type Redirect struct {
	// Status is 301, 302, 307 or 308. Default 307: browsers do not remember it, so that a mistake can be taken back, and
	// the method stays what it was.
	Status int
	// Scheme (http or https), Host and Port replace those of the request. A new scheme or host means its standard port
	// unless Port says otherwise.
	Scheme, Host string
	Port         int
	// DropQuery leaves the query out; else it is passed on.
	DropQuery bool
}

type redirect struct {
	Redirect
	relative bool // same scheme, host and port
}

func (c *compiler) redirect(s Settings) *redirect {
	if s.Redirect == nil {
		return nil
	}
	r := &redirect{Redirect: *s.Redirect}
	if r.Status == 0 {
		r.Status = http.StatusTemporaryRedirect
	}
	if !slices.Contains([]int{301, 302, 307, 308}, r.Status) {
		c.add("redirect.status", "must be 301, 302, 307 or 308, got %d", r.Status)
	}
	if r.Scheme != "" && r.Scheme != "http" && r.Scheme != "https" {
		c.add("redirect.scheme", "%q is neither http nor https", r.Scheme)
	}
	if strings.Contains(strings.TrimPrefix(r.Host, "["), ":") && !strings.HasSuffix(r.Host, "]") {
		c.add("redirect.host", "%q: the port has a key of its own, redirect.port", r.Host)
	} else {
		c.host("redirect.host", r.Host)
	}
	if r.Port < 0 || r.Port > 65535 {
		c.add("redirect.port", "must be between 1 and 65535, got %d", r.Port)
	}
	r.relative = r.Scheme == "" && r.Host == "" && r.Port == 0
	if r.relative && s.Path == "" && s.StripPrefix == "" && !r.DropQuery {
		c.add("redirect", "leads to where the request came from: give scheme, host or port, or a rewrite of the path")
	}
	if s.Host != "" {
		c.add("rewrite_host", "is for what goes upstream; the host of a redirect is redirect.host")
	}
	return r
}

// host checks a host that may have a port.
func (c *compiler) host(key, host string) string {
	if host != "" && !isHost(host) {
		c.add(key, "%q is not a host: write a name or an address, as in shop.example", host)
	}
	return host
}

// isHost is stricter than the syntax of URLs, which would let a user name or a path into a Location.
func isHost(host string) bool {
	return host != "" && strings.IndexFunc(host, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`/\?#@{}*,%"<>`, r)
	}) < 0
}

// Redirects says whether the plan answers instead of an upstream.
func (p *Plan) Redirects() bool { return p.redirect != nil }

// Redirect is the status and the Location of the answer. The Location is empty when it would have to name the client's
// Host and that is none.
func (p *Plan) Redirect(q *Request) (status int, location string) {
	r := p.redirect
	if !r.relative && r.Host == "" && !isHost(q.Host) {
		return http.StatusBadRequest, ""
	}
	var b strings.Builder
	path := oneSlash(p.Path(q.Path)) // a path that starts with // names a host
	if !r.relative {
		b.Grow(len("https://") + len(q.Host) + len(r.Host) + len(":65535") + len(path) + 1 + len(q.Query))
		r.writeOrigin(&b, q)
	}
	b.WriteString(path)
	if q.Query != "" && !r.DropQuery {
		b.WriteByte('?')
		b.WriteString(q.Query)
	}
	return r.Status, b.String()
}

func (r *redirect) writeOrigin(b *strings.Builder, q *Request) {
	scheme, host, port := r.Scheme, r.Host, r.Port
	if scheme == "" {
		scheme = q.Scheme
	}
	b.WriteString(scheme)
	b.WriteString("://")
	switch {
	case host != "":
		b.WriteString(host)
	case port != 0 || scheme != q.Scheme: // the port of the request belongs to its scheme
		b.WriteString(withoutPort(q.Host))
	default:
		b.WriteString(q.Host)
	}
	if port != 0 && (scheme != "https" || port != 443) && (scheme != "http" || port != 80) {
		b.WriteByte(':')
		b.WriteString(strconv.Itoa(port))
	}
}

func withoutPort(host string) string {
	if end := strings.LastIndexByte(host, ']'); end >= 0 {
		return host[:end+1]
	}
	if colon := strings.IndexByte(host, ':'); colon >= 0 && strings.LastIndexByte(host, ':') == colon {
		return host[:colon]
	}
	return host
}
