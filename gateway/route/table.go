// Package route finds the route of a request in an immutable table: hosts, then a trie of path segments, then tenant,
// headers, query parameters and method; it also splits the requests of a route over several upstreams (Split).
//
// It is a pure core: it starts nothing, logs nothing and knows no upstreams; a table maps a request to the index of a
// rule, and the caller keeps whatever belongs to that index. A table never changes after Build and is safe for
// concurrent use; a change of configuration builds a new one. Matching allocates nothing (TestMatchAllocatesNothing)
// unless the path or the query holds percent-encoded bytes or the host upper-case letters. Its cost does not depend on
// the number of routes: BenchmarkMatch/routes=10000. A list of rules tried one by one needs 13-30 microseconds at that
// size.
//
// # Precedence
//
// The most specific rule wins, whatever the order in the file. Rules are compared by these, the first that differs
// decides:
//
//  1. host: an exact name before *.example.com, of those the longer one first, before any host;
//  2. path, segment by segment from the left: a literal before {name} before {name...};
//  3. tenant: a list of tenants before none;
//  4. conditions on headers and query parameters: more before fewer;
//  5. method: a list of methods before none;
//  6. the order of the file.
//
// When tenant, conditions or method of the most specific rule do not fit, the next one is tried. Explain shows the steps.
//
// # Paths
//
// A path is never repaired, because then what was matched is not what is sent. One that says two things at once is
// refused instead (PathError): see checkPath for what no path may hold, and readings for paths that a server behind
// the gateway may read in another way than the gateway, which pass only where every reading leads to the same rule.
// A slash at the end of a path counts, and so does the case of letters: guard /admin by a prefix, and put nothing
// behind a gateway that takes /ADMIN for /admin.
package route

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Table is a set of rules, compiled. The zero value matches nothing.
type Table struct {
	rules    []Rule
	ranks    []int            // specificity of each rule beyond host and path
	exact    map[string]*node // host -> paths
	suffixes map[string]*node // for *.example.com: "example.com" -> paths
	any      *node
}

// node is one place in the trie of path segments.
type node struct {
	literals literals
	wildcard *node
	ends     []int32 // rules whose path ends here, most specific first
	rest     []int32 // rules whose path ends here in {name...}
}

// literals maps the text of a segment to what follows it. Most places of a trie have a handful of ways on, and
// comparing that many strings is cheaper than hashing one.
type literals struct {
	few  []literalChild
	many map[string]*node // instead of few, above maxFew
}

type literalChild struct {
	text string
	node *node
}

const maxFew = 6

func (l *literals) get(text string) *node {
	if l.many != nil {
		return l.many[text]
	}
	for i := range l.few {
		if l.few[i].text == text {
			return l.few[i].node
		}
	}
	return nil
}

func (l *literals) child(text string) *node {
	if n := l.get(text); n != nil {
		return n
	}
	n := &node{}
	if l.many == nil && len(l.few) < maxFew {
		l.few = append(l.few, literalChild{text, n})
		return n
	}
	if l.many == nil {
		l.many = make(map[string]*node, 2*maxFew)
		for _, c := range l.few {
			l.many[c.text] = c.node
		}
		l.few = nil
	}
	l.many[text] = n
	return n
}

// None is the index of no rule.
const None = -1

// Build compiles rules into a table. It reports every pair of rules that match the same requests.
func Build(rules []Rule) (*Table, error) {
	t := &Table{rules: rules, ranks: make([]int, len(rules)), exact: map[string]*node{}, suffixes: map[string]*node{}}
	owner := make(map[string]int, len(rules))
	var errs []error
	for i := range rules {
		r := &rules[i]
		t.ranks[i] = r.specificity()
		asks := r.asks()
		for _, host := range r.hosts() {
			for _, p := range r.Paths {
				id := host + p.shape() + "\x00" + asks
				if first, taken := owner[id]; taken && first != i {
					errs = append(errs, &ConflictError{Rule: i, First: first, Path: p.text, FirstName: rules[first].Name})
					continue
				}
				owner[id] = i
				t.insert(int32(i), host, p)
			}
		}
	}
	return t, errors.Join(errs...)
}

// ConflictError says that a rule can never match because an earlier one matches the same requests.
type ConflictError struct {
	Rule, First int // indices
	Path        string
	FirstName   string
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("matches the same requests as route %q (host, path %s and all conditions are equal), so it would never be used", e.FirstName, e.Path)
}

func (t *Table) insert(rule int32, host string, p Pattern) {
	n := t.hostRoot(host)
	for _, s := range p.segments {
		switch s.kind {
		case literal:
			n = n.literals.child(s.text)
		case wildcard:
			if n.wildcard == nil {
				n.wildcard = &node{}
			}
			n = n.wildcard
		case remainder:
			n.rest = t.ranked(n.rest, rule)
			return
		}
	}
	n.ends = t.ranked(n.ends, rule)
}

func (t *Table) hostRoot(host string) *node {
	name, below := strings.CutPrefix(host, "*.")
	switch {
	case host == "":
		if t.any == nil {
			t.any = &node{}
		}
		return t.any
	case below:
		return child(t.suffixes, name)
	default:
		return child(t.exact, host)
	}
}

func child(m map[string]*node, key string) *node {
	n := m[key]
	if n == nil {
		n = &node{}
		m[key] = n
	}
	return n
}

// ranked inserts rule into list, which is kept most specific first and in file order among equals.
func (t *Table) ranked(list []int32, rule int32) []int32 {
	if slices.Contains(list, rule) { // a host or a path that a rule names twice
		return list
	}
	at := len(list)
	for at > 0 && t.ranks[list[at-1]] < t.ranks[rule] {
		at--
	}
	return slices.Insert(list, at, rule)
}

// Len is the number of rules.
func (t *Table) Len() int { return len(t.rules) }

// Rule returns the rule of the given index. The caller must not change it.
func (t *Table) Rule(i int) Rule { return t.rules[i] }
