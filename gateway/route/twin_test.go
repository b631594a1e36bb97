package route_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
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
	headers []route.Header
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

func (t twin) match(host, path, method string, h http.Header) int {
	best, bestRank := route.None, rank(nil)
	for i, r := range t {
		for _, p := range r.paths {
			pathRank, ok := matchPath(p, path)
			if !ok || !matchHost(r.host, host) || !matchMethod(r.methods, method) || !matchHeaders(r.headers, h) {
				continue
			}
			full := append(rank{hostRank(r.host)}, pathRank...)
			full = append(full, 9, -len(r.headers)) // 9: the path ranks of two rules that tie are equally long
			if len(r.methods) == 0 {
				full = append(full, 1)
			} else {
				full = append(full, 0)
			}
			if full = append(full, i); best == route.None || full.less(bestRank) {
				best, bestRank = i, full
			}
		}
	}
	return best
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

func matchMethod(methods []string, method string) bool {
	for _, m := range methods {
		if m == method {
			return true
		}
	}
	return len(methods) == 0
}

func matchHeaders(hs []route.Header, h http.Header) bool {
	for _, p := range hs {
		values, ok := h[p.Name], false
		switch {
		case p.Present != nil:
			ok = *p.Present == (len(values) > 0)
		default:
			for _, v := range values {
				ok = ok || p.Regex != nil && p.Regex.MatchString(v) || p.Regex == nil && v == p.Value
			}
		}
		if !ok {
			return false
		}
	}
	return true
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
	hosts    = []string{"", "*", "a.example", "b.example", "*.example", "*.a.example", "*.x.a.example"}
	words    = []string{"a", "b", "c", "a%2Fb", "é"}
	methods  = [][]string{nil, {"GET"}, {"POST", "PUT"}, {"GET", "POST"}}
	present  = true
	absent   = false
	headers  = []route.Header{{Name: "X-A", Value: "1"}, {Name: "X-A", Value: "2"}, {Name: "X-B", Present: &present}, {Name: "X-B", Present: &absent}, {Name: "X-C", Regex: regexp.MustCompile("^v[0-9]$")}}
	askHosts = []string{"a.example", "A.Example:80", "y.x.a.example", "x.a.example", "c.example", "other", ""}
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
		tr := twinRule{host: hosts[r.IntN(len(hosts))], methods: methods[r.IntN(len(methods))]}
		for range 1 + r.IntN(2) {
			tr.paths = append(tr.paths, randomPattern(r))
		}
		for _, h := range headers {
			if r.IntN(8) == 0 {
				tr.headers = append(tr.headers, h)
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
		rule := route.Rule{Name: fmt.Sprint(i), Host: host, Methods: r.methods, Headers: r.headers}
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

// TestTableEqualsTwin compares the trie with the dumb list on random tables and requests.
func TestTableEqualsTwin(t *testing.T) {
	matched := 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		table, tw := randomTables(t, r, 40)
		for range 400 {
			host, method := askHosts[r.IntN(len(askHosts))], []string{"GET", "POST", "DELETE"}[r.IntN(3)]
			var path strings.Builder
			for range 1 + r.IntN(4) {
				path.WriteString("/" + append(words, "", "z", "%", "%61")[r.IntN(len(words)+4)])
			}
			h := http.Header{}
			for name, values := range map[string][]string{"X-A": {"1", "2"}, "X-B": {""}, "X-C": {"v1", "w"}} {
				if r.IntN(2) == 0 {
					h[name] = []string{values[r.IntN(len(values))]}
				}
			}
			got, want := table.Match(host, path.String(), method, h), tw.match(host, path.String(), method, h)
			if got != want {
				t.Fatalf("seed %d: %s %s%s %v: table says rule %d, twin rule %d", seed, method, host, path.String(), h, got, want)
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

// FuzzMatch lets the fuzzer choose the request against one fixed random table.
func FuzzMatch(f *testing.F) {
	for _, s := range []string{"/", "//", "/a", "/a/", "/a%2Fb/c", "/%", "*", "", "/a/b/c/d/e", "/%C3%A9/a"} {
		f.Add("a.example", s, "GET", "1")
	}
	table, tw := randomTables(f, rand.New(rand.NewPCG(7, 7)), 60)
	f.Fuzz(func(t *testing.T, host, path, method, value string) {
		if strings.ContainsAny(host, "[]") || strings.Count(host, ":") > 1 || strings.HasSuffix(host, ".") || !isASCII(host) {
			t.Skip("the twin reads plain host names only")
		}
		if !strings.HasPrefix(path, "/") {
			if got := table.Match(host, path, method, nil); got != route.None {
				t.Fatalf("%q matched rule %d", path, got)
			}
			return
		}
		h := http.Header{"X-A": {value}}
		if got, want := table.Match(host, path, method, h), tw.match(host, path, method, h); got != want {
			t.Fatalf("%s %s%s: table says rule %d, twin rule %d", method, host, path, got, want)
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
