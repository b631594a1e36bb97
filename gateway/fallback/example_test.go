package fallback_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/tailgate-otel/tailgate/gateway/fallback"
)

// A route that answers with what it last saw, else from a spare upstream, else with an apology.
func Example() {
	cache, err := fallback.NewCache(64 << 20) // for all routes
	if err != nil {
		panic(err)
	}
	chain, err := fallback.New(fallback.Settings{Steps: []fallback.Step{
		{Cached: &fallback.Cached{MaxStale: time.Hour}},
		{Upstream: "spare"},
		{Static: &fallback.Static{Status: http.StatusServiceUnavailable, Body: []byte("back soon")}},
	}}, cache)
	if err != nil {
		panic(err)
	}
	q := fallback.Query{Route: "shop", Request: httptest.NewRequest(http.MethodGet, "/offers", nil)}
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

	capture := chain.Capture(q, http.StatusOK, http.Header{"Content-Type": {"text/plain"}}, -1, trace.SpanContext{}, now)
	capture.Write([]byte("ten of ten")) // for each part that goes to the client
	capture.Commit()                    // at the end of the body

	for _, later := range []time.Duration{time.Minute, 2 * time.Hour} { // the upstream is down
		action, ok := chain.Next(0, q, true, now.Add(later))
		fmt.Printf("%t: %s %q\n", ok, action.Kind, action.Upstream)
		if action.Response != nil {
			w := httptest.NewRecorder()
			_ = action.Response.WriteTo(w, http.MethodGet, fallback.Connect, now.Add(later)) // the recorder takes all
			fmt.Println(w.Code, w.Body, w.Header().Get("Age"), w.Header().Get(fallback.HeaderReason))
		}
	}
	// Output:
	// true: cached ""
	// 200 ten of ten 60 connect
	// true: upstream "spare"
}
