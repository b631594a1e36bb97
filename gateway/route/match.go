package route

import (
	"net/http"
	"strings"
)

// request is what a search compares rules with. With collect set nothing is accepted and the methods of all rules that
// fit otherwise are gathered.
type request struct {
	t       *Table
	method  string
	header  http.Header
	collect map[string]bool
}

func (t *Table) search(host, escapedPath string, q request) int {
	rest, ok := strings.CutPrefix(escapedPath, "/")
	if !ok { // "*" of OPTIONS, or the authority of CONNECT
		return None
	}
	host = normalHost(host)
	if n := t.exact[host]; n != nil {
		if i := q.walk(n, rest, true); i != None {
			return i
		}
	}
	if len(t.suffixes) > 0 {
		for _, name, ok := strings.Cut(host, "."); ok; _, name, ok = strings.Cut(name, ".") {
			if n := t.suffixes[name]; n != nil {
				if i := q.walk(n, rest, true); i != None {
					return i
				}
			}
		}
	}
	if t.any == nil {
		return None
	}
	return q.walk(t.any, rest, true)
}

// walk tries the segments of rest below n, the most specific branch first. more is false when the path ended at n.
func (q *request) walk(n *node, rest string, more bool) int {
	if !more {
		return q.choose(n.ends)
	}
	seg, tail := rest, ""
	slash := strings.IndexByte(rest, '/')
	if slash >= 0 {
		seg, tail = rest[:slash], rest[slash+1:]
	}
	if n.literals != nil {
		if text, ok := unescape(seg); ok {
			if c := n.literals[text]; c != nil {
				if i := q.walk(c, tail, slash >= 0); i != None {
					return i
				}
			}
		}
	}
	if n.wildcard != nil && seg != "" {
		if i := q.walk(n.wildcard, tail, slash >= 0); i != None {
			return i
		}
	}
	return q.choose(n.rest)
}

func (q *request) choose(rules []int32) int {
	for _, i := range rules {
		r := &q.t.rules[i]
		if !r.acceptsHeaders(q.header) {
			continue
		}
		if q.collect != nil {
			for _, m := range r.Methods {
				q.collect[m] = true
			}
			continue
		}
		if r.accepts(q.method) {
			return int(i)
		}
	}
	return None
}
