package route

import (
	"net/http"
	"slices"
	"strings"
)

// Request is what rules are compared with.
type Request struct {
	Method   string
	Host     string // of the Host header, or :authority
	Path     string // percent-encoded, as (*url.URL).EscapedPath gives it
	Query    string // raw
	Header   http.Header
	Tenant   string // whose request it is, as far as the caller knows
	ClientIP string // for Split only
}

// Match returns the index of the most specific rule that fits, or None. A path that is refused gives None and a
// *PathError; one that no rule matches is not looked at that closely.
func (t *Table) Match(q *Request) (int, error) {
	plain := isPlain(q.Path)
	s := search{t: t, q: q, decoded: plain} // no percent sign: nothing to decode
	if !plain {
		if err := checkPath(q.Path); err != nil {
			return None, err
		}
	}
	i := s.find(q.Path)
	if plain || i == None || t.rules[i].LiteralPaths || !canDiffer(q.Path) {
		return i, nil
	}
	if len(q.Path) > maxAmbiguous {
		return None, ErrAmbiguous
	}
	s.decoded = true
	for other := range readings(q.Path) {
		if s.find(other) != i {
			return None, ErrAmbiguous
		}
	}
	return i, nil
}

// Allowed lists the methods for which some rule would match, sorted; it tells a wrong method from an unknown path. It is
// slow and meant for requests that Match found no rule for.
func (t *Table) Allowed(q *Request) []string {
	found := map[string]bool{}
	s := search{t: t, q: q, visit: func(i int) {
		if r := &t.rules[i]; r.fits(q) {
			for _, m := range r.Methods {
				found[m] = true
			}
		}
	}}
	s.find(q.Path)
	out := make([]string, 0, len(found))
	for m := range found {
		out = append(out, m)
	}
	slices.Sort(out)
	return out
}

// search goes through the rules whose host and path fit, the most specific first, and ends at the first that accepts the
// request. With visit set it accepts none and shows them all instead.
type search struct {
	t       *Table
	q       *Request
	decoded bool // the path is not percent-encoded
	visit   func(rule int)
}

func (s *search) find(path string) int {
	if path == "" || path[0] != '/' { // "*" of OPTIONS, or the authority of CONNECT
		return None
	}
	rest, t, host := path[1:], s.t, normalHost(s.q.Host)
	if n := t.exact[host]; n != nil {
		if i := s.walk(n, rest, true); i != None {
			return i
		}
	}
	if len(t.suffixes) > 0 {
		for _, name, ok := strings.Cut(host, "."); ok; _, name, ok = strings.Cut(name, ".") {
			if n := t.suffixes[name]; n != nil {
				if i := s.walk(n, rest, true); i != None {
					return i
				}
			}
		}
	}
	if t.any == nil {
		return None
	}
	return s.walk(t.any, rest, true)
}

// walk tries the segments of rest below n, the most specific branch first. more is false when the path ended at n. Each
// node is visited at most once, since a path leads to it in one way only.
func (s *search) walk(n *node, rest string, more bool) int {
	if !more {
		return s.choose(n.ends)
	}
	seg, tail := rest, ""
	slash := strings.IndexByte(rest, '/')
	if slash >= 0 {
		seg, tail = rest[:slash], rest[slash+1:]
	}
	if text, ok := s.text(seg); ok {
		if c := n.literals.get(text); c != nil {
			if i := s.walk(c, tail, slash >= 0); i != None {
				return i
			}
		}
	}
	if n.wildcard != nil && seg != "" {
		if i := s.walk(n.wildcard, tail, slash >= 0); i != None {
			return i
		}
	}
	return s.choose(n.rest)
}

// text decodes one segment. Segments are decoded one by one, so that an encoded slash never splits one.
func (s *search) text(seg string) (string, bool) {
	if s.decoded {
		return seg, true
	}
	text, broken := decode(seg)
	return text, !broken
}

func (s *search) choose(rules []int32) int {
	for _, i := range rules {
		if s.visit != nil {
			s.visit(int(i))
			continue
		}
		if r := &s.t.rules[i]; r.fitsMethod(s.q.Method) && r.fits(s.q) {
			return int(i)
		}
	}
	return None
}
