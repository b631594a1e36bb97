package rewrite

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// framing are the headers that say where a message ends and how a connection is used: those are the gateway's.
var framing = []string{"Connection", "Content-Length", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// requestOnly are further headers of a request that the gateway depends on, with what to do instead.
var requestOnly = map[string]string{
	"Host":        "use rewrite_host",
	"Via":         "the gateway finds loops by it",
	"Traceparent": "it is that of the gateway's own span",
	"Tracestate":  "it belongs to the gateway's own span",
}

// edits are compiled Headers, in a fixed order so that equal input gives equal output.
type edits struct {
	remove   []string
	set, add []edit
}

type edit struct {
	name  string
	value *template
}

func (c *compiler) headers(key string, h Headers, reserved map[string]string) edits {
	var e edits
	for i, name := range h.Remove {
		e.remove = append(e.remove, c.header(fmt.Sprintf("%s.remove[%d]", key, i), name, reserved))
	}
	e.set = c.edits(key+".set", h.Set, reserved)
	e.add = c.edits(key+".add", h.Add, reserved)
	for _, s := range e.set {
		if slices.Contains(e.remove, s.name) {
			c.add(key+".remove", "%s is set too, so removing it has no effect", s.name)
		}
	}
	return e
}

func (c *compiler) edits(key string, values map[string]string, reserved map[string]string) []edit {
	var out []edit
	for _, name := range sortedKeys(values) {
		here := key + "." + name
		value := values[name]
		canonical := c.header(here, name, reserved)
		if !httpguts.ValidHeaderFieldValue(value) {
			c.add(here, "%q is not the value of a header: it has a control character", value)
		}
		if strings.ContainsAny(placeholder.ReplaceAllString(value, ""), "{}") {
			c.add(here, "%q has a lone brace: write {{ and }} for braces, {client_ip} for a variable", value)
			continue
		}
		if slices.ContainsFunc(out, func(e edit) bool { return e.name == canonical }) {
			c.add(here, "stands there twice, in another spelling")
		}
		out = append(out, edit{canonical, c.template(here, value, variables)})
	}
	return out
}

// header checks a name and returns its canonical form.
func (c *compiler) header(key, name string, reserved map[string]string) string {
	canonical := http.CanonicalHeaderKey(name)
	why, isReserved := reserved[canonical]
	switch {
	case !httpguts.ValidHeaderFieldName(name):
		c.add(key, "%q is not the name of a header", name)
	case slices.Contains(framing, canonical):
		c.add(key, "%s says how the message is sent, which the gateway decides", canonical)
	case isReserved:
		c.add(key, "%s cannot be edited: %s", canonical, why)
	}
	return canonical
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// EditRequest edits the headers that go upstream.
func (p *Plan) EditRequest(h http.Header, q *Request) { p.request.apply(h, p, q) }

// EditResponse edits the headers that go to the client.
func (p *Plan) EditResponse(h http.Header, q *Request) { p.response.apply(h, p, q) }

func (e *edits) apply(h http.Header, p *Plan, q *Request) {
	for _, name := range e.remove {
		delete(h, name)
	}
	for i := range e.set {
		h[e.set[i].name] = []string{e.set[i].value.fill(p, q)}
	}
	for i := range e.add {
		h[e.add[i].name] = append(h[e.add[i].name], e.add[i].value.fill(p, q))
	}
}
