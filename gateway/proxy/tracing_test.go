package proxy_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

var rewriteGolden = flag.Bool("rewrite", false, "write the golden files anew")

const (
	remoteTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	remoteParent = "00-" + remoteTrace + "-00f067aa0ba902b7-01"
)

// TestTraceContext: whatever clients send, exactly one traceparent goes upstream, and it is that of the attempt's span.
func TestTraceContext(t *testing.T) {
	for _, tc := range []struct {
		name, trust  string
		header       []string
		continued    bool // the trace is the client's
		links        int
		state, extra string // tracestate and baggage that the upstream sees
	}{
		{"none", "continue", nil, false, 0, "", ""},
		{"valid", "continue", []string{"Traceparent", remoteParent, "Tracestate", "a=1", "Tracestate", "b=2", "Baggage", "k=v"}, true, 0, "a=1,b=2", "k=v"},
		{"not sampled", "continue", []string{"Traceparent", remoteParent[:53] + "00"}, true, 0, "", ""},
		{"duplicate", "continue", []string{"Traceparent", remoteParent, "Traceparent", strings.Replace(remoteParent, "4bf9", "1bf9", 1)}, false, 0, "", ""},
		{"garbage", "continue", []string{"Traceparent", "00-hello-world", "Tracestate", "a=1"}, false, 0, "", ""},
		{"all zero", "continue", []string{"Traceparent", "00-00000000000000000000000000000000-0000000000000000-01"}, false, 0, "", ""},
		{"link", "link", []string{"Traceparent", remoteParent, "Baggage", "k=v"}, false, 1, "", "k=v"},
		{"link to garbage", "link", []string{"Traceparent", "x"}, false, 0, "", ""},
		{"ignore", "ignore", []string{"Traceparent", remoteParent, "Tracestate", "a=1", "Baggage", "k=v"}, false, 0, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got http.Header
			r := newRig(t, strings.Replace(one, "telemetry: {", "telemetry: { trust_inbound_trace: "+tc.trust+",", 1),
				"up", serve(t, func(_ http.ResponseWriter, req *http.Request) { got = req.Header.Clone() })).start()
			r.do(http.MethodGet, "/", nil, tc.header...)
			if n := len(got["Traceparent"]); n != 1 {
				t.Fatalf("%d traceparent headers went upstream: %q", n, got["Traceparent"])
			}
			sent := strings.Split(got.Get("Traceparent"), "-")
			if (sent[1] == remoteTrace) != tc.continued {
				t.Errorf("trace %s went upstream, want the client's: %v", sent[1], tc.continued)
			}
			if state := strings.Join(got["Tracestate"], ","); state != tc.state {
				t.Errorf("tracestate %q, want %q", state, tc.state)
			}
			if extra := strings.Join(got["Baggage"], ","); extra != tc.extra {
				t.Errorf("baggage %q, want %q", extra, tc.extra)
			}
			if tc.name == "not sampled" {
				if spans := r.ended(trace.SpanKindServer); len(spans) != 0 || sent[3] != "00" {
					t.Errorf("%d spans recorded and flags %s sent for a trace that its root did not sample", len(spans), sent[3])
				}
				return
			}
			checkFamily(t, r, sent, tc.links)
		})
	}
}

// checkFamily: the attempt is the child of the server span, and its id is what the upstream got.
func checkFamily(t *testing.T, r *rig, sent []string, links int) {
	t.Helper()
	server, attempt := r.server(), r.ended(trace.SpanKindClient)[0]
	if attempt.Parent().SpanID() != server.SpanContext().SpanID() || attempt.SpanContext().TraceID() != server.SpanContext().TraceID() {
		t.Error("the attempt's span is not a child of the request's")
	}
	if sent[1] != server.SpanContext().TraceID().String() || sent[2] != attempt.SpanContext().SpanID().String() {
		t.Errorf("%q went upstream, want the attempt's span %s of trace %s", sent, attempt.SpanContext().SpanID(), server.SpanContext().TraceID())
	}
	if got := len(server.Links()); got != links || links == 1 && server.Links()[0].SpanContext.TraceID().String() != remoteTrace {
		t.Errorf("links %v, want %d", server.Links(), links)
	}
}

// TestGoldenSpans compares names, kinds, status and all attributes with testdata/spans.golden. What differs from run to
// run (ports, ids) is replaced by its name.
func TestGoldenSpans(t *testing.T) {
	up, none := serve(t, func(w http.ResponseWriter, req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/broken") {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}), refused(t)
	var out strings.Builder
	for _, tc := range []struct{ method, path, agent string }{
		{"GET", "/api/items/7?color=red&sig=secret", "test/1"},
		{"POST", "/api/items/broken", "test/1"},
		{"BREW", "/api/items/7", "test/1"},
		{"GET", "/gone/1", "test/1"},
		{"GET", "/nothing", "test/1"},
	} {
		r := newRig(t, `
upstreams: { items: { endpoints: ["$up"] }, gone: { endpoints: ["$none"], cooldown: 1h } }
routes:
  - { name: item, match: { path: "/api/items/{id}" }, upstream: items }
  - { name: gone, match: { path: "/gone/{id}" }, upstream: gone }
`, "up", up, "none", none).start()
		r.do(tc.method, tc.path, nil, "User-Agent", tc.agent)
		_, _ = fmt.Fprintf(&out, "%s %s\n", tc.method, tc.path)
		replacer := strings.NewReplacer(strings.TrimPrefix(up, "http://127.0.0.1:"), "UP", strings.TrimPrefix(none, "http://127.0.0.1:"), "NONE", strings.TrimPrefix(r.URL, "http://127.0.0.1:"), "FRONT")
		for _, s := range append(r.ended(trace.SpanKindServer), r.ended(trace.SpanKindClient)...) {
			out.WriteString(replacer.Replace(describe(s)))
		}
	}
	const file = "testdata/spans.golden"
	if *rewriteGolden {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != string(want) {
		t.Errorf("spans differ from %s (-rewrite writes it anew):\n%s", file, got)
	}
}

func describe(s sdktrace.ReadOnlySpan) string {
	lines := []string{}
	for _, kv := range s.Attributes() {
		v := kv.Value.String()
		if kv.Key == "network.peer.port" {
			v = "PEER"
		}
		lines = append(lines, fmt.Sprintf("    %s=%s\n", kv.Key, v))
	}
	slices.Sort(lines)
	return fmt.Sprintf("  %s %q status=%s %q\n%s", s.SpanKind(), s.Name(), s.Status().Code, s.Status().Description, strings.Join(lines, ""))
}

func TestExemplarsCarryTheTrace(t *testing.T) {
	r := newRig(t, one, "up", serve(t, echo)).start()
	r.do(http.MethodGet, "/", nil)
	want := map[string]string{
		"http.server.request.duration": r.server().SpanContext().SpanID().String(),
		"http.client.request.duration": r.ended(trace.SpanKindClient)[0].SpanContext().SpanID().String(),
	}
	for _, sm := range r.collect().ScopeMetrics {
		for _, m := range sm.Metrics {
			h, ok := m.Data.(metricdata.ExponentialHistogram[float64])
			if !ok {
				continue
			}
			ex := h.DataPoints[0].Exemplars
			if len(ex) != 1 || fmt.Sprintf("%x", ex[0].SpanID) != want[m.Name] || fmt.Sprintf("%x", ex[0].TraceID) != r.server().SpanContext().TraceID().String() {
				t.Errorf("%s: exemplars %v, want span %s", m.Name, ex, want[m.Name])
			}
			delete(want, m.Name)
		}
	}
	if len(want) > 0 {
		t.Errorf("no histograms %v", want)
	}
}

func TestForwardingHeaders(t *testing.T) {
	sent := []string{"X-Forwarded-For", "6.6.6.6", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "gopher", "Forwarded", "for=6.6.6.6",
		"Connection", "X-Hop", "X-Hop", "secret", "Keep-Alive", "timeout=5", "Via", "1.0 fred"}
	for _, tc := range []struct{ trust, want string }{
		{"false", "for=127.0.0.1 host=shop.example proto=http forwarded= hop= via=1.0 fred,1.1 tailgate-gateway"},
		{"true", "for=6.6.6.6, 127.0.0.1 host=evil.example proto=gopher forwarded=for=6.6.6.6 hop= via=1.0 fred,1.1 tailgate-gateway"},
	} {
		r := newRig(t, one+"trust_forwarded: "+tc.trust, "up", serve(t, func(w http.ResponseWriter, req *http.Request) {
			h := req.Header
			_, _ = fmt.Fprintf(w, "for=%s host=%s proto=%s forwarded=%s hop=%s via=%s", h.Get("X-Forwarded-For"), h.Get("X-Forwarded-Host"),
				h.Get("X-Forwarded-Proto"), h.Get("Forwarded"), h.Get("X-Hop")+h.Get("Keep-Alive"), strings.Join(h["Via"], ","))
		})).start()
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, r.URL+"/", nil)
		req.Host = "shop.example"
		for i := 0; i < len(sent); i += 2 {
			req.Header.Add(sent[i], sent[i+1])
		}
		res, err := r.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, res); got != tc.want {
			t.Errorf("trust_forwarded: %s: the upstream saw\n%s, want\n%s", tc.trust, got, tc.want)
		}
	}
}

func TestHostAndPathThatGoUpstream(t *testing.T) {
	up := serve(t, func(w http.ResponseWriter, req *http.Request) {
		_, _ = fmt.Fprint(w, req.Host, " ", req.URL.RequestURI())
	})
	host := strings.TrimPrefix(up, "http://")
	r := newRig(t, `
upstreams: { client: { endpoints: ["$up"] }, endpoint: { endpoints: ["$up"], host: endpoint } }
routes:
  - { name: a, match: { path: "/a/{rest...}" }, upstream: client, strip_prefix: /a }
  - { name: b, match: { path: "/b/{x}" }, upstream: endpoint, rewrite: "/new/{x}/end", literal_paths: true }
`, "up", up).start()
	for path, want := range map[string]string{
		"/a/x%2Fy?q=1": strings.TrimPrefix(r.URL, "http://") + " /x%2Fy?q=1",
		"/b/x%2Fy?q=1": host + " /new/x%2Fy/end?q=1",
	} {
		if _, got := r.do(http.MethodGet, path, nil); got != want {
			t.Errorf("%s: the upstream saw %q, want %q", path, got, want)
		}
	}
}

func TestAccessLog(t *testing.T) {
	r := newRig(t, one, "up", serve(t, echo)).start()
	r.do(http.MethodPost, "/a/b?secret=1", strings.NewReader("body"))
	r.busy.Wait()
	line := r.log.String()
	for _, want := range []string{"level=DEBUG", "msg=request", "method=POST", "path=/a/b ", "status=200", "route=all", "upstream=up", "attempts=1", "received=4", "sent=23"} {
		if !strings.Contains(line, want) {
			t.Errorf("no %s in %q", want, line)
		}
	}
	if strings.Contains(line, "secret") {
		t.Errorf("the line holds the query: %q", line)
	}
}
