package fallback_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/tailgate-otel/tailgate/gateway/fallback"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newCache(t testing.TB, bytes int) *fallback.Cache {
	t.Helper()
	c, err := fallback.NewCache(bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newChain(t testing.TB, c *fallback.Cache, steps ...fallback.Step) *fallback.Chain {
	t.Helper()
	chain, err := fallback.New(fallback.Settings{Steps: steps}, c)
	if err != nil {
		t.Fatal(err)
	}
	return chain
}

func cached(maxStale time.Duration) fallback.Step {
	return fallback.Step{Cached: &fallback.Cached{MaxStale: maxStale}}
}

// header reads "A: 1; B: 2".
func header(text string) http.Header {
	h := http.Header{}
	for line := range strings.SplitSeq(text, "; ") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			h.Add(name, value)
		}
	}
	return h
}

func query(target, headers string) fallback.Query {
	method, url, _ := strings.Cut(target, " ")
	r := httptest.NewRequest(method, url, nil)
	r.Header = header(headers)
	return fallback.Query{Route: "r", Request: r}
}

// keep captures a whole response.
func keep(c *fallback.Chain, q fallback.Query, status int, headers, body string, now time.Time) {
	capture := c.Capture(q, status, header(headers), -1, trace.SpanContext{}, now)
	capture.Write([]byte(body))
	capture.Commit()
}

// serve writes what the chain has for q.
func serve(t *testing.T, c *fallback.Chain, q fallback.Query, now time.Time) *httptest.ResponseRecorder {
	t.Helper()
	a, ok := c.Next(0, q, false, now)
	if !ok {
		return nil
	}
	w := httptest.NewRecorder()
	if err := a.Response.WriteTo(w, q.Request.Method, fallback.Timeout, now); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestWhatIsServed: one response comes by, and later the upstream is gone. The route allows an hour.
func TestWhatIsServed(t *testing.T) {
	for _, c := range []struct {
		name, request string
		status        int
		response      string
		until         time.Duration // the last second at which it is served; -1: never
	}{
		{"nothing said", "", 200, "", time.Hour},
		{"stale after a minute", "", 200, "Cache-Control: max-age=60", time.Hour + time.Minute},
		{"stale on the day of its Date", "", 200, "Date: Thu, 01 Jan 2026 00:00:00 GMT; Expires: Thu, 01 Jan 2026 00:02:00 GMT", time.Hour + 2*time.Minute},
		{"expires 0", "", 200, "Expires: 0", time.Hour},
		{"old when it came", "", 200, "Cache-Control: max-age=60; Age: 30", time.Hour + 30*time.Second},
		{"an hour is more than the upstream allows", "", 200, "Cache-Control: max-age=60, stale-if-error=30", 90 * time.Second},
		{"an hour is less than the upstream allows", "", 200, "Cache-Control: max-age=60, stale-if-error=86400", time.Hour + time.Minute},
		{"never stale", "", 200, "Cache-Control: max-age=60, must-revalidate", 59 * time.Second},
		{"never stale in proxies", "", 200, "Cache-Control: max-age=60, proxy-revalidate", 59 * time.Second},
		{"shared", "", 200, "Cache-Control: max-age=600, s-maxage=60", 59 * time.Second},
		{"never stale, and stale already", "", 200, "Cache-Control: max-age=60, must-revalidate; Age: 60", -1},
		{"never stale, nor fresh", "", 200, "Cache-Control: must-revalidate", -1},
		{"no-store", "", 200, "Cache-Control: max-age=60,No-Store", -1},
		{"private", "", 200, "Cache-Control: private", -1},
		{"private fields", "", 200, `Cache-Control: private="x, y", max-age=60`, -1},
		{"a comma in quotes starts no directive", "", 200, `Cache-Control: foo="a, no-store, b"`, time.Hour},
		{"no-cache", "", 200, "Cache-Control: max-age=60, no-cache", -1},
		{"no-store in a second header", "", 200, "Cache-Control: max-age=60; Cache-Control: no-store", -1},
		{"an age that is no number", "", 200, "Cache-Control: max-age=x, must-revalidate", -1},
		{"a client that wants nothing stored", "Cache-Control: no-store", 200, "", -1},
		{"a part", "Range: bytes=0-1", 200, "", -1},
		{"partial content", "", 206, "", -1},
		{"authorized", "Authorization: Basic x", 200, "Cache-Control: max-age=60", -1},
		{"authorized but public", "Authorization: Basic x", 200, "Cache-Control: public", time.Hour},
		{"authorized but shared", "Authorization: Basic x", 200, "Cache-Control: s-maxage=60", 59 * time.Second},
		{"authorized but must-revalidate", "Authorization: Basic x", 200, "Cache-Control: max-age=60, must-revalidate", 59 * time.Second},
		{"to a client with a cookie", "Cookie: a=b", 200, "Cache-Control: max-age=60", -1},
		{"public, to a client with a cookie", "Cookie: a=b", 200, "Cache-Control: public, max-age=60", time.Hour + time.Minute},
		{"sets a cookie", "", 200, "Cache-Control: public; Set-Cookie: a=b", -1},
		{"varies by everything", "", 200, "Vary: Accept, *", -1},
		{"an event stream", "", 200, "Content-Type: text/event-stream; charset=utf-8", -1},
		{"a fallback of another gateway", "", 200, "X-Downgraded: true", -1},
		{"moved", "", 301, "Location: /x", time.Hour},
		{"not found is no good answer", "", 404, "Cache-Control: max-age=60", -1},
		{"an error", "", 500, "", -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			chain := newChain(t, newCache(t, 8<<20), cached(time.Hour))
			q := query("GET /a?b=c", c.request)
			keep(chain, q, c.status, c.response, "body", epoch)
			if c.until >= 0 {
				w := serve(t, chain, q, epoch.Add(c.until))
				if w == nil || w.Code != c.status || w.Body.String() != "body" {
					t.Fatalf("after %s: %v", c.until, w)
				}
			}
			if w := serve(t, chain, q, epoch.Add(c.until+time.Second)); w != nil {
				t.Errorf("served %s after it came", c.until+time.Second)
			}
		})
	}
}

func TestServedResponse(t *testing.T) {
	chain := newChain(t, newCache(t, 8<<20), cached(0))
	q := query("GET /", "")
	keep(chain, q, 200, "Content-Type: text/plain; ETag: \"1\"; Connection: close, X-Hop; X-Hop: 1; Keep-Alive: x; Transfer-Encoding: chunked; Age: 5; Content-Length: 99", "body", epoch)
	for method, body := range map[string]string{"GET": "body", "HEAD": ""} {
		w := serve(t, chain, query(method+" /", ""), epoch.Add(30*time.Second))
		if w.Body.String() != body {
			t.Errorf("%s: body %q", method, w.Body)
		}
		want := header("Content-Type: text/plain; Etag: \"1\"; Age: 35; Content-Length: 4; X-Downgraded: true; X-Downgraded-Reason: timeout")
		if got := w.Header(); len(got) != len(want) {
			t.Errorf("%s: header %v, want %v", method, got, want)
		}
		for name := range want {
			if got := w.Header().Get(name); got != want.Get(name) {
				t.Errorf("%s: %s: %q, want %q", method, name, got, want.Get(name))
			}
		}
	}
	if _, ok := chain.Next(0, query("POST /", ""), true, epoch); ok {
		t.Error("POST was answered from the cache")
	}
}

// TestWritersDoNotShare: filters add to the header of a response that others are sending.
func TestWritersDoNotShare(t *testing.T) {
	chain := newChain(t, newCache(t, 8<<20), cached(0))
	q := query("GET /", "")
	keep(chain, q, 200, "Via: 1", "", epoch)
	first := httptest.NewRecorder()
	a, _ := chain.Next(0, q, false, epoch)
	if err := a.Response.WriteTo(first, "GET", fallback.Reset, epoch); err != nil {
		t.Fatal(err)
	}
	first.Header().Add("Via", "2")
	if got := serve(t, chain, q, epoch).Header()["Via"]; !slices.Equal(got, []string{"1"}) {
		t.Errorf("Via %q", got)
	}
}

func TestAddresses(t *testing.T) {
	chain := newChain(t, newCache(t, 8<<20), cached(0))
	secure := func(q fallback.Query) fallback.Query { q.Request.TLS = &tls.ConnectionState{}; return q }
	tenant := func(q fallback.Query, name string) fallback.Query { q.Tenant = name; return q }
	route := func(q fallback.Query, name string) fallback.Query { q.Route = name; return q }
	all := []fallback.Query{
		query("GET http://a/x", ""), query("GET http://b/x", ""), query("GET http://a/x?y", ""), query("GET http://a/x/y", ""),
		query("GET http://a/x%2Fy", ""), secure(query("GET http://a/x", "")), tenant(query("GET http://a/x", ""), "t"), tenant(query("GET http://a/x", ""), "u"),
		route(query("GET http://a/x", ""), "other"),
	}
	for i, q := range all {
		if serve(t, chain, q, epoch) != nil {
			t.Errorf("address %d was served before it was there", i)
		}
		keep(chain, q, 200, "", fmt.Sprint(i), epoch)
	}
	for i, q := range all {
		if w := serve(t, chain, q, epoch); w == nil || w.Body.String() != fmt.Sprint(i) {
			t.Errorf("address %d got %v", i, w)
		}
	}
}

func TestVary(t *testing.T) {
	chain := newChain(t, newCache(t, 8<<20), cached(0))
	for i, lang := range []string{"de", "en"} {
		keep(chain, query("GET /", "Accept-Language: "+lang+"; User-Agent: "+fmt.Sprint(i)), 200, "Vary: accept-language, Accept-Encoding", lang, epoch)
	}
	for request, want := range map[string]string{
		"Accept-Language: de; User-Agent: z": "de",
		"Accept-Language: en":                "en",
		"Accept-Language: fr":                "",
		"":                                   "",
		"Accept-Language: en; Accept-Encoding: gzip": "",
		"Accept-Language: en; Accept-Language: de":   "",
	} {
		got := ""
		if w := serve(t, chain, query("GET /", request), epoch); w != nil {
			got = w.Body.String()
		}
		if got != want {
			t.Errorf("%q gets %q, want %q", request, got, want)
		}
	}
}

func TestNewerResponsesReplaceOlderOnes(t *testing.T) {
	cache := newCache(t, 8<<20)
	chain := newChain(t, cache, cached(0))
	q := query("GET /", "")
	keep(chain, q, 200, "", "one", epoch)
	keep(chain, q, 200, "", "two", epoch.Add(999*time.Millisecond))
	if w := serve(t, chain, q, epoch); w.Body.String() != "one" {
		t.Errorf("%q: replaced within a second", w.Body)
	}
	keep(chain, q, 200, "", "three", epoch.Add(time.Second))
	if w := serve(t, chain, q, epoch.Add(time.Second)); w.Body.String() != "three" {
		t.Errorf("%q: not replaced", w.Body)
	}
	if s := cache.Stats(); s.Entries != 1 || s.Stored != 2 || s.Served != 2 {
		t.Errorf("%+v", s)
	}
}

// TestVariantsAreBounded: an upstream that varies by User-Agent keeps eight of its pages, the newest.
func TestVariantsAreBounded(t *testing.T) {
	cache := newCache(t, 8<<20)
	chain := newChain(t, cache, cached(0))
	for i := range 20 {
		keep(chain, query("GET /", fmt.Sprint("User-Agent: ", i)), 200, "Vary: User-Agent", fmt.Sprint(i), epoch)
	}
	for i := range 20 {
		if w := serve(t, chain, query("GET /", fmt.Sprint("User-Agent: ", i)), epoch); (w != nil) != (i >= 12) {
			t.Errorf("variant %d: %v", i, w)
		}
	}
	if n := cache.Stats().Entries; n != 8 {
		t.Errorf("%d entries", n)
	}
}

func TestCapture(t *testing.T) {
	const most = 10 << 10
	for _, c := range []struct {
		name   string
		length int64
		parts  []int
		end    string
		kept   bool
	}{
		{"whole", 6000, []int{1000, 5000}, "commit", true},
		{"of unknown length", -1, []int{1, 5000, 4000}, "commit", true},
		{"as large as allowed", -1, []int{most}, "commit", true},
		{"empty", 0, nil, "commit", true},
		{"too large", -1, []int{most, 1}, "commit", false},
		{"said to be too large", most + 1, nil, "commit", false},
		{"shorter than declared", 100, []int{99}, "commit", false},
		{"longer than declared", 100, []int{99, 2}, "commit", false},
		{"broken off", -1, []int{100}, "abandon", false},
		{"committed after it was abandoned", -1, []int{100}, "both", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cache := newCache(t, 8<<20)
			chain := newChain(t, cache, fallback.Step{Cached: &fallback.Cached{MaxBodyBytes: most}})
			q := query("GET /", "")
			capture := chain.Capture(q, 200, http.Header{}, c.length, trace.SpanContext{}, epoch)
			var want strings.Builder
			for i, n := range c.parts {
				part := []byte(strings.Repeat(string(rune('a'+i)), n))
				want.Write(part)
				capture.Write(part)
				clear(part) // the buffer is the caller's
			}
			if c.end != "commit" {
				capture.Abandon()
			}
			if c.end != "abandon" {
				capture.Commit()
			}
			w := serve(t, chain, q, epoch)
			if (w != nil) != c.kept || w != nil && w.Body.String() != want.String() {
				t.Errorf("kept %t, want %t", w != nil, c.kept)
			}
			if s := cache.Stats(); s.CapturingBytes != 0 {
				t.Errorf("%d bytes are still reserved", s.CapturingBytes)
			}
		})
	}
}

func TestOriginLeadsToTheTrace(t *testing.T) {
	chain := newChain(t, newCache(t, 8<<20), cached(0))
	origin := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	q := query("GET /", "")
	chain.Capture(q, 200, http.Header{}, 0, origin, epoch).Commit()
	a, ok := chain.Next(0, q, false, epoch)
	if !ok || !a.Response.Origin.Equal(origin) {
		t.Errorf("%+v", a)
	}
}

func TestChain(t *testing.T) {
	static := fallback.Step{Static: &fallback.Static{Header: header("Content-Type: text/plain"), Body: []byte("sorry")}}
	chain := newChain(t, newCache(t, 8<<20), cached(time.Minute), fallback.Step{Upstream: "spare"}, static)
	q := query("GET /", "")
	walk := func(replayable bool, now time.Time) (kinds []string) {
		for from := 0; ; {
			a, ok := chain.Next(from, q, replayable, now)
			if !ok {
				return kinds
			}
			kinds = append(kinds, string(a.Kind)+a.Upstream)
			from = a.Next
		}
	}
	if got := walk(true, epoch); !slices.Equal(got, []string{"upstreamspare", "static"}) {
		t.Errorf("nothing cached: %q", got)
	}
	keep(chain, q, 200, "", "", epoch)
	if got := walk(true, epoch); !slices.Equal(got, []string{"cached", "upstreamspare", "static"}) {
		t.Errorf("cached: %q", got)
	}
	if got := walk(false, epoch.Add(time.Hour)); !slices.Equal(got, []string{"static"}) {
		t.Errorf("stale, and the body is gone: %q", got)
	}
	w := serve(t, chain, query("DELETE /", ""), epoch)
	if w.Code != 503 || w.Body.String() != "sorry" || w.Header().Get("Content-Length") != "5" || w.Header().Get("X-Downgraded") != "true" || w.Header().Get("Age") != "" {
		t.Errorf("static: %d %v %q", w.Code, w.Header(), w.Body)
	}
}

func TestCovers(t *testing.T) {
	static := fallback.Step{Static: &fallback.Static{}}
	some, err := fallback.New(fallback.Settings{Steps: []fallback.Step{static}, On: []fallback.Reason{fallback.Timeout}, Statuses: []int{500}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	all, none := newChain(t, nil, static), newChain(t, nil)
	for _, r := range fallback.Reasons() {
		if !all.Covers(r) || none.Covers(r) || some.Covers(r) != (r == fallback.Timeout) {
			t.Errorf("%s: all %t, none %t, some %t", r, all.Covers(r), none.Covers(r), some.Covers(r))
		}
	}
	if !some.Failed(500) || some.Failed(503) || !all.Failed(503) || all.Failed(500) {
		t.Error("the statuses are not those of the settings")
	}
	if _, ok := none.Next(0, query("GET /", ""), true, epoch); ok {
		t.Error("a step of an empty chain")
	}
	if c := all.Capture(query("GET /", ""), 200, http.Header{}, 0, trace.SpanContext{}, epoch); c != nil {
		t.Error("a capture without a cache")
	}
}

func TestNewRefuses(t *testing.T) {
	c := newCache(t, 1<<20)
	for _, tc := range []struct {
		s     fallback.Settings
		cache *fallback.Cache
		want  string
	}{
		{fallback.Settings{Steps: []fallback.Step{{}}}, c, "Steps[0]: must have exactly one"},
		{fallback.Settings{Steps: []fallback.Step{{Upstream: "a", Static: &fallback.Static{}}}}, c, "Steps[0]: must have exactly one"},
		{fallback.Settings{Steps: []fallback.Step{{Cached: &fallback.Cached{MaxBodyBytes: 1}}, {Cached: &fallback.Cached{MaxBodyBytes: 1}}}}, c, "Steps[1]: Cached: is a step already"},
		{fallback.Settings{Steps: []fallback.Step{{Cached: &fallback.Cached{}}}}, nil, "Steps[0]: Cached: there is no cache"},
		{fallback.Settings{Steps: []fallback.Step{{Cached: &fallback.Cached{MaxStale: -1}}}}, c, "must not be negative"},
		{fallback.Settings{Steps: []fallback.Step{{Cached: &fallback.Cached{}}}}, c, "MaxBodyBytes must not be above 65536, got 262144: raise"},
		{fallback.Settings{Steps: []fallback.Step{{Static: &fallback.Static{Status: 100}}}}, c, "Static: status must be from 200 to 599, got 100"},
		{fallback.Settings{On: []fallback.Reason{"rain"}}, c, `On: "rain" is none of`},
		{fallback.Settings{Statuses: []int{200}}, c, "Statuses: 200 is no error status"},
	} {
		if _, err := fallback.New(tc.s, tc.cache); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v, want %q", tc.s, err, tc.want)
		}
	}
	if _, err := fallback.NewCache(1000); err == nil {
		t.Error("a cache without room")
	}
}

// TestThroughAServer: the whole way with a real server and client; the body passes while it is captured.
func TestThroughAServer(t *testing.T) {
	chain := newChain(t, newCache(t, 8<<20), cached(0))
	down := false
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := fallback.Query{Route: "r", Request: r}
		if down {
			if a, ok := chain.Next(0, q, false, time.Now()); ok {
				_ = a.Response.WriteTo(w, r.Method, fallback.Connect, time.Now())
				return
			}
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "text/x")
		c := chain.Capture(q, 200, w.Header(), -1, trace.SpanContext{}, time.Now())
		for _, part := range []string{"hello ", "world"} {
			_, _ = io.WriteString(w, part)
			c.Write([]byte(part))
		}
		c.Commit()
	}))
	defer s.Close()
	fetch := func(path string) (*http.Response, string) {
		res, err := s.Client().Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(body)
	}
	fetch("/a")
	down = true
	if res, body := fetch("/a"); res.StatusCode != 200 || body != "hello world" || res.Header.Get("X-Downgraded-Reason") != "connect" || res.Header.Get("Content-Type") != "text/x" {
		t.Errorf("%d %q %v", res.StatusCode, body, res.Header)
	}
	if res, _ := fetch("/b"); res.StatusCode != 502 {
		t.Errorf("never seen, and yet %d", res.StatusCode)
	}
	s.Client().CloseIdleConnections()
}
