package retry_test

import (
	"context"
	"fmt"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/retry"
)

// Two endpoints, of which the first refuses connections.
func ExampleDo() {
	policy, err := retry.New(retry.Settings{Attempts: 2})
	if err != nil {
		panic(err)
	}
	state := retry.NewState(time.Now()) // one per route, kept over reloads
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	endpoints := []string{"down", "up"}
	res := retry.Do(ctx, policy, state, retry.Request{Method: "POST"}, func(_ context.Context, try retry.Try) (string, retry.Failure) {
		if endpoints[try.Number] == "down" {
			return "", retry.Failure{Class: retry.NotSent}
		}
		return "hello from " + endpoints[try.Number], retry.Failure{}
	}, func(string) {})
	fmt.Println(res.Answer, res.Tries, res.Reason)
	// Output: hello from up 2 answered
}
