package rewrite_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/tailgate-otel/tailgate/gateway/rewrite"
	"github.com/tailgate-otel/tailgate/gateway/route"
)

func compile(t testing.TB, pattern string, s rewrite.Settings) *rewrite.Plan {
	t.Helper()
	p, err := route.ParsePattern(pattern)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := rewrite.Compile(s, p)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func TestPath(t *testing.T) {
	for _, tc := range []struct{ match, strip, replace, rewrite, path, want string }{
		{"/v1/{user}/{rest...}", "", "", "/u/{user}/x/{rest...}", "/v1/a%2Fb/c/d", "/u/a%2Fb/x/c/d"},
		{"/v1/{user}", "", "", "/fixed", "/v1/a", "/fixed"},
		{"/v1/{user}", "", "", "/u-{user}.html", "/v1/a", "/u-a.html"},
		{"/v1/{a}/{b}", "", "", "/{b}/{a}/{b}", "/v1/1/2", "/2/1/2"},
		{"/v1/{rest...}", "", "", "/v2/{rest...}", "/v1", "/v2/"}, // the prefix itself has no rest
		{"/v1/{rest...}", "", "", "/{rest...}", "/v1//evil.example", "/evil.example"},
		{"/v1/{rest...}", "/v1", "", "", "/v1/a/b", "/a/b"},
		{"/v1/{rest...}", "/v1/", "", "", "/v1/", "/"},
		{"/v1/{rest...}", "/v1", "", "", "/%761/a", "/a"},
		{"/v1/{rest...}", "/v1", "", "", "/v1//evil.example/", "/evil.example/"},
		{"/v1", "/v1", "", "", "/v1", "/"},
		{"/v1/{rest...}", "/v1", "/v2", "", "/v1/a//b", "/v2/a//b"},
		{"/v1/{rest...}", "/v1", "/v2/", "", "/v1", "/v2"},
		{"/v1/{rest...}", "/v1", "/v2", "", "/v1/", "/v2/"},
		{"/a/b/{rest...}", "/a/b", "/c", "", "/a/b", "/c"},
		{"/{rest...}", "/", "/base", "", "/a", "/base/a"},
		{"/{rest...}", "/", "/base", "", "/", "/base/"},
		{"/v1/{user}", "", "", "", "/v1/a", "/v1/a"},
	} {
		plan := compile(t, tc.match, rewrite.Settings{StripPrefix: tc.strip, ReplacePrefix: tc.replace, Path: tc.rewrite})
		if got := plan.Path(tc.path); got != tc.want {
			t.Errorf("%+v: got %q", tc, got)
		}
		if got, want := plan.ChangesPath(), tc.strip+tc.rewrite != ""; got != want {
			t.Errorf("%+v: ChangesPath is %v", tc, got)
		}
	}
}

func TestRedirect(t *testing.T) {
	type R = rewrite.Redirect
	for _, tc := range []struct {
		name    string
		r       R
		path    string // template
		request string
		want    string
	}{
		{"https", R{Scheme: "https", Status: 308}, "", "http://shop.example:8080/p/a?q=1", "308 https://shop.example/p/a?q=1"},
		{"https on a port", R{Scheme: "https", Port: 8443}, "", "http://shop.example:8080/p/a", "307 https://shop.example:8443/p/a"},
		{"the standard port is not written", R{Scheme: "https", Port: 443}, "", "http://shop.example/p/", "307 https://shop.example/p/"},
		{"the same scheme keeps the port", R{Scheme: "http"}, "/q", "http://shop.example:8080/p/a", "307 http://shop.example:8080/q"},
		{"host", R{Host: "www.example", Status: 301}, "", "https://shop.example:8443/p/a%2Fb", "301 https://www.example/p/a%2Fb"},
		{"port", R{Port: 81, Status: 302}, "", "http://shop.example/p/a", "302 http://shop.example:81/p/a"},
		{"an address", R{Scheme: "https"}, "", "http://[2001:db8::1]:80/p/a", "307 https://[2001:db8::1]/p/a"},
		{"path", R{}, "/new/{rest...}", "http://shop.example/p/a/b?q=1", "307 /new/a/b?q=1"},
		{"without the query", R{DropQuery: true}, "", "http://shop.example/p/a?q=1", "307 /p/a"},
		{"never to a host in the path", R{}, "/{rest...}", "http://shop.example/p//evil.example", "307 /evil.example"},
		{"not to a host that is none", R{Scheme: "https"}, "", "http://good@evil.example/p/a", "400 "},
		{"nor to no host", R{Port: 1}, "", "http:///p/a", "400 "},
		{"its own host needs none", R{Scheme: "https", Host: "shop.example"}, "", "http:///p/a", "307 https://shop.example/p/a"},
	} {
		plan := compile(t, "/p/{rest...}", rewrite.Settings{Redirect: &tc.r, Path: tc.path})
		scheme, rest, _ := strings.Cut(tc.request, "://")
		host, target, _ := strings.Cut(rest, "/")
		path, query, _ := strings.Cut(target, "?")
		status, location := plan.Redirect(&rewrite.Request{Scheme: scheme, Host: host, Path: "/" + path, Query: query})
		if got := fmt.Sprint(status, " ", location); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestHeaders(t *testing.T) {
	plan := compile(t, "/u/{user}/{rest...}", rewrite.Settings{Route: "users", Request: rewrite.Headers{
		Remove: []string{"x-gone", "X-Absent", "X-Again"},
		Set:    map[string]string{"x-client": "{client_ip}", "X-Text": "plain", "X-Json": `{{"tenant":"{tenant}"}}`, "X-All": "{route}:{user}:{rest...}"},
		Add:    map[string]string{"X-Many": "{tenant}", "X-Again": "new"},
	}})
	h := http.Header{"X-Gone": {"1", "2"}, "X-Client": {"forged", "twice"}, "X-Many": {"a"}, "X-Kept": {"k"}, "X-Again": {"old"}}
	plan.EditRequest(h, &rewrite.Request{Path: "/u/a%0d%0ab/c%2Fd/e", ClientIP: "192.0.2.1", Tenant: "gold"})
	want := http.Header{
		"X-Client": {"192.0.2.1"}, "X-Text": {"plain"}, "X-Json": {`{"tenant":"gold"}`}, "X-All": {"users:a%0d%0ab:c%2Fd/e"},
		"X-Many": {"a", "gold"}, "X-Kept": {"k"}, "X-Again": {"new"},
	}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("got  %v\nwant %v", h, want)
	}
	untouched := http.Header{"X-Gone": {"1"}}
	plan.EditResponse(untouched, &rewrite.Request{})
	if !reflect.DeepEqual(untouched, http.Header{"X-Gone": {"1"}}) {
		t.Errorf("edits of the request were made to the response: %v", untouched)
	}
}

func TestCompileErrors(t *testing.T) {
	type S = rewrite.Settings
	type H = rewrite.Headers
	for _, tc := range []struct {
		s         S
		key, text string
	}{
		{S{StripPrefix: "/v1", Path: "/x"}, "rewrite", "not both"},
		{S{StripPrefix: "v1"}, "strip_prefix", "starts with a slash"},
		{S{StripPrefix: "/v1/%61"}, "strip_prefix", "plain path"},
		{S{StripPrefix: "/v"}, "strip_prefix", "would never be cut off"},
		{S{ReplacePrefix: "/x"}, "replace_prefix", "needs strip_prefix"},
		{S{StripPrefix: "/v1", ReplacePrefix: "//x"}, "replace_prefix", "plain path"},
		{S{Path: "x"}, "rewrite", "must start with a slash"},
		{S{Path: "/{usr}"}, "rewrite", `did you mean "user"?`},
		{S{Path: "/{user"}, "rewrite", "want a path"},
		{S{Path: "/{{user}}"}, "rewrite", "want a path"},
		{S{Path: "/a#b"}, "rewrite", "want a path"},
		{S{Path: "/a//b"}, "rewrite", "two slashes in a row"},
		{S{Path: "/%zz"}, "rewrite", "not a valid percent encoding"},
		{S{Path: "/{client_ip}"}, "rewrite", "not a wildcard"},
		{S{Host: "a b"}, "rewrite_host", "not a host"},
		{S{Redirect: &rewrite.Redirect{}}, "redirect", "leads to where the request came from"},
		{S{Redirect: &rewrite.Redirect{Scheme: "https", Status: 200}}, "redirect.status", "got 200"},
		{S{Redirect: &rewrite.Redirect{Scheme: "HTTPS"}}, "redirect.scheme", "neither http nor https"},
		{S{Redirect: &rewrite.Redirect{Host: "a@b"}}, "redirect.host", "not a host"},
		{S{Redirect: &rewrite.Redirect{Host: "a:80"}}, "redirect.host", "redirect.port"},
		{S{Redirect: &rewrite.Redirect{Host: "[::1]:80"}}, "redirect.host", "redirect.port"},
		{S{Redirect: &rewrite.Redirect{Port: -1}}, "redirect.port", "got -1"},
		{S{Redirect: &rewrite.Redirect{Port: 1}, Host: "a"}, "rewrite_host", "redirect.host"},
		{S{Request: H{Remove: []string{"a b"}}}, "request_headers.remove[0]", "not the name of a header"},
		{S{Request: H{Set: map[string]string{"content-length": "1"}}}, "request_headers.set.content-length", "which the gateway decides"},
		{S{Request: H{Add: map[string]string{"Via": "x"}}}, "request_headers.add.Via", "finds loops"},
		{S{Request: H{Set: map[string]string{"A": "{b}"}}}, "request_headers.set.A", "neither a variable nor a wildcard"},
		{S{Request: H{Set: map[string]string{"A": "{"}}}, "request_headers.set.A", "lone brace"},
		{S{Request: H{Set: map[string]string{"A": "\r\nB: c"}}}, "request_headers.set.A", "control character"},
		{S{Request: H{Set: map[string]string{"A": "{route}"}}}, "request_headers.set.A", "give the wildcard another name"},
		{S{Response: H{Set: map[string]string{"x-a": "1", "X-A": "2"}}}, "response_headers.set.x-a", "twice"},
		{S{Response: H{Set: map[string]string{"x-a": "1"}, Remove: []string{"X-A"}}}, "response_headers.remove", "no effect"},
	} {
		p, err := route.ParsePattern("/v1/{user}/{route}")
		if err != nil {
			t.Fatal(err)
		}
		_, err = rewrite.Compile(tc.s, p)
		var mistake *rewrite.Error
		if !errors.As(err, &mistake) || mistake.Key != tc.key || !strings.Contains(mistake.Text, tc.text) {
			t.Errorf("%+v: got %v, want %s: …%s…", tc.s, err, tc.key, tc.text)
		}
	}
}

// FuzzPath: whatever a client sends, what goes upstream is one path that a request line can hold, and what it held is
// still encoded.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"/a/b/c", "/a//b", "/a/%0d%0a/x", "/a/%2F/", "/a/?", "/a/é"} {
		f.Add(s)
	}
	pattern, err := route.ParsePattern("/{first}/{rest...}")
	if err != nil {
		f.Fatal(err)
	}
	table, err := route.Build([]route.Rule{{Paths: []route.Pattern{pattern}}})
	if err != nil {
		f.Fatal(err)
	}
	plans := []*rewrite.Plan{
		compile(f, "/{first}/{rest...}", rewrite.Settings{Path: "/{rest...}"}),
		compile(f, "/{first}/{rest...}", rewrite.Settings{Path: "/x/{rest...}/{first}"}),
		compile(f, "/{first}/{rest...}", rewrite.Settings{StripPrefix: "/", ReplacePrefix: "/base"}),
		compile(f, "/{first}/{rest...}", rewrite.Settings{Redirect: &rewrite.Redirect{}, Path: "/{rest...}"}),
	}
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			t.Skip("no server would pass it on")
		}
		escaped := u.EscapedPath()
		if i, err := table.Match(&route.Request{Path: escaped}); err != nil || i == route.None {
			t.Skip("refused")
		}
		for i, p := range plans {
			got := p.Path(escaped)
			if p.Redirects() {
				_, got = p.Redirect(&rewrite.Request{Path: escaped})
			}
			again, err := url.ParseRequestURI(got)
			if err != nil || again.Host != "" || strings.HasPrefix(got, "//") || !strings.HasPrefix(got, "/") || again.EscapedPath() != got {
				t.Errorf("plan %d makes %q of %q: %v", i, got, escaped, err)
			}
		}
	})
}

func TestAllocations(t *testing.T) {
	strip := compile(t, "/v1/{rest...}", rewrite.Settings{StripPrefix: "/v1"})
	template := compile(t, "/v1/{user}/{rest...}", rewrite.Settings{Path: "/u/{user}/x/{rest...}"})
	nothing := compile(t, "/v1/{rest...}", rewrite.Settings{})
	h, q := http.Header{"Accept": {"*/*"}}, &rewrite.Request{Path: "/v1/ada/items/7"}
	for _, tc := range []struct {
		name string
		want float64
		do   func()
	}{
		{"strip", 0, func() { strip.Path(q.Path) }},
		{"template", 1, func() { template.Path(q.Path) }},
		{"no edits", 0, func() { nothing.EditRequest(h, q); nothing.EditResponse(h, q) }},
	} {
		if n := testing.AllocsPerRun(1000, tc.do); n != tc.want {
			t.Errorf("%s: %v allocations, want %v", tc.name, n, tc.want)
		}
	}
}

func BenchmarkPath(b *testing.B) {
	for name, s := range map[string]rewrite.Settings{
		"strip": {StripPrefix: "/v1"}, "replace": {StripPrefix: "/v1", ReplacePrefix: "/v2"}, "template": {Path: "/u/{user}/x/{rest...}"},
	} {
		b.Run(name, func(b *testing.B) {
			plan := compile(b, "/v1/{user}/{rest...}", s)
			b.ReportAllocs()
			for b.Loop() {
				plan.Path("/v1/ada/items/7")
			}
		})
	}
}

func BenchmarkHeaders(b *testing.B) {
	plan := compile(b, "/{rest...}", rewrite.Settings{Request: rewrite.Headers{
		Remove: []string{"X-Debug"}, Set: map[string]string{"X-Client": "{client_ip}"}, Add: map[string]string{"X-Route": "fixed"},
	}})
	q := &rewrite.Request{Path: "/a", ClientIP: "192.0.2.1"}
	b.ReportAllocs()
	for b.Loop() {
		h := http.Header{}
		plan.EditRequest(h, q)
	}
}
