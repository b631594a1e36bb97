package route_test

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/tailgate-otel/tailgate/gateway/route"
)

// TestPaths says what becomes of paths that are more than they seem. /admin is guarded, its status page is not, and the
// rest of the server lies open.
func TestPaths(t *testing.T) {
	table := rulebook(t, `
		open    */{rest...}
		admin   */admin
		admins  */admin/{rest...}
		status  */admin/status
		item    */items/{id}
		parts   */items/{id}/{part}
		store   */store/{key...}
		object  */object/{key}     literal
	`)
	for _, tc := range []struct {
		path, want string
		err        error
	}{
		{"/a/b", "open", nil},
		{"/caf%C3%A9/%E2%82%AC", "open", nil},
		{"/.well-known/acme", "open", nil},
		{"/a.b/..c/...", "open", nil},
		{"/100%25", "open", nil},
		{"/a+b%20c", "open", nil},
		{"/%61dmin", "admin", nil},
		{"/admin/%73tatus", "status", nil},

		// The same route whichever way it is read: passed on as it is.
		{"/a%2Fb", "open", nil},
		{"/a//b;v=1", "open", nil},
		{"/store/a//b%2Fc;v=1", "store", nil},
		{"/admin/a%2Fb", "admins", nil},
		{"/items/7;v=1", "item", nil},

		// Ways around /admin.
		{"//admin", "", route.ErrAmbiguous},
		{"/;/admin", "", route.ErrAmbiguous},
		{"/admin;x=1", "", route.ErrAmbiguous},
		{"/admin;x=1/users", "", route.ErrAmbiguous},
		{"/admin;%2Fx", "", route.ErrAmbiguous},
		{"/admin%3Bx", "", route.ErrAmbiguous},
		{"/admin%2Fusers", "", route.ErrAmbiguous},
		{"/admin%252Fusers", "", route.ErrAmbiguous},
		{"/%2561dmin", "", route.ErrAmbiguous},
		{"/admin%5Cusers", "", route.ErrAmbiguous},
		{`/admin\users`, "", route.ErrAmbiguous},
		{"/%2Fadmin", "", route.ErrAmbiguous},
		{"/admin/status%2Fx", "admins", nil},
		{"/admin//status", "", route.ErrAmbiguous},
		{"/a/../admin", "", route.ErrDotSegment},
		{"/a/%2e%2E/admin", "", route.ErrDotSegment},
		{"/a/%252e%252e/admin", "", route.ErrDotSegment},
		{"/100%25/%252e%252e/admin", "", route.ErrDotSegment},
		{"/a/..;/admin", "", route.ErrDotSegment},
		{"/a/..%3Bx=1/admin", "", route.ErrDotSegment},
		{"/a%2F..%2Fadmin", "", route.ErrDotSegment},
		{"/a%5C..%5Cadmin", "", route.ErrDotSegment},
		{"/./admin", "", route.ErrDotSegment},
		{"/%25252e%25252e/admin", "", route.ErrEncoding},
		{"/admin%00.png", "", route.ErrControl},
		{"/admin%0d%0aX: y", "", route.ErrControl},
		{"/admin%09", "", route.ErrControl},
		{"/admin x", "", route.ErrControl},
		{"/a%c0%afadmin", "", route.ErrControl},
		{"/%c0%ae%c0%ae/admin", "", route.ErrControl},
		{"/%e0%80%af/admin", "", route.ErrControl},
		{"/a%", "", route.ErrEncoding},
		{"/a%2", "", route.ErrEncoding},
		{"/a%zz", "", route.ErrEncoding},

		// {id} is one segment; a server that takes %2F for a slash would see two.
		{"/items/a%2Fb", "", route.ErrAmbiguous},
		{"/object/a%2Fb;c", "object", nil},
		{"/object/a%2F..%2Fb", "", route.ErrDotSegment},
		{"/store/" + strings.Repeat("a%2F", 3000), "", route.ErrAmbiguous}, // too long to be read in every way
	} {
		got, err := table.Match(&route.Request{Method: "GET", Path: tc.path})
		want := tc.want
		if want == "" {
			want = "-"
		}
		if name(table, got) != want || (tc.err == nil) != (err == nil) || tc.err != nil && !errors.Is(err, tc.err) {
			t.Errorf("%.60s: got %s, %v; want %s, %v", tc.path, name(table, got), err, want, tc.err)
		}
	}
}

// servers are ways in which programs are known to read a path. Each is written without the gateway's own functions.
var servers = map[string]func(string) string{
	"as it stands": func(p string) string { return p },
	"decodes":      unescapePath,
	"decodes, resolves dots and merges slashes": func(p string) string { return clean(unescapePath(p)) },
	"takes backslashes for slashes":             func(p string) string { return clean(strings.ReplaceAll(unescapePath(p), `\`, "/")) },
	"cuts parameters, then decodes":             func(p string) string { return clean(unescapePath(withoutParameters(p))) },
	"cuts parameters, decodes, keeps slashes":   func(p string) string { return unescapePath(withoutParameters(p)) },
	"decodes, then cuts parameters":             func(p string) string { return clean(withoutParameters(unescapePath(p))) },
	"decodes twice":                             func(p string) string { return clean(unescapePath(unescapePath(p))) },
	"decodes twice and does all the rest": func(p string) string {
		return clean(withoutParameters(strings.ReplaceAll(unescapePath(unescapePath(p)), `\`, "/")))
	},
	"ends at a zero byte": func(p string) string { p, _, _ = strings.Cut(unescapePath(p), "\x00"); return clean(p) },
}

func unescapePath(p string) string {
	if out, err := url.PathUnescape(p); err == nil {
		return out
	}
	return p
}

// clean keeps a slash at the end, for one counts.
func clean(p string) string {
	if out := path.Clean(p); !strings.HasSuffix(p, "/") || out == "/" {
		return out
	}
	return path.Clean(p) + "/"
}

func withoutParameters(p string) string {
	segments := strings.Split(p, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segments, "/")
}

// guards is a table with one open rule; guarded says whether a path, plainly read, belongs to another rule.
func guards(t testing.TB) *route.Table {
	return rulebook(t, "open */{rest...}\n exact */secret\n below */vault/{rest...}\n third */{x}/keys/{y}")
}

func guarded(p string) bool {
	s := strings.Split(p, "/")
	return p == "/secret" || strings.HasPrefix(p, "/vault/") || len(s) == 4 && s[1] != "" && s[2] == "keys" && s[3] != ""
}

func checkNoWayAround(t *testing.T, table *route.Table, p string) (passed bool) {
	i, err := table.Match(&route.Request{Method: "GET", Path: p})
	if err != nil || i == route.None || table.Rule(i).Name != "open" {
		return false
	}
	for how, read := range servers {
		if seen := read(p); guarded(seen) {
			t.Fatalf("%q passed by the open rule, but a server that %s sees %q", p, how, seen)
		}
	}
	return true
}

// TestNoWayAroundAGuard puts paths together from the pieces that attacks are made of.
func TestNoWayAroundAGuard(t *testing.T) {
	pieces := []string{"/", "/", "//", "%2F", "%2f", "%252F", `\`, "%5C", "%255c", ";", ";a=b", "%3B", "..", ".", "%2e", "%252E", "%00", "%c0%af",
		"secret", "secret", "%73ecret", "%2573ecret", "vault", "vault", "keys", "keys", "x", "y", "%", "%25", "é", "%C3%A9"}
	table, r := guards(t), rand.New(rand.NewPCG(3, 1))
	passed := 0
	for range 300_000 {
		var p strings.Builder
		p.WriteByte('/')
		for range 1 + r.IntN(7) {
			p.WriteString(pieces[r.IntN(len(pieces))])
		}
		if checkNoWayAround(t, table, p.String()) {
			passed++
		}
	}
	if passed < 10_000 {
		t.Errorf("only %d of 300000 paths passed: the test says little", passed)
	}
}

func FuzzNoWayAroundAGuard(f *testing.F) {
	for _, s := range []string{"/secret", "/a/..;/secret", "/%2573ecret", "//vault/x", "/x;%2Fkeys%2Fy", `/vault\x`, "/secret%00"} {
		f.Add(s)
	}
	table := guards(f)
	f.Fuzz(func(t *testing.T, p string) { checkNoWayAround(t, table, p) })
}

func BenchmarkMatchOddPath(b *testing.B) {
	table := guards(b)
	for name, p := range map[string]string{
		"encoded=letter": "/caf%C3%A9/menu", "encoded=slash": "/a%2Fb/menu", "worst=2KiB": "/" + strings.Repeat(`a;b%255Cc//`, 186),
	} {
		b.Run(name, func(b *testing.B) {
			q := &route.Request{Method: http.MethodGet, Path: p}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := table.Match(q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
