package limit_test

import (
	"context"
	"fmt"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/limit"
)

// A route with a gate whose limit finds itself.
func Example() {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	adaptive := limit.NewAdaptive(limit.AdaptiveSettings{Start: 20}, now)
	gate := limit.NewGate(limit.GateSettings{Limit: adaptive.Limit(), Queue: 10, QueueTimeout: 100 * time.Millisecond})

	if refusal := gate.Enter(context.Background()); refusal.Refused() {
		fmt.Println(refusal.Status(), refusal.RetryAfter)
		return
	}
	firstByte := 12 * time.Millisecond // of the upstream's response
	if n, changed := adaptive.Observe(firstByte, gate.State().InFlight, false, now.Add(firstByte)); changed {
		gate.SetLimit(n)
	}
	gate.Leave()
	fmt.Printf("%+v\n", gate.State())
	// Output: {Limit:10 InFlight:0 Queued:0}
}

// Two rules: no client may take the whole route.
func ExampleRates() {
	client, err := limit.NewRule(limit.RateSettings{Name: "client", Requests: 60, Per: time.Minute, Burst: 2, By: limit.ByClient})
	if err != nil {
		panic(err)
	}
	route, err := limit.NewRule(limit.RateSettings{Name: "route", Requests: 1000})
	if err != nil {
		panic(err)
	}
	table, now := limit.NewRates(10_000), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 3 {
		quota, refusal := table.Admit([]*limit.Rule{client, route}, limit.Who{Route: "api", Client: "10.0.0.1"}, now)
		fmt.Println(quota.Remaining, refusal.Refused(), refusal.RetryAfter)
	}
	// Output:
	// 1 false 0s
	// 0 false 0s
	// 0 true 1s
}
