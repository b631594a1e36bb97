package route_test

import (
	"errors"
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
		{"/%2e%2e", "can never match"},
		{"/a%00", "can never match"},
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
		if got := p.AppendValues(nil, tc.path); !slices.Equal(got, tc.values) {
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
