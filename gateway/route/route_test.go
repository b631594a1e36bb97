package route_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tailgate-otel/tailgate/gateway/route"
)

func TestParsePatternErrors(t *testing.T) {
	for _, tc := range []struct{ path, want string }{
		{"", "must start with a slash"},
		{"api", "must start with a slash"},
		{"/", `write "/{$}" for exactly this path or "/{rest...}" for everything below it`},
		{"/a/", `write "/a/{$}"`},
		{"/a//b", "two slashes in a row"},
		{"/a/../b", "can never match"},
		{"/{a}/{a}", `the name "a" stands twice`},
		{"/{a...}/b", "must be the last one"},
		{"/{$}/b", "must be the last segment"},
		{"/x{a}", "a wildcard is a whole segment"},
		{"/{a}x", "a wildcard is a whole segment"},
		{"/{}", "needs a name"},
		{"/{1a}", "needs a name"},
		{"/%zz", "not a valid percent encoding"},
	} {
		if _, err := route.ParsePattern(tc.path); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("ParsePattern(%q): got %v, want an error with %q", tc.path, err, tc.want)
		}
	}
}

func TestPattern(t *testing.T) {
	for _, tc := range []struct {
		pattern, template, path string
		values                  []string
	}{
		{"/api/{user}/items/{rest...}", "/api/{user}/items/{rest...}", "/api/a%2Fb/items/x/y", []string{"a%2Fb", "x/y"}},
		{"/{$}", "/", "/", nil},
		{"/a/{$}", "/a/", "/a/", nil},
		{"/{rest...}", "/{rest...}", "/", []string{""}},
	} {
		p, err := route.ParsePattern(tc.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Template(); got != tc.template {
			t.Errorf("%s: template %q, want %q", tc.pattern, got, tc.template)
		}
		if got := p.Values(tc.path); !slices.Equal(got, tc.values) {
			t.Errorf("%s: values of %s are %q, want %q", tc.pattern, tc.path, got, tc.values)
		}
	}
}

func TestParseHost(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", ""}, {"*", ""}, {"Shop.Example", "shop.example"}, {"*.example.com", "*.example.com"}, {"[::1]", "::1"},
	} {
		if got, err := route.ParseHost(tc.in); err != nil || got != tc.want {
			t.Errorf("ParseHost(%q) = %q, %v; want %q", tc.in, got, err, tc.want)
		}
	}
	for _, in := range []string{"a.example:80", "a.*.example", "*.", "a/b", "example."} {
		if got, err := route.ParseHost(in); err == nil {
			t.Errorf("ParseHost(%q) = %q, want an error", in, got)
		}
	}
}

func TestConflict(t *testing.T) {
	_, err := build(twin{{paths: []string{"/a/{x}"}, methods: []string{"GET", "PUT"}}, {paths: []string{"/a/{y}"}, methods: []string{"PUT", "GET"}}})
	var conflict *route.ConflictError
	if !errors.As(err, &conflict) || conflict.Rule != 1 || conflict.First != 0 {
		t.Errorf("got %v, want a conflict of rule 1 with rule 0", err)
	}
}

func TestAllowedMethods(t *testing.T) {
	table, err := build(twin{{paths: []string{"/a"}, methods: []string{"PUT"}}, {paths: []string{"/{x}"}, methods: []string{"GET"}}, {paths: []string{"/b/c"}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := table.AllowedMethods("h", "/a", nil); !slices.Equal(got, []string{"GET", "PUT"}) {
		t.Errorf("got %v, want GET and PUT", got)
	}
	if got := table.AllowedMethods("h", "/x/y", nil); len(got) != 0 {
		t.Errorf("got %v for an unknown path, want none", got)
	}
}

// large is the table of the published comparison: 100 hosts with 100 paths each.
func large(t testing.TB) *route.Table {
	var tw twin
	for h := range 100 {
		for p := range 100 {
			tw = append(tw, twinRule{host: fmt.Sprintf("h%d.example", h), paths: []string{fmt.Sprintf("/api/v1/service%d/{id}", p)}, methods: []string{"GET"}})
		}
	}
	table, err := build(tw)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestMatchAllocatesNothing(t *testing.T) {
	table, h := large(t), http.Header{"Accept": {"*/*"}}
	for _, path := range []string{"/api/v1/service77/42", "/api/v1/nowhere/42"} {
		if n := testing.AllocsPerRun(1000, func() { table.Match("h55.example:8080", path, "GET", h) }); n != 0 {
			t.Errorf("%s: %v allocations per match, want none", path, n)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	b.Run("routes=10000", func(b *testing.B) {
		table, h := large(b), http.Header{"Accept": {"*/*"}}
		b.ReportAllocs()
		for b.Loop() {
			if table.Match("h55.example:8080", "/api/v1/service77/42", "GET", h) == route.None {
				b.Fatal("no match")
			}
		}
	})
}

func BenchmarkBuild(b *testing.B) {
	b.Run("routes=10000", func(b *testing.B) {
		table := large(b)
		rules := make([]route.Rule, table.Len())
		for i := range rules {
			rules[i] = table.Rule(i)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := route.Build(rules); err != nil {
				b.Fatal(err)
			}
		}
	})
}
