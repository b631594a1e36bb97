package admin_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/admin"
	"github.com/tailgate-otel/tailgate/gateway/config"
	"github.com/tailgate-otel/tailgate/gateway/proxy"
	"github.com/tailgate-otel/tailgate/gateway/upstream"
)

const file = `
tenant_header: X-Tenant
upstreams: { shop: { endpoints: ["http://127.0.0.1:1"] }, next: { endpoints: ["http://127.0.0.1:2"] } }
routes:
  - name: items
    match: { host: [shop.example, "*.shop.example"], path: "/items/{id}", methods: [GET] }
    split: [{ upstream: shop, weight: 95 }, { upstream: next, weight: 5 }]
    sticky: cookie:s
  - name: canary
    match: { path: "/items/{id}", tenants: [gold], headers: [{ name: x-canary, present: true }], query: [{ name: v, value: "2", not: true }] }
    upstream: next
    rewrite: "/i/{id}"
    request_headers: { set: { X-Key: hidden }, remove: [X-Debug] }
  - { name: old, match: { prefix: /old }, redirect: { status: 308, scheme: https } }
  - { name: put, match: { path: /put, methods: [PUT] }, upstream: shop }
`

func pages(t *testing.T) http.Handler {
	t.Helper()
	c, err := config.Parse("gateway.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	registry := upstream.NewRegistry(time.Now)
	t.Cleanup(registry.Close)
	g, err := registry.Prepare(c.Upstreams, c.Timeouts)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := proxy.Build(c, g)
	if err != nil {
		t.Fatal(err)
	}
	return admin.Handler(admin.Settings{Snapshot: func() *proxy.Snapshot { return snap }})
}

func get(t *testing.T, h http.Handler, target string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil))
	return w.Code, w.Body.String()
}

func TestRoutesShowWhatTheFileSays(t *testing.T) {
	_, body := get(t, pages(t), "/routes")
	for _, want := range []string{
		`"host": "shop.example,*.shop.example"`, `"upstream": "shop:95,next:5"`, `"sticky": "cookie:s"`,
		`"gold"`, `"X-Canary"`, `"not v=2"`, `"rewrite: /i/{id}"`, `"request_headers.set: X-Key"`, `"request_headers.remove: X-Debug"`,
		`"upstream": "redirect:308:https://{host}"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	if strings.Contains(body, "hidden") {
		t.Error("the page shows the value of a header, which may be a secret")
	}
}

func TestExplainPage(t *testing.T) {
	h := pages(t)
	for _, tc := range []struct {
		query   url.Values
		outcome string
		tried   string
	}{
		{url.Values{"url": {"http://shop.example/items/7"}}, "route items", "items canary"},
		{url.Values{"url": {"/items/7"}, "tenant": {"gold"}, "header": {"x-canary: 1"}}, "route canary", "canary"},
		{url.Values{"url": {"/items/7?v=2"}, "tenant": {"gold"}, "header": {"x-canary: 1"}}, "404: no route fits", "canary"},
		{url.Values{"url": {"/put"}}, "405: allowed are PUT", "put"},
		{url.Values{"url": {"/put"}, "method": {"PUT"}}, "route put", "put"},
		{url.Values{"url": {"/nowhere"}}, "404: no route fits", ""},
		{url.Values{"url": {"/old/%2e%2e/put"}}, "400: The path has a . or .. segment. Send the path that is meant.", "old"},
	} {
		status, body := get(t, h, "/routes/explain?"+tc.query.Encode())
		var got struct {
			Outcome    string
			Considered []struct {
				Name, Why string
			}
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK {
			t.Fatalf("%v: status %d with %s: %v", tc.query, status, body, err)
		}
		var tried []string
		for _, c := range got.Considered {
			tried = append(tried, c.Name)
			if c.Why == "" {
				t.Errorf("%v: no reason for %s", tc.query, c.Name)
			}
		}
		if got.Outcome != tc.outcome || strings.Join(tried, " ") != tc.tried {
			t.Errorf("%v: %q after %v, want %q after %q", tc.query, got.Outcome, tried, tc.outcome, tc.tried)
		}
	}
	for _, target := range []string{"/routes/explain", "/routes/explain?url=%25zz"} {
		if status, body := get(t, h, target); status != http.StatusBadRequest || !strings.Contains(body, "/routes/explain?method=") {
			t.Errorf("%s: status %d with %s", target, status, body)
		}
	}
}
