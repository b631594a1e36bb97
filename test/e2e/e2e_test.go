package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// exported is how long the test waits for what programs export every 5 s: two exports, and a slow machine.
const exported = 60 * time.Second

// TestStack starts the product once; its parts build on each other, in this order.
func TestStack(t *testing.T) {
	s := startStack(t)
	tr := newTraffic(s)
	for _, part := range []struct {
		name string
		run  func(*testing.T, *stack, *traffic)
	}{
		{"requests are counted by route and status", countRequests},
		{"whole journeys are counted at their entry", countJourneys},
		{"spans in = kept + dropped + failed + held", balance},
		{"traces are kept whole, and all that failed", keptTraces},
		{"decisions are explained, and a dropped trace is brought back", explained},
		{"malformed OTLP is refused and counted", malformedOTLP},
		{"telemetrygen's spans and metrics arrive", telemetrygen},
		{"every panel has data", panels},
		{"the viewer draws every dashboard", viewerDraws},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.run(t, s, tr) }) {
			break // the next parts count on this one
		}
	}
	for _, line := range s.loggedErrors() {
		t.Errorf("a child logged an error: %s", line)
	}
}

// countRequests sends requests to services that ask nobody else, so that the gateway's counts must equal the client's.
func countRequests(t *testing.T, s *stack, tr *traffic) {
	const products, product, cart, items, payment = "/api/catalog/products", "/api/catalog/products/{id}", "/api/cart/{user}", "/api/cart/{user}/items", "/api/payment"
	tr.send(t, 40, call{method: "GET", url: products, template: products, status: 200})
	tr.send(t, 7, call{method: "GET", url: products, template: products, fault: "catalog=error:500", status: 500})
	tr.send(t, 5, call{method: "GET", url: products, template: products, fault: "catalog=error:503", status: 503})
	tr.send(t, 3, call{method: "GET", url: products, template: products, fault: "catalog=slow:700ms", status: 200, slow: true})
	tr.send(t, 6, call{method: "GET", url: products + "/no-such-thing", template: product, status: 404})
	tr.send(t, 12, call{method: "GET", url: "/api/cart/ada", template: cart, status: 200})
	tr.send(t, 4, call{method: "GET", url: "/api/cart/ada", template: cart, fault: "cart=error", status: 503})
	tr.send(t, 3, call{method: "POST", url: "/api/cart/ada/items", template: items, body: `{"nonsense"`, status: 400})
	tr.send(t, 2, call{method: "POST", url: "/api/payment", template: payment, fault: "payment=error:502", body: `{}`, status: 502})
	tr.send(t, 9, call{method: "GET", url: "/no/such/route", status: 404})
	s.expectCounts(t, tr.counts)

	rejected := s.scalar(t, `sum(gateway_requests_rejected_total{job="gateway",gateway_reject_reason="no_route"})`)
	if rejected != 9 {
		t.Errorf("%v requests rejected for want of a route, want 9", rejected)
	}
}

// countJourneys sends requests that go on through the gateway from service to service; only their entry is counted.
func countJourneys(t *testing.T, s *stack, tr *traffic) {
	id := firstProduct(t, s)
	before := maps.Clone(tr.counts)
	tr.send(t, 15, call{method: "GET", url: "/", template: "/", status: 200})
	tr.send(t, 4, call{method: "GET", url: "/", template: "/", fault: "catalog=error", status: 502})
	tr.send(t, 10, call{method: "GET", url: "/shop/product/" + id, template: "/shop/{rest...}", status: 200})
	for range 5 {
		tr.send(t, 1, call{method: "POST", url: "/api/cart/bob/items", template: "-", body: `{"product":"` + id + `","quantity":2}`, status: 201})
		tr.send(t, 1, call{method: "POST", url: "/api/checkout", template: "/api/checkout", body: `{"user":"bob","method":"card"}`, status: 201})
	}
	tr.send(t, 1, call{method: "POST", url: "/api/cart/eve/items", template: "-", body: `{"product":"` + id + `","quantity":1}`, status: 201})
	tr.send(t, 3, call{method: "POST", url: "/api/checkout", template: "/api/checkout", fault: "payment=error", body: `{"user":"eve","method":"card"}`, status: 502})

	entries := map[route]int{}
	for r, n := range tr.counts {
		if slices.Contains([]string{"/", "/shop/{rest...}", "/api/checkout"}, r.path) {
			entries[r] = n - before[r]
		}
	}
	s.expectCounts(t, entries)
}

func firstProduct(t *testing.T, s *stack) string {
	t.Helper()
	resp, err := http.Get(s.gateway + "/api/catalog/products")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list []struct{ ID string }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil || len(list) == 0 {
		t.Fatalf("list products: %v, %d products", err, len(list))
	}
	return list[0].ID
}

// expectCounts waits until the store shows exactly the wanted requests for the routes in want.
func (s *stack) expectCounts(t *testing.T, want map[route]int) {
	t.Helper()
	paths := map[string]bool{}
	for r := range want {
		paths[r.path] = true
	}
	eventually(t, exported, func() error {
		got := map[route]int{}
		for _, v := range s.query(t, `sum by (http_request_method, http_route, http_response_status_code) (histogram_count(http_server_request_duration_seconds{job="gateway"}))`) {
			r := route{v.labels["http_request_method"], v.labels["http_route"], v.labels["http_response_status_code"]}
			if paths[r.path] {
				got[r] = int(v.value)
			}
		}
		if !maps.Equal(got, want) {
			return fmt.Errorf("the store has %v, the client counted %v", got, want)
		}
		return nil
	})
}

// spans is the balance of the sampler, and what stands before and behind it.
type spans struct {
	accepted, received, recovered, rescued, kept, dropped, failed, held, written float64
}

func (s *stack) spans(t *testing.T) spans {
	t.Helper()
	sampler := func(term string) float64 {
		return s.scalar(t, "sum(otelcol_processor_tail_sampling_spans_"+term+")")
	}
	return spans{
		accepted: s.scalar(t, `sum(otelcol_receiver_accepted_spans_total{job="tailgate"})`),
		received: sampler("received_total"), recovered: sampler("recovered_total"), rescued: sampler("rescued_total"),
		kept: sampler("kept_total"), dropped: sampler("dropped_total"), failed: sampler("failed_total"), held: sampler("held"),
		written: s.scalar(t, `sum(otelcol_exporter_sent_spans_total{exporter="file/traces"})`),
	}
}

// settled reports why not every span has found its fate, or nil.
func (b spans) settled() error {
	if b.held != 0 || b.failed != 0 || b.received+b.recovered+b.rescued != b.kept+b.dropped {
		return fmt.Errorf("not balanced: %+v", b)
	}
	return nil
}

// balance waits until everything is decided and demands that no span is unaccounted for, from the receiver to the file,
// and that span metrics, which count before sampling and flush on their own beat, have counted each one.
func balance(t *testing.T, s *stack, _ *traffic) {
	eventually(t, exported, func() error {
		b, counted := s.spans(t), s.scalar(t, `sum(traces_span_metrics_calls_total)`)
		if err := b.settled(); err != nil {
			return err
		}
		if b.received == 0 || b.received != b.accepted || b.written != b.kept {
			return fmt.Errorf("the sampler's counts are not those of its neighbours: %+v", b)
		}
		if counted != b.accepted {
			return fmt.Errorf("span metrics counted %v spans, %v came in", counted, b.accepted)
		}
		t.Logf("%.0f spans in = %.0f kept + %.0f dropped", b.received, b.kept, b.dropped)
		return nil
	})
}

// malformedOTLP checks the answers that the OTLP specification asks for, and that each is on a metric.
func malformedOTLP(t *testing.T, s *stack, _ *traffic) {
	for _, tc := range []struct {
		contentType, body string
		status            int
	}{
		{"application/x-protobuf", "not protobuf", 400},
		{"application/json", `{"resourceSpans":[{"x`, 400},
		{"text/plain", "hello", 415},
	} {
		resp, err := http.Post(s.otlp+"/v1/traces", tc.contentType, strings.NewReader(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tc.status {
			t.Errorf("%s %q: status %d, want %d", tc.contentType, tc.body, resp.StatusCode, tc.status)
		}
	}
	eventually(t, exported, func() error {
		for status, want := range map[string]float64{"400": 2, "415": 1} {
			got := s.scalar(t, `sum(http_server_request_duration_seconds_count{job="tailgate",http_route="/v1/traces",http_response_status_code="`+status+`"})`)
			if got != want {
				return fmt.Errorf("%v requests counted with status %s, want %v", got, status, want)
			}
		}
		return nil
	})
}

// telemetrygen is a client that we did not write.
func telemetrygen(t *testing.T, s *stack, _ *traffic) {
	tool := os.Getenv("TELEMETRYGEN")
	if tool == "" {
		t.Fatal("TELEMETRYGEN must name the telemetrygen binary: run `make e2e`")
	}
	for _, args := range [][]string{
		{"traces", "--traces", "50", "--child-spans", "3", "--workers", "1", "--rate", "100", "--service", "generated"},
		{"metrics", "--metrics", "1", "--workers", "1", "--service", "generated", "--otlp-metric-name", "generated"},
	} {
		args = append(args, "--otlp-insecure", "--otlp-endpoint", s.grpc)
		if out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput(); err != nil {
			t.Fatalf("telemetrygen %s: %v\n%s", args[0], err, out)
		}
	}
	eventually(t, exported, func() error {
		if n := s.scalar(t, `sum(traces_span_metrics_calls_total{service_name="generated"})`); n != 50*4 {
			return fmt.Errorf("%v of its spans were counted, want 200", n)
		}
		// It exports once or twice and is gone, and its series with it: an instant query may come too late.
		if r := s.query(t, `last_over_time(generated{job="generated"}[10m])`); len(r) != 1 {
			return fmt.Errorf("%d series of its metric, want 1", len(r))
		}
		return nil
	})
	balance(t, s, nil)
}
