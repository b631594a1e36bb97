package proxy_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"
)

// named starts an upstream that answers with its name and what it saw.
func named(t *testing.T, name string) string {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "secret/1.0")
		w.Header().Set("X-Kept", "kept")
		_, _ = io.WriteString(w, name+" "+r.Host+" "+r.URL.RequestURI())
	})
}

func TestRoutesByTenantHeaderAndQuery(t *testing.T) {
	r := newRig(t, `
tenant_header: x-tenant
upstreams: { all: { endpoints: ["$all"] }, gold: { endpoints: ["$gold"] }, next: { endpoints: ["$next"] } }
routes:
  - { name: all, match: { prefix: / }, upstream: all }
  - { name: gold, match: { prefix: /, tenants: [gold] }, upstream: gold }
  - { name: next, match: { prefix: /, headers: [{ name: x-version, prefix: "2." }], query: [{ name: old, present: true, not: true }] }, upstream: next }
`, "all", named(t, "all"), "gold", named(t, "gold"), "next", named(t, "next")).start()
	for _, tc := range []struct {
		path   string
		header []string
		want   string
	}{
		{"/", nil, "all"},
		{"/", []string{"X-Tenant", "iron"}, "all"},
		{"/", []string{"X-Tenant", "gold"}, "gold"},
		{"/", []string{"X-Version", "2.1"}, "next"},
		{"/?old=1", []string{"X-Version", "2.1"}, "all"},
		{"/", []string{"X-Version", "2.1", "X-Tenant", "gold"}, "gold"},
	} {
		if _, got := r.do(http.MethodGet, tc.path, nil, tc.header...); !strings.HasPrefix(got, tc.want+" ") {
			t.Errorf("%s %v: answered by %q, want %s", tc.path, tc.header, got, tc.want)
		}
	}
}

// TestSplitGoesToBothUpstreams sends users with and without a cookie, and looks at what spans call the upstream.
func TestSplitGoesToBothUpstreams(t *testing.T) {
	r := newRig(t, `
upstreams: { stable: { endpoints: ["$stable"] }, canary: { endpoints: ["$canary"] }, off: { endpoints: ["http://127.0.0.1:1"] } }
routes:
  - name: split
    match: { prefix: / }
    split: [{ upstream: stable, weight: 1 }, { upstream: off, weight: 0 }, { upstream: canary, weight: 1 }]
    sticky: cookie:user
`, "stable", named(t, "stable"), "canary", named(t, "canary")).start()
	seen := map[string]int{}
	for user := range 40 {
		_, first := r.do(http.MethodGet, "/", nil, "Cookie", fmt.Sprint("user=", user))
		_, second := r.do(http.MethodGet, "/", nil, "Cookie", fmt.Sprint("a=b; user=", user))
		if first != second {
			t.Fatalf("user %d was answered by %q, then by %q", user, first, second)
		}
		seen[strings.Fields(first)[0]]++
	}
	if seen["stable"] < 5 || seen["canary"] < 5 || len(seen) != 2 {
		t.Errorf("40 users were spread like this: %v", seen)
	}
	counted := map[string]int{}
	for _, s := range r.ended(trace.SpanKindServer) {
		counted[attr(s, "gateway.upstream")]++
	}
	if counted["stable"] != 2*seen["stable"] || counted["canary"] != 2*seen["canary"] {
		t.Errorf("the spans name %v, the users met %v", counted, seen)
	}
}

func TestRedirectAnswersAtOnce(t *testing.T) {
	r := newRig(t, `
routes:
  - name: secure
    match: { prefix: /old }
    redirect: { status: 308, scheme: https, host: shop.example }
    strip_prefix: /old
    replace_prefix: /new
    response_headers: { set: { X-Route: "{route}" } }
  - { name: host, match: { path: /host }, redirect: { scheme: https } }
`).start()
	r.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodHead} {
		res, body := r.do(method, "/old/a%20b?q=1", strings.NewReader("body"))
		if got := res.Header.Get("Location"); res.StatusCode != 308 || got != "https://shop.example/new/a%20b?q=1" || body != "" || res.Header.Get("X-Route") != "secure" {
			t.Errorf("%s: status %d to %q with %q and %v", method, res.StatusCode, got, body, res.Header)
		}
	}
	for _, s := range r.ended(trace.SpanKindServer) {
		if attr(s, "http.route") != "/old/{rest...}" || attr(s, "gateway.upstream") != "" || attr(s, "error.type") != "" {
			t.Errorf("span with %v", s.Attributes())
		}
	}
	r.want(3, "http.server.request.duration", "http.route", "/old/{rest...}", "http.response.status_code", "308")
	r.want(0, "http.client.request.duration")

	conn, err := net.Dial("tcp", strings.TrimPrefix(r.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "GET /host HTTP/1.1\r\nHost: good@evil.example\r\nConnection: close\r\n\r\n")
	if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") || strings.Contains(string(answer), "evil") {
		t.Errorf("a Host that is none was answered with %q, %v", answer, err)
	}
}

func TestHeadersAreEditedBothWays(t *testing.T) {
	var saw http.Header
	up := serve(t, func(w http.ResponseWriter, req *http.Request) {
		saw = req.Header.Clone()
		saw.Set("Host", req.Host)
		w.Header().Set("Server", "secret/1.0")
		w.Header()["Vary"] = []string{"Accept"}
	})
	r := newRig(t, `
tenant_header: X-Tenant
upstreams: { up: { endpoints: ["$up"], host: endpoint } }
routes:
  - name: users
    match: { path: "/u/{user}" }
    upstream: up
    rewrite_host: inner.example
    request_headers:
      remove: [X-Debug, User-Agent]
      set: { X-Client: "{client_ip}", X-Tenant: "t-{tenant}", X-Forwarded-Proto: https }
      add: { X-User: "{user}" }
    response_headers: { remove: [Server], add: { Vary: X-Tenant }, set: { X-Route: "{route}" } }
`, "up", up).start()
	res, _ := r.do(http.MethodGet, "/u/a%20b", nil, "X-Debug", "1", "X-Client", "forged", "X-Tenant", "gold", "X-User", "first")
	for name, want := range map[string][]string{
		"Host": {"inner.example"}, "X-Debug": nil, "User-Agent": nil, "X-Client": {"127.0.0.1"}, "X-Tenant": {"t-gold"},
		"X-Forwarded-Proto": {"https"}, "X-User": {"first", "a%20b"},
	} {
		if !slices.Equal(saw[name], want) {
			t.Errorf("the upstream saw %s: %q, want %q", name, saw[name], want)
		}
	}
	for name, want := range map[string][]string{"Server": nil, "Vary": {"Accept", "X-Tenant"}, "X-Route": {"users"}} {
		if !slices.Equal(res.Header[name], want) {
			t.Errorf("the client saw %s: %q, want %q", name, res.Header[name], want)
		}
	}
}

func TestClientIPBehindAProxy(t *testing.T) {
	for trust, want := range map[string]string{"false": "127.0.0.1", "true": "192.0.2.7"} {
		r := newRig(t, `
trust_forwarded: $trust
upstreams: { up: { endpoints: ["$up"] } }
routes: [{ name: all, match: { prefix: / }, upstream: up, request_headers: { set: { X-Client: "{client_ip}" } } }]
`, "trust", trust, "up", serve(t, func(w http.ResponseWriter, req *http.Request) { _, _ = io.WriteString(w, req.Header.Get("X-Client")) })).start()
		if _, got := r.do(http.MethodGet, "/", nil, "X-Forwarded-For", "203.0.113.9", "X-Forwarded-For", "10.0.0.1, 192.0.2.7"); got != want {
			t.Errorf("trust_forwarded: %s: the client is %q, want %q", trust, got, want)
		}
	}
}

// TestPathsThatCanBeReadInTwoWays goes through the real server and the real upstream.
func TestPathsThatCanBeReadInTwoWays(t *testing.T) {
	r := newRig(t, `
upstreams: { open: { endpoints: ["$open"] }, admin: { endpoints: ["$admin"] } }
routes:
  - { name: open, match: { prefix: / }, upstream: open }
  - { name: admin, match: { prefix: /admin }, upstream: admin }
  - { name: objects, match: { prefix: /objects }, upstream: open, literal_paths: true }
`, "open", named(t, "open"), "admin", named(t, "admin")).start()
	host := strings.TrimPrefix(r.URL, "http://")
	for path, want := range map[string]string{
		"/a%2Fb//c;v=1":       "200 open " + host + " /a%2Fb//c;v=1",
		"/admin/a%2Fb":        "200 admin " + host + " /admin/a%2Fb",
		"/objects/..a//%2Fb;": "200 open " + host + " /objects/..a//%2Fb;",
		"/admin%2Fx":          "400",
		"/%2Fadmin":           "400",
		"//admin":             "400",
		"/admin;x":            "400",
		`/admin\x`:            "400",
		"/a/..;/admin":        "400",
		"/%252e%252e/admin":   "400",
		"/objects/%2e%2e/a":   "400",
	} {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
		answer, err := io.ReadAll(conn)
		_ = conn.Close()
		status, _, _ := strings.Cut(strings.TrimPrefix(string(answer), "HTTP/1.1 "), " ")
		_, body, _ := strings.Cut(string(answer), "\r\n\r\n")
		if status == "200" {
			status += " " + body
		}
		if err != nil || status != want {
			t.Errorf("%s: got %q, %v; want %q", path, status, err, want)
		}
	}
	r.want(8, "gateway.requests.rejected", "gateway.reject.reason", "bad_request")
}
