package httpspans_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/gateway/telemetry/span"
	"github.com/tailgate-otel/tailgate/gateway/telemetry/span/httpspans"
	"github.com/tailgate-otel/tailgate/gateway/telemetry/span/spantest"
	"github.com/tailgate-otel/tailgate/gateway/telemetry/tracecontext"
)

var policy = tracecontext.New(tracecontext.Settings{})

// exported runs f on a record and returns what arrives, one attribute a line in the order of their keys.
func exported(t *testing.T, f func(rec *span.Record)) string {
	t.Helper()
	var sink spantest.Sink
	e := span.Start(span.Settings{Sender: &sink})
	var rec span.Record
	f(&rec)
	e.End(&rec, time.Now())
	if err := e.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	spans := append(sink.Spans(ptrace.SpanKindServer), sink.Spans(ptrace.SpanKindClient)...)
	if len(spans) != 1 {
		t.Fatalf("%d spans", len(spans))
	}
	s := spans[0]
	var lines []string
	for k, v := range s.Attributes().All() {
		lines = append(lines, fmt.Sprintf("%s=%s", k, v.AsString()))
	}
	slices.Sort(lines)
	head := fmt.Sprintf("%s %q %s %q", s.Kind(), s.Name(), s.Status().Code(), s.Status().Message())
	return head + "\n" + strings.Join(lines, "\n")
}

func TestServer(t *testing.T) {
	items := httpspans.NewRoute("/api/items/{id}", "items")
	for _, tc := range []struct {
		name, method, url, remote string
		version                   string
		header                    http.Header
		tls                       bool
		route                     *httpspans.Route
		end                       func(*span.Record)
		want                      string
	}{
		{"all there is", "GET", "http://shop.example:8080/api/items/7?color=red&sig=secret", "192.0.2.1:5000", "1.1", http.Header{"User-Agent": {"test/1"}}, false, items,
			func(r *span.Record) { httpspans.SetOutcome(r, 200, "", "") }, `
Server "GET /api/items/{id}" Unset ""
client.address=192.0.2.1
gateway.upstream=items
http.request.method=GET
http.response.status_code=200
http.route=/api/items/{id}
network.peer.address=192.0.2.1
network.peer.port=5000
network.protocol.version=1.1
server.address=shop.example
server.port=8080
url.path=/api/items/7
url.query=color=red&sig=REDACTED
url.scheme=http
user_agent.original=test/1`},
		{"unknown method over TLS and IPv6, no port", "BREW", "https://[2001:db8::1]/api/items/7", "[2001:db8::2]:5000", "2", nil, true, items,
			func(r *span.Record) { httpspans.SetOutcome(r, 502, "connect", "dial: refused") }, `
Server "HTTP /api/items/{id}" Error "dial: refused"
client.address=2001:db8::2
error.type=connect
gateway.upstream=items
http.request.method=_OTHER
http.request.method_original=BREW
http.response.status_code=502
http.route=/api/items/{id}
network.peer.address=2001:db8::2
network.peer.port=5000
network.protocol.version=2
server.address=2001:db8::1
server.port=443
url.path=/api/items/7
url.scheme=https`},
		{"no route, unix socket", "_OTHER", "http://h/nothing", "@", "1.0", nil, false, nil,
			func(r *span.Record) { httpspans.Rejected(r, "no_route"); httpspans.SetOutcome(r, 404, "", "") }, `
Server "HTTP" Unset ""
gateway.reject.reason=no_route
http.request.method=_OTHER
http.request.method_original=_OTHER
http.response.status_code=404
network.protocol.version=1.0
server.address=h
server.port=80
url.path=/nothing
url.scheme=http`},
		{"no answer", "POST", "http://h/", "", "1.1", nil, false, nil,
			func(r *span.Record) { httpspans.SetOutcome(r, 0, "client_gone", "") }, `
Server "POST" Error ""
error.type=client_gone
http.request.method=POST
network.protocol.version=1.1
server.address=h
server.port=80
url.path=/
url.scheme=http`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := request(t, tc.method, tc.url)
			r.RemoteAddr, r.Header = tc.remote, tc.header
			if tc.tls {
				r.TLS = &tls.ConnectionState{}
			}
			got := exported(t, func(rec *span.Record) {
				httpspans.BeginServer(rec, policy.Begin(nil), r, tc.version, tc.route, time.Now())
				tc.end(rec)
			})
			if want := strings.TrimPrefix(tc.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func request(t *testing.T, method, target string) *http.Request {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Request{Method: method, URL: u, Host: u.Host}
}

func TestAttempt(t *testing.T) {
	e := httpspans.NewEndpoint("items", "10.0.0.1", 8080)
	got := exported(t, func(rec *span.Record) {
		u := request(t, "GET", "http://10.0.0.1:8080/a%2Fb?color=red&Signature=x&sig=y").URL
		httpspans.BeginAttempt(rec, policy.Begin(nil), "GET", u, e, 2, time.Now())
		httpspans.SetProtocol(rec, "1.1")
		httpspans.SetOutcome(rec, 503, "503", "")
	})
	want := `Client "GET" Error ""
error.type=503
gateway.upstream=items
http.request.method=GET
http.request.resend_count=2
http.response.status_code=503
network.protocol.version=1.1
server.address=10.0.0.1
server.port=8080
url.full=http://10.0.0.1:8080/a%2Fb?color=red&Signature=REDACTED&sig=REDACTED`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestFullURL: what is written in pieces is what net/url would write.
func TestFullURL(t *testing.T) {
	e := httpspans.NewEndpoint("u", "h", 1)
	long := strings.Repeat("x", 200)
	for _, u := range []*url.URL{
		{Scheme: "http", Host: "h:1", Path: "/"}, {Scheme: "https", Host: "h", Path: "/a b", RawQuery: "q=1"}, {Scheme: "http", Host: "[::1]:1", Path: "/" + long, RawQuery: long},
		{Scheme: "http", Host: "h", Path: "*"}, {Scheme: "http", Host: "h"}, {Scheme: "http", Host: "h", Path: "/", ForceQuery: true}, {Scheme: "http", Host: "h", Path: "/a/b", RawPath: "/a%2Fb"},
	} {
		got := exported(t, func(rec *span.Record) {
			httpspans.BeginAttempt(rec, policy.Begin(nil), "GET", u, e, 0, time.Now())
		})
		if want := "url.full=" + u.String(); !strings.HasSuffix(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	got := exported(t, func(rec *span.Record) {
		httpspans.BeginAttempt(rec, policy.Begin(nil), "GET", &url.URL{Scheme: "http", User: url.UserPassword("me", "secret"), Host: "h", Path: "/"}, e, 0, time.Now())
	})
	if strings.Contains(got, "secret") {
		t.Errorf("a password in %s", got)
	}
}

func TestAllocatesNothing(t *testing.T) {
	var sink spantest.Sink
	exporter := span.Start(span.Settings{Sender: &sink, Interval: time.Hour})
	defer func() { _ = exporter.Shutdown(t.Context()) }()
	var server, attempt span.Record
	r := request(t, "GET", "http://shop.example:8080/api/items/7?color=red")
	r.RemoteAddr, r.Header = "192.0.2.1:5000", http.Header{"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}}
	route, endpoint := httpspans.NewRoute("/api/items/{id}", "items"), httpspans.NewEndpoint("items", "10.0.0.1", 8080)
	request := func() {
		now := time.Now()
		c := policy.Begin(nil)
		httpspans.BeginServer(&server, c, r, "1.1", route, now)
		httpspans.BeginAttempt(&attempt, c.Child(), r.Method, r.URL, endpoint, 0, now)
		httpspans.SetProtocol(&attempt, "1.1")
		httpspans.SetOutcome(&attempt, 200, "", "")
		exporter.End(&attempt, now)
		httpspans.SetOutcome(&server, 200, "", "")
		exporter.End(&server, now)
	}
	for range 64 { // until every shard has its chunk
		request()
	}
	if n := testing.AllocsPerRun(100, request); n != 0 {
		t.Errorf("%v allocations per request", n)
	}
}
