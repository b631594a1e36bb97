package route_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tailgate-otel/tailgate/gateway/route"
)

// twin is the dumb table: it tries every rule on its own text and compares all that fit, by the rules of precedence as
// the package comment states them.
type twin []twinRule

type twinRule struct {
	host    string
	paths   []string
	methods []string
	tenants []string
	headers []route.Condition
	query   []route.Condition
}

// rank is compared from left to right; smaller is more specific.
type rank []int

func (a rank) less(b rank) bool {
	for i := 0; i < len(a) && i < len(b); i++ {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return len(a) < len(b)
}

func (t twin) match(q *route.Request) int {
	best, bestRank := route.None, rank(nil)
	for i, r := range t {
		for _, p := range r.paths {
			pathRank, ok := matchPath(p, q.Path)
			if !ok || !matchHost(r.host, q.Host) || !oneOf(r.methods, q.Method) || !oneOf(r.tenants, q.Tenant) || !matchAll(r, q) {
				continue
			}
			full := append(rank{hostRank(r.host)}, pathRank...)
			full = append(full, 9) // the path ranks of two rules that tie are equally long
			full = append(full, given(r.tenants), -len(r.headers)-len(r.query), given(r.methods), i)
			if best == route.None || full.less(bestRank) {
				best, bestRank = i, full
			}
		}
	}
	return best
}

// given ranks a list that asks for something before one that does not.
func given(list []string) int {
	if len(list) == 0 {
		return 1
	}
	return 0
}

func hostRank(pattern string) int {
	switch {
	case pattern == "" || pattern == "*":
		return 1000
	case strings.HasPrefix(pattern, "*."):
		return 500 - len(pattern)
	}
	return 0
}

func matchHost(pattern, host string) bool {
	if h, _, ok := strings.Cut(host, ":"); ok {
		host = h
	}
	host = strings.ToLower(host)
	return pattern == "" || pattern == "*" || host == pattern ||
		strings.HasPrefix(pattern, "*.") && strings.HasSuffix(host, pattern[1:]) && host != pattern[1:]
}

func oneOf(list []string, word string) bool {
	for _, w := range list {
		if w == word {
			return true
		}
	}
	return len(list) == 0
}

func matchAll(r twinRule, q *route.Request) bool {
	for _, c := range r.headers {
		if !matchValues(c, q.Header[c.Name]) {
			return false
		}
	}
	values, _ := url.ParseQuery(q.Query)
	for _, c := range r.query {
		if !matchValues(c, values[c.Name]) {
			return false
		}
	}
	return true
}

func matchValues(c route.Condition, values []string) bool {
	some := false
	for _, v := range values {
		switch c.Test {
		case route.Equals:
			some = some || v == c.Text
		case route.Starts:
			some = some || len(v) >= len(c.Text) && v[:len(c.Text)] == c.Text
		case route.Matches:
			some = some || c.Regex.MatchString(v)
		case route.Present:
			some = true
		}
	}
	return some != c.Not
}

func matchPath(pattern, path string) (rank, bool) {
	ps, ss := strings.Split(pattern, "/"), strings.Split(path, "/")
	var r rank
	for i, p := range ps {
		if i >= len(ss) {
			return nil, false
		}
		switch {
		case strings.HasSuffix(p, "...}"):
			return append(r, 2), true
		case p == "{$}":
			if ss[i] != "" {
				return nil, false
			}
			r = append(r, 0)
		case strings.HasPrefix(p, "{"):
			if ss[i] == "" {
				return nil, false
			}
			r = append(r, 1)
		default:
			want, _ := url.PathUnescape(p)
			if got, err := url.PathUnescape(ss[i]); err != nil || got != want {
				return nil, false
			}
			r = append(r, 0)
		}
	}
	return r, len(ps) == len(ss)
}

var (
	hosts   = []string{"", "*", "a.example", "b.example", "*.example", "*.a.example", "*.x.a.example"}
	words   = []string{"a", "b", "c", "a%2Fb", "é"}
	methods = [][]string{nil, {"GET"}, {"POST", "PUT"}, {"GET", "POST"}}
	tenants = [][]string{nil, nil, nil, {"t1"}, {"t1", "t2"}}
	headers = []route.Condition{
		{Name: "X-A", Text: "1"}, {Name: "X-A", Text: "2", Not: true}, {Name: "X-B", Test: route.Present},
		{Name: "X-B", Test: route.Present, Not: true}, {Name: "X-C", Test: route.Matches, Regex: regexp.MustCompile("^v[0-9]$")},
		{Name: "X-C", Test: route.Starts, Text: "v"},
	}
	query = []route.Condition{
		{Name: "q", Text: "1"}, {Name: "q", Test: route.Present}, {Name: "a b", Test: route.Present, Not: true},
		{Name: "r", Test: route.Matches, Regex: regexp.MustCompile("é")}, {Name: "q", Test: route.Starts, Text: "1", Not: true},
	}
	askHosts   = []string{"a.example", "A.Example:80", "y.x.a.example", "x.a.example", "c.example", "other", ""}
	askQueries = []string{"", "q=1", "q=2&q=1", "q", "a+b=1", "a%20b&q=12", "r=%C3%A9", "q=%31", "q=1;r=é", "q=%zz&q=1", "&&=&q=3"}
)

func randomPattern(r *rand.Rand) string {
	var b strings.Builder
	n := 1 + r.IntN(4)
	for i := range n {
		switch k := r.IntN(8); {
		case k == 0 && i == n-1:
			b.WriteString("/{$}")
		case k <= 1 && i == n-1:
			b.WriteString("/{rest...}")
		case k <= 3:
			fmt.Fprintf(&b, "/{p%d}", i)
		default:
			b.WriteString("/" + words[r.IntN(len(words))])
		}
	}
	return b.String()
}

func randomTables(t testing.TB, r *rand.Rand, n int) (*route.Table, twin) {
	var tw twin
	for range n {
		tr := twinRule{host: hosts[r.IntN(len(hosts))], methods: methods[r.IntN(len(methods))], tenants: tenants[r.IntN(len(tenants))]}
		for range 1 + r.IntN(2) {
			tr.paths = append(tr.paths, randomPattern(r))
		}
		for _, h := range headers {
			if r.IntN(8) == 0 {
				tr.headers = append(tr.headers, h)
			}
		}
		for _, c := range query {
			if r.IntN(8) == 0 {
				tr.query = append(tr.query, c)
			}
		}
		if _, err := build(append(tw, tr)); err == nil { // a conflict: leave the rule out
			tw = append(tw, tr)
		}
	}
	table, err := build(tw)
	if err != nil {
		t.Fatal(err)
	}
	return table, tw
}

func build(tw twin) (*route.Table, error) {
	var rules []route.Rule
	for i, r := range tw {
		host, err := route.ParseHost(r.host)
		if err != nil {
			return nil, err
		}
		rule := route.Rule{Name: fmt.Sprint(i), Methods: r.methods, Tenants: r.tenants, Headers: r.headers, Query: r.query, LiteralPaths: true}
		if host != "" {
			rule.Hosts = []string{host}
		}
		for _, p := range r.paths {
			parsed, err := route.ParsePattern(p)
			if err != nil {
				return nil, err
			}
			rule.Paths = append(rule.Paths, parsed)
		}
		rules = append(rules, rule)
	}
	return route.Build(rules)
}

// TestTableEqualsTwin compares the trie with the dumb list on random tables and requests. Its rules take paths as they
// stand; what becomes of paths with two readings is another matter (path_test.go).
func TestTableEqualsTwin(t *testing.T) {
	matched := 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		table, tw := randomTables(t, r, 60)
		for range 400 {
			q := randomRequest(r)
			got, err := table.Match(q)
			want := tw.match(q)
			if err != nil {
				t.Fatalf("seed %d: %+v: %v", seed, q, err)
			}
			if got != want {
				t.Fatalf("seed %d: %+v: table says rule %d, twin rule %d", seed, q, got, want)
			}
			if e := table.Explain(q); e.Winner != want {
				t.Fatalf("seed %d: %+v: explained as rule %d, matched rule %d", seed, q, e.Winner, want)
			}
			if got != route.None {
				matched++
			}
		}
	}
	if matched < 5000 {
		t.Errorf("only %d of 24000 requests matched a rule: the comparison says little", matched)
	}
}

func randomRequest(r *rand.Rand) *route.Request {
	q := &route.Request{
		Host: askHosts[r.IntN(len(askHosts))], Method: []string{"GET", "POST", "DELETE"}[r.IntN(3)],
		Query: askQueries[r.IntN(len(askQueries))], Tenant: []string{"", "t1", "t2", "t3"}[r.IntN(4)], Header: http.Header{},
	}
	asked := append(slices.Clone(words), "", "z", "%61", ".well")
	for range 1 + r.IntN(4) {
		q.Path += "/" + asked[r.IntN(len(asked))]
	}
	for name, values := range map[string][]string{"X-A": {"1", "2"}, "X-B": {""}, "X-C": {"v1", "w"}} {
		if r.IntN(2) == 0 {
			q.Header[name] = []string{values[r.IntN(len(values))]}
		}
	}
	return q
}

// FuzzMatch lets the fuzzer choose the request against one fixed random table.
func FuzzMatch(f *testing.F) {
	for _, s := range []string{"/", "//", "/a", "/a/", "/a%2Fb/c", "/%", "*", "", "/a/b/c/d/e", "/%C3%A9/a"} {
		f.Add("a.example", s, "GET", "1", "q=1&a+b=%C3%A9")
	}
	table, tw := randomTables(f, rand.New(rand.NewPCG(7, 7)), 60)
	f.Fuzz(func(t *testing.T, host, path, method, value, query string) {
		if strings.ContainsAny(host, "[]") || strings.Count(host, ":") > 1 || strings.HasSuffix(host, ".") || !isASCII(host) {
			t.Skip("the twin reads plain host names only")
		}
		q := &route.Request{Host: host, Path: path, Method: method, Query: query, Header: http.Header{"X-A": {value}}}
		got, err := table.Match(q)
		if !strings.HasPrefix(path, "/") || err != nil {
			if got != route.None {
				t.Fatalf("%q matched rule %d, error %v", path, got, err)
			}
			return
		}
		if want := tw.match(q); got != want {
			t.Fatalf("%+v: table says rule %d, twin rule %d", q, got, want)
		}
	})
}

func isASCII(s string) bool {
	for _, c := range []byte(s) {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
