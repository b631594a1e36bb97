package rewrite

import (
	"regexp"
	"slices"
	"strings"

	"github.com/tailgate-otel/tailgate/gateway/route"
	"github.com/tailgate-otel/tailgate/internal/yamlkeys"
)

// template is text with places for values.
type template struct {
	pieces []piece
	tail   string
	wild   bool // some place stands for a wildcard of the path
}

// piece is text and the place behind it.
type piece struct {
	text string
	from source
	wild int // index of the wildcard
}

type source uint8

const (
	fromWildcard source = iota
	fromClientIP
	fromRoute
	fromTenant
)

var variables = map[string]source{"client_ip": fromClientIP, "route": fromRoute, "tenant": fromTenant}

// placeholder is {name} or {name...}, or a doubled brace.
var placeholder = regexp.MustCompile(`\{\{|\}\}|\{([^{}]*?)(?:\.\.\.)?\}`)

// path compiles a template of a path: its places are wildcards only.
func (c *compiler) path(text string) *template {
	if !strings.HasPrefix(text, "/") {
		c.add("rewrite", "%q must start with a slash", text)
		return nil
	}
	if strings.Contains(text, "{{") || strings.Contains(text, "}}") || strings.ContainsAny(placeholder.ReplaceAllString(text, ""), "{}?#\\ \r\n\x00") {
		c.add("rewrite", "%q: want a path, with {name} for a wildcard of the route's path", text)
		return nil
	}
	if _, err := route.ParsePattern(placeholder.ReplaceAllString(strings.TrimSuffix(text, "/"), "x")); text != "/" && err != nil {
		c.add("rewrite", "%q is no path that could be asked for: %s", text, err)
		return nil
	}
	return c.template("rewrite", text, nil)
}

// template compiles text whose places are wildcards of the path or variables.
func (c *compiler) template(key, text string, vars map[string]source) *template {
	t := &template{}
	end, literal := 0, ""
	for _, m := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		literal += text[end:m[0]]
		end = m[1]
		if m[2] < 0 {
			literal += text[m[0] : m[0]+1]
			continue
		}
		name := text[m[2]:m[3]]
		from, isVariable := vars[name]
		wild := slices.Index(c.names, name)
		switch {
		case isVariable && wild >= 0:
			c.add(key, "{%s} is a variable and a wildcard of the route's path too: give the wildcard another name", name)
		case !isVariable && wild < 0 && vars == nil:
			c.add(key, "{%s} is not a wildcard of the route's path%s", name, yamlkeys.DidYouMean(name, c.names))
		case !isVariable && wild < 0:
			c.add(key, "{%s} is neither a variable nor a wildcard of the route's path%s; write {{ and }} for braces", name,
				yamlkeys.DidYouMean(name, append([]string{"client_ip", "route", "tenant"}, c.names...)))
		}
		t.pieces = append(t.pieces, piece{literal, from, wild})
		t.wild = t.wild || !isVariable
		literal = ""
	}
	t.tail = literal + text[end:]
	return t
}

// maxOnStack is how many wildcards a path may have without an allocation for their values.
const maxOnStack = 8

// fill puts the values in their places.
func (t *template) fill(p *Plan, q *Request) string {
	if len(t.pieces) == 0 {
		return t.tail
	}
	var room [maxOnStack]string
	values := room[:0]
	if t.wild {
		values = p.pattern.AppendValues(values, q.Path)
	}
	size := len(t.tail)
	for i := range t.pieces {
		size += len(t.pieces[i].text) + len(t.pieces[i].value(p, q, values))
	}
	var b strings.Builder
	b.Grow(size)
	for i := range t.pieces {
		b.WriteString(t.pieces[i].text)
		b.WriteString(t.pieces[i].value(p, q, values))
	}
	b.WriteString(t.tail)
	return b.String()
}

func (c *piece) value(p *Plan, q *Request, values []string) string {
	switch c.from {
	case fromClientIP:
		return q.ClientIP
	case fromRoute:
		return p.route
	case fromTenant:
		return q.Tenant
	}
	if c.wild < len(values) { // of a prefix itself there is no rest
		return values[c.wild]
	}
	return ""
}
