package e2e

import (
	"crypto/rand"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
)

// route identifies a series of the gateway's request counts.
type route struct {
	method, path, status string
}

// traffic is a client that counts what it was answered and remembers the traces that must be kept.
type traffic struct {
	stack   *stack
	counts  map[route]int
	failed  map[string]string // trace id -> what it was, for answers of 5xx
	slow    map[string]string // the same for requests that a fault delayed beyond the sampler's threshold
	fine    map[string]string // the same for requests without any fault, which may be dropped
	parents map[string]bool   // span ids of the client, which exports no spans
}

func newTraffic(s *stack) *traffic {
	return &traffic{stack: s, counts: map[route]int{}, failed: map[string]string{}, slow: map[string]string{},
		fine: map[string]string{}, parents: map[string]bool{}}
}

// call is one kind of request.
type call struct {
	method, url string
	template    string // the route's path; empty when none matches
	body        string
	fault       string // X-Demo-Fault
	status      int
	slow        bool
}

// send sends the call n times and checks each answer.
func (tr *traffic) send(t *testing.T, n int, c call) {
	t.Helper()
	for range n {
		traceID, spanID := randomHex(t, 16), randomHex(t, 8)
		req, err := http.NewRequestWithContext(t.Context(), c.method, tr.stack.gateway+c.url, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("traceparent", "00-"+traceID+"-"+spanID+"-01")
		if c.fault != "" {
			req.Header.Set("X-Demo-Fault", c.fault)
		}
		if c.body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("%s %s: %v", c.method, c.url, err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatalf("%s %s: read the answer: %v", c.method, c.url, err)
		}
		if resp.StatusCode != c.status {
			t.Fatalf("%s %s (%s): status %d, want %d: %s", c.method, c.url, c.fault, resp.StatusCode, c.status, body)
		}
		tr.counts[route{c.method, c.template, resp.Status[:3]}]++
		tr.parents[spanID] = true
		what := c.method + " " + c.url + " " + c.fault
		switch {
		case resp.StatusCode >= 500:
			tr.failed[traceID] = what
		case c.fault == "":
			tr.fine[traceID] = what
		}
		if c.slow {
			tr.slow[traceID] = what
		}
	}
}

func randomHex(t *testing.T, bytes int) string {
	t.Helper()
	b := make([]byte, bytes)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b)
}
