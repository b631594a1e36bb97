package retry_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/tailgate-otel/tailgate/gateway/retry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var get = retry.Request{Method: "GET", Replayable: true}

func policy(t testing.TB, s retry.Settings) *retry.Policy {
	t.Helper()
	p, err := retry.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// step is what an upstream does with one try.
type step struct {
	after  time.Duration
	answer string
	f      retry.Failure
}

// upstream answers tries by a script and writes down what it saw.
type upstream struct {
	t     *testing.T
	start time.Time
	steps []step

	mu        sync.Mutex
	tries     []string
	discarded []string
}

func (u *upstream) attempt(ctx context.Context, try retry.Try) (string, retry.Failure) {
	kind := "try"
	if try.Hedge {
		kind = "hedge"
	}
	u.mu.Lock()
	u.tries = append(u.tries, fmt.Sprintf("%s %d at %s", kind, try.Number, time.Since(u.start)))
	s := u.steps[try.Number]
	u.mu.Unlock()
	select {
	case <-time.After(s.after):
		return s.answer, s.f
	case <-ctx.Done():
		u.mu.Lock()
		u.tries = append(u.tries, fmt.Sprintf("%s %d cancelled at %s", kind, try.Number, time.Since(u.start)))
		u.mu.Unlock()
		return "", retry.Failure{Class: retry.Final, Err: ctx.Err()}
	}
}

func (u *upstream) discard(s string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if s != "" {
		u.discarded = append(u.discarded, s)
	}
}

// experienced returns a state that knows n answers of 20ms.
func experienced(p *retry.Policy, n int) *retry.State {
	s := retry.NewState(time.Now())
	for range n {
		retry.Do(context.Background(), p, s, get, func(context.Context, retry.Try) (string, retry.Failure) {
			time.Sleep(20 * time.Millisecond)
			return "", retry.Failure{}
		}, func(string) {})
	}
	return s
}

func TestDo(t *testing.T) {
	reset, refused := retry.Failure{Class: retry.Reset}, retry.Failure{Class: retry.NotSent}
	busy := retry.Failure{Class: retry.Status, Code: 503, Pushback: 100 * time.Millisecond}
	hedging := retry.Settings{HedgePercentile: 0.95, BudgetShare: -1}
	for _, c := range []struct {
		name      string
		settings  retry.Settings
		request   retry.Request
		timeout   time.Duration
		steps     []step
		want      string // answer, reason
		tries     []string
		discarded []string
		takes     time.Duration
	}{
		{name: "the first answer", steps: []step{{answer: "a"}}, want: "a answered", tries: []string{"try 0 at 0s"}},
		{name: "refused, then an answer", steps: []step{{f: refused}, {answer: "b"}}, want: "b answered",
			tries: []string{"try 0 at 0s", "try 1 at 0s"}},
		{name: "the last 503 is the answer", settings: retry.Settings{Attempts: 2}, steps: []step{{answer: "first 503", f: busy}, {answer: "second 503", f: busy}},
			want: "second 503 attempts", tries: []string{"try 0 at 0s", "try 1 at 100ms"}, discarded: []string{"first 503"}, takes: 100 * time.Millisecond},
		{name: "the deadline comes before the wait ends", timeout: 90 * time.Millisecond, steps: []step{{answer: "503", f: busy}},
			want: "503 deadline", tries: []string{"try 0 at 0s"}},
		{name: "the deadline comes during a try", timeout: 90 * time.Millisecond, steps: []step{{after: time.Hour}},
			want: " deadline", tries: []string{"try 0 at 0s", "try 0 cancelled at 90ms"}, takes: 90 * time.Millisecond},
		{name: "an empty budget", settings: retry.Settings{BudgetShare: -1, BudgetPerSecond: -1}, steps: []step{{answer: "503", f: busy}},
			want: "503 exhausted", tries: []string{"try 0 at 0s"}},
		{name: "an empty budget, but nothing was sent", settings: retry.Settings{BudgetShare: -1, BudgetPerSecond: -1}, steps: []step{{f: refused}, {answer: "b"}},
			want: "b answered", tries: []string{"try 0 at 0s", "try 1 at 0s"}},
		{name: "POST after a reset", request: retry.Request{Method: "POST", Replayable: true}, steps: []step{{f: reset}},
			want: " unsafe", tries: []string{"try 0 at 0s"}},

		{name: "a usual answer needs no hedge", settings: hedging, steps: []step{{after: 20 * time.Millisecond, answer: "a"}},
			want: "a answered", tries: []string{"try 0 at 0s"}, takes: 20 * time.Millisecond},
		{name: "the hedge wins", settings: hedging, steps: []step{{after: time.Hour}, {after: 10 * time.Millisecond, answer: "b"}},
			want: "b answered", tries: []string{"try 0 at 0s", "hedge 1 at 20.48ms", "try 0 cancelled at 30.48ms"}, takes: 30480 * time.Microsecond},
		{name: "the first try wins after all", settings: hedging, steps: []step{{after: 25 * time.Millisecond, answer: "a"}, {after: time.Hour}},
			want: "a answered", tries: []string{"try 0 at 0s", "hedge 1 at 20.48ms", "hedge 1 cancelled at 25ms"}, takes: 25 * time.Millisecond},
		{name: "the first try fails, the hedge goes on", settings: hedging, steps: []step{{after: 25 * time.Millisecond, answer: "503", f: busy}, {after: 30 * time.Millisecond, answer: "b"}},
			want: "b answered", tries: []string{"try 0 at 0s", "hedge 1 at 20.48ms"}, discarded: []string{"503"}, takes: 50480 * time.Microsecond},
		{name: "the hedge fails, the first goes on", settings: hedging, steps: []step{{after: 60 * time.Millisecond, answer: "a"}, {answer: "503", f: busy}},
			want: "a answered", tries: []string{"try 0 at 0s", "hedge 1 at 20.48ms"}, discarded: []string{"503"}, takes: 60 * time.Millisecond},
		{name: "both fail, a third try", settings: hedging, steps: []step{{after: 60 * time.Millisecond, answer: "503", f: busy}, {answer: "hedged 503", f: busy}, {answer: "c"}},
			want: "c answered", tries: []string{"try 0 at 0s", "hedge 1 at 20.48ms", "try 2 at 160ms"}, discarded: []string{"hedged 503", "503"}, takes: 160 * time.Millisecond},
		{name: "both fail and no more tries", settings: retry.Settings{HedgePercentile: 0.95, Attempts: 2}, steps: []step{{after: 60 * time.Millisecond, answer: "503", f: busy}, {answer: "hedged 503", f: busy}},
			want: "503 attempts", tries: []string{"try 0 at 0s", "hedge 1 at 20.48ms"}, discarded: []string{"hedged 503"}, takes: 60 * time.Millisecond},
		{name: "no hedge without budget", settings: retry.Settings{HedgePercentile: 0.95, BudgetShare: -1, BudgetPerSecond: -1}, steps: []step{{after: time.Second, answer: "a"}},
			want: "a answered", tries: []string{"try 0 at 0s"}, takes: time.Second},
		{name: "no hedge for POST", settings: hedging, request: retry.Request{Method: "POST", Replayable: true}, steps: []step{{after: time.Second, answer: "a"}},
			want: "a answered", tries: []string{"try 0 at 0s"}, takes: time.Second},
		{name: "no hedge of a streamed body", settings: hedging, request: retry.Request{Method: "GET"}, steps: []step{{after: time.Second, answer: "a"}},
			want: "a answered", tries: []string{"try 0 at 0s"}, takes: time.Second},
		{name: "no hedge past the deadline", settings: hedging, timeout: 15 * time.Millisecond, steps: []step{{after: time.Second}},
			want: " deadline", tries: []string{"try 0 at 0s", "try 0 cancelled at 15ms"}, takes: 15 * time.Millisecond},
		{name: "the shortest time before a hedge", settings: retry.Settings{HedgePercentile: 0.95, HedgeMin: 80 * time.Millisecond}, steps: []step{{after: time.Hour}, {answer: "b"}},
			want: "b answered", tries: []string{"try 0 at 0s", "hedge 1 at 80ms", "try 0 cancelled at 80ms"}, takes: 80 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := policy(t, c.settings)
				s := experienced(p, 100)
				ctx, cancel := context.WithCancel(t.Context())
				if c.timeout > 0 {
					ctx, cancel = context.WithTimeout(t.Context(), c.timeout)
				}
				defer cancel()
				if c.request.Method == "" {
					c.request = get
				}
				u := &upstream{t: t, start: time.Now(), steps: c.steps}
				res := retry.Do(ctx, p, s, c.request, u.attempt, u.discard)
				if took := time.Since(u.start); took != c.takes {
					t.Errorf("took %s, want %s", took, c.takes)
				}
				res.Wait()
				if got := res.Answer + " " + string(res.Reason); got != c.want {
					t.Errorf("got %q (%+v), want %q", got, res.Failure, c.want)
				}
				if !slices.Equal(u.tries, c.tries) {
					t.Errorf("the upstream saw %q, want %q", u.tries, c.tries)
				}
				if !slices.Equal(u.discarded, c.discarded) {
					t.Errorf("discarded %q, want %q", u.discarded, c.discarded)
				}
			})
		})
	}
}

func TestHedgingWaitsForExperience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := policy(t, retry.Settings{HedgePercentile: 0.95})
		u := &upstream{t: t, start: time.Now(), steps: []step{{after: time.Second, answer: "a"}}}
		if res := retry.Do(t.Context(), p, retry.NewState(time.Now()), get, u.attempt, u.discard); res.Hedged {
			t.Error("a hedge without knowing what is slow")
		}
	})
}

// TestHedgesAreBounded: when everything becomes slow at once, hedges stay within the retry budget, and the percentile
// follows the new latency although its tries are cancelled.
func TestHedgesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := policy(t, retry.Settings{HedgePercentile: 0.95, BudgetShare: 0.1, BudgetPerSecond: -1})
		s := experienced(p, 200)
		hedges := 0
		const requests = 500
		for range requests {
			res := retry.Do(t.Context(), p, s, get, func(ctx context.Context, _ retry.Try) (string, retry.Failure) {
				select {
				case <-time.After(200 * time.Millisecond):
					return "a", retry.Failure{}
				case <-ctx.Done():
					return "", retry.Failure{Class: retry.Final}
				}
			}, func(string) {})
			res.Wait()
			if res.Hedged {
				hedges++
			}
		}
		if hedges > 10+requests/10 {
			t.Errorf("%d hedges of %d requests", hedges, requests)
		}
		t.Logf("%d hedges of %d requests", hedges, requests)
	})
}

func TestPanicOfAHedgeIsItsFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := policy(t, retry.Settings{HedgePercentile: 0.95, Attempts: 2})
		s := experienced(p, 100)
		res := retry.Do(t.Context(), p, s, get, func(_ context.Context, try retry.Try) (string, retry.Failure) {
			if try.Hedge {
				panic("boom")
			}
			time.Sleep(time.Second)
			return "a", retry.Failure{}
		}, func(string) {})
		if res.Answer != "a" || !res.Hedged {
			t.Errorf("%+v", res)
		}
	})
}

func TestClientGoneDuringTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("client gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(50*time.Millisecond, func() { cancel(gone) })
		p := policy(t, retry.Settings{})
		u := &upstream{t: t, start: time.Now(), steps: []step{{answer: "503", f: retry.Failure{Class: retry.Status, Code: 503, Pushback: 200 * time.Millisecond}}}}
		res := retry.Do(ctx, p, retry.NewState(time.Now()), get, u.attempt, u.discard)
		if res.Answer != "" || res.Reason != retry.Gone || !errors.Is(res.Failure.Err, gone) || time.Since(u.start) != 50*time.Millisecond {
			t.Errorf("after %s: %+v", time.Since(u.start), res)
		}
		if strings.Join(u.discarded, ",") != "503" {
			t.Errorf("discarded %q", u.discarded)
		}
	})
}

func TestDoWithoutHedgingAllocatesNothing(t *testing.T) {
	p, s := policy(t, retry.Settings{}), retry.NewState(time.Now())
	attempt := func(context.Context, retry.Try) (string, retry.Failure) { return "a", retry.Failure{} }
	discard := func(string) {}
	if n := testing.AllocsPerRun(100, func() { retry.Do(t.Context(), p, s, get, attempt, discard) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDo(b *testing.B) {
	for name, s := range map[string]retry.Settings{"plain": {}, "hedging": {HedgePercentile: 0.95}} {
		b.Run(name, func(b *testing.B) {
			p, st := policy(b, s), retry.NewState(time.Now())
			attempt := func(context.Context, retry.Try) (string, retry.Failure) { return "a", retry.Failure{} }
			discard := func(string) {}
			b.ReportAllocs()
			for b.Loop() {
				retry.Do(b.Context(), p, st, get, attempt, discard)
			}
		})
	}
}
