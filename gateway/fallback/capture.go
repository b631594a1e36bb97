package fallback

import (
	"net/http"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Capture copies a response that passes by. It belongs to the goroutine that copies the body. Its methods may be called
// on nil, which is what Chain.Capture returns when the response is not to be kept.
//
// Exactly one of Commit and Abandon ends a capture; what comes after it has no effect.
type Capture struct {
	cache    *Cache
	query    Query
	entry    *entry
	declared int64 // Content-Length; -1: unknown
	most     int
	reserved int
	body     []byte
	over     bool
}

// Capture begins to keep the response to q: its status, its header as it goes to the client, and its declared length (-1:
// unknown). Origin is the span that it belongs to. Nil: it is not to be kept.
func (c *Chain) Capture(q Query, status int, h http.Header, length int64, origin trace.SpanContext, now time.Time) *Capture {
	if c.cached == nil || length > int64(c.cached.MaxBodyBytes) || q.Request.Method != http.MethodGet {
		return nil
	}
	hash := c.cache.hash(q)
	if c.cache.recent(hash, q, now) { // the usual case for a popular address, so it comes before the header is read
		return nil
	}
	t, ok := storable(q.Request, status, h)
	if !ok {
		return nil
	}
	sel, ok := selectors(q.Request, h)
	if !ok {
		return nil
	}
	e := &entry{hash: hash, route: q.Route, tenant: q.Tenant, host: q.Request.Host, path: q.Request.URL.EscapedPath(),
		query: q.Request.URL.RawQuery, tls: q.Request.TLS != nil, selectors: sel, terms: t}
	e.res = &Response{Status: status, Header: endToEnd(h), Origin: origin, since: now, age: t.age}
	return &Capture{cache: c.cache, query: q, entry: e, declared: length, most: c.cached.MaxBodyBytes}
}

// Write copies a part of the body. It never fails: a body that gets too large ends the capture.
func (c *Capture) Write(p []byte) {
	if c == nil || c.over {
		return
	}
	need := len(c.body) + len(p)
	if need > c.most || !c.grow(need) {
		c.Abandon()
		return
	}
	c.body = append(c.body, p...)
}

// grow makes room for need bytes, out of the bytes that all captures share. A body of known length gets it at once, others
// by doubling, from 4 KiB on.
func (c *Capture) grow(need int) bool {
	if need <= cap(c.body) {
		return true
	}
	room := min(c.most, max(need, 2*cap(c.body), 4<<10))
	if c.declared >= int64(need) {
		room = int(c.declared)
	}
	if !c.cache.reserve(room) {
		return false
	}
	next := make([]byte, len(c.body), room)
	copy(next, c.body)
	c.body = next
	c.cache.pending.Add(-int64(c.reserved))
	c.reserved = room
	return true
}

// reserve takes n bytes of those that captures share, if they are there.
func (c *Cache) reserve(n int) bool {
	for {
		held := c.pending.Load()
		if held+int64(n) > c.pendingOf {
			return false
		}
		if c.pending.CompareAndSwap(held, held+int64(n)) {
			return true
		}
	}
}

// Commit keeps the response: its body has come whole.
func (c *Capture) Commit() {
	if c == nil || c.over {
		return
	}
	if c.declared >= 0 && int64(len(c.body)) != c.declared {
		c.Abandon()
		return
	}
	e := c.entry
	e.res.Body = c.body
	if cap(c.body)-len(c.body) > len(c.body)/8 {
		e.res.Body = append(make([]byte, 0, len(c.body)), c.body...)
	}
	e.size = e.weight()
	c.cache.store(e, c.query)
	c.end()
}

// Abandon lets go of the response: it broke off, or is no good.
func (c *Capture) Abandon() {
	if c == nil || c.over {
		return
	}
	c.cache.abandoned.Add(1)
	c.end()
}

func (c *Capture) end() {
	c.cache.pending.Add(-int64(c.reserved))
	*c = Capture{over: true}
}

// weight is what an entry takes in memory, roughly from above.
func (e *entry) weight() int {
	n := entryOverhead + cap(e.res.Body) + len(e.route) + len(e.tenant) + len(e.host) + len(e.path) + len(e.query)
	for name, values := range e.res.Header {
		n += 64 + weigh(name, values)
	}
	for _, s := range e.selectors {
		n += weigh(s.name, s.values)
	}
	return n
}

func weigh(name string, values []string) int {
	n := len(name)
	for _, v := range values {
		n += 16 + len(v)
	}
	return n
}
