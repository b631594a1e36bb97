package breaker_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/breaker"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// small settings keep the scenarios short.
func small() breaker.Settings {
	return breaker.Settings{
		Window: 10 * time.Second, Buckets: 10, TimeoutsInRow: 3, TimeoutRate: 0.3, TimeoutMinimum: 8,
		FailureRate: 0.5, FailureMinimum: 6, OpenFor: 2 * time.Second, MaxOpen: 10 * time.Second, Jitter: -1,
		Probes: 2, Successes: 3,
	}
}

func get(s breaker.Settings) *breaker.Breaker {
	return breaker.NewSet().Get(breaker.Key{Route: "r", Endpoint: "e"}, s, epoch)
}

var letters = map[string]breaker.Class{
	"s": breaker.Success, "b": breaker.Business, "e": breaker.ServerError, "c": breaker.ConnectError,
	"r": breaker.Reset, "t": breaker.Timeout, "x": breaker.Canceled,
}

// A scenario is a line of steps: a letter, perhaps with a number, is that many requests with that result, one after another;
// ask holds a request back until done:letter gives the oldest its result; no is a request that is refused; +2s lets time
// pass; =state checks. The events are what OnChange heard.
func TestTransitions(t *testing.T) {
	for _, tc := range []struct {
		name, steps, events string
	}{
		{"successes keep it closed", "s1000 =closed", ""},
		{"business never opens", "b1000 =closed", ""},
		{"canceled counts for nothing", "x100 e5 x100 =closed e =open", "open/failure_rate/server_error"},
		{"timeouts in a row", "t2 =closed t =open no", "open/timeouts_in_row/timeout"},
		{"another result ends the row", "t2 s19 t2 b19 t2 =closed", ""},
		{"a canceled one does not", "t2 x t =open", "open/timeouts_in_row/timeout"},
		{"timeouts by rate", "t s2 t s2 t =closed s =closed t =open", "open/timeout_rate/timeout"},
		{"too few for a failure rate", "e5 =closed", ""},
		{"server errors by rate", "s5 e4 =closed e =open", "open/failure_rate/server_error"},
		{"connect errors by rate", "s3 c3 =open", "open/failure_rate/connect_error"},
		{"resets by rate", "s3 r3 =open", "open/failure_rate/reset"},
		{"classes add up", "s3 e c r =open", "open/failure_rate/reset"},
		{"business dilutes like success", "b5 e4 =closed", ""},
		{"failures older than the window are forgotten", "e5 +10s e =closed", ""},
		{"the window moves bucket by bucket", "e3 +5s e2 +4s =closed e =open", "open/failure_rate/server_error"},
		{"a long silence", "e5 +1000h e5 =closed e =open", "open/failure_rate/server_error"},
		{"open refuses until its time is over", "t3 +1999ms no +1ms ask =half_open", "open/timeouts_in_row/timeout half_open/wait_over/"},
		{"a trickle passes while half open", "t3 +2s ask ask no done:s ask no", "open/timeouts_in_row/timeout half_open/wait_over/"},
		{"enough successes close it", "t3 +2s s2 =half_open b =closed",
			"open/timeouts_in_row/timeout half_open/wait_over/ closed/probes_succeeded/business"},
		{"it closes with an empty window", "e5 t =open +2s s3 =closed e5 =closed e =open",
			"open/failure_rate/timeout half_open/wait_over/ closed/probes_succeeded/success open/failure_rate/server_error"},
		{"one failure opens it again, for longer", "t3 +2s s2 e =open +3999ms no +1ms ask",
			"open/timeouts_in_row/timeout half_open/wait_over/ open/probe_failed/server_error half_open/wait_over/"},
		{"the wait is bounded", "t3 +2s e +4s e +8s e +9999ms no +1ms e +9999ms no +1ms ask =half_open",
			"open/timeouts_in_row/timeout" + strings.Repeat(" half_open/wait_over/ open/probe_failed/server_error", 4) + " half_open/wait_over/"},
		{"relapse soon after closing waits longer", "t3 +2s s3 =closed t3 +3999ms no +1ms ask",
			"open/timeouts_in_row/timeout half_open/wait_over/ closed/probes_succeeded/success open/timeouts_in_row/timeout half_open/wait_over/"},
		{"a long good time is rewarded", "t3 +2s s3 +10001ms t3 +2s ask",
			"open/timeouts_in_row/timeout half_open/wait_over/ closed/probes_succeeded/success open/timeouts_in_row/timeout half_open/wait_over/"},
		{"a canceled probe frees its place", "t3 +2s ask ask no done:x ask =half_open", "open/timeouts_in_row/timeout half_open/wait_over/"},
		{"results of an earlier state are forgotten", "ask ask t3 +2s ask done:e done:s =half_open", "open/timeouts_in_row/timeout half_open/wait_over/"},
		{"late probes too", "t3 +2s ask ask done:e =open +4s ask done:s ask no =half_open",
			"open/timeouts_in_row/timeout half_open/wait_over/ open/probe_failed/server_error half_open/wait_over/"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var events []string
			s := small()
			s.OnChange = func(c breaker.Change) {
				class := ""
				if c.To != breaker.HalfOpen {
					class = c.Class.String()
				}
				events = append(events, fmt.Sprintf("%s/%s/%s", c.To, c.Reason, class))
			}
			play(t, get(s), tc.steps)
			if got := strings.Join(events, " "); got != tc.events {
				t.Errorf("events\n%s, want\n%s", got, tc.events)
			}
		})
	}
}

func play(t *testing.T, b *breaker.Breaker, steps string) {
	t.Helper()
	now := epoch
	var held []breaker.Ticket
	for _, step := range strings.Fields(steps) {
		ready := b.Ready(now)
		switch {
		case step == "ask":
			ticket, ok := b.Allow(now)
			if !ok || !ready {
				t.Fatalf("%s: allowed %v, ready %v", step, ok, ready)
			}
			held = append(held, ticket)
		case step == "no":
			if _, ok := b.Allow(now); ok || ready {
				t.Fatalf("%s: allowed %v, ready %v", step, ok, ready)
			}
		case step[0] == '+':
			d, err := time.ParseDuration(step[1:])
			if err != nil {
				t.Fatal(err)
			}
			now = now.Add(d)
		case step[0] == '=':
			if got := b.Status(now).State.String(); got != step[1:] {
				t.Fatalf("state %s, want %s of %q", got, step[1:], steps)
			}
		case strings.HasPrefix(step, "done:"):
			b.Done(held[0], letters[step[5:]], now)
			held = held[1:]
		default:
			n := 1
			if len(step) > 1 {
				n, _ = strconv.Atoi(step[1:])
			}
			for range n {
				ticket, ok := b.Allow(now)
				if !ok {
					t.Fatalf("%s: refused", step)
				}
				b.Done(ticket, letters[step[:1]], now)
			}
		}
	}
}

func TestClassOf(t *testing.T) {
	for status, want := range map[int]breaker.Class{
		200: breaker.Success, 304: breaker.Success, 101: breaker.Success, 404: breaker.Business, 429: breaker.Business,
		500: breaker.ServerError, 502: breaker.ServerError, 503: breaker.Business, 504: breaker.Timeout,
	} {
		if got := breaker.ClassOf(status, []int{503}); got != want {
			t.Errorf("%d is %s, want %s", status, got, want)
		}
	}
}

func TestJitterSpreadsTheWait(t *testing.T) {
	for _, tc := range []struct {
		rand float64
		want time.Duration
	}{{0, 1600 * time.Millisecond}, {0.5, 2 * time.Second}, {0.75, 2200 * time.Millisecond}} {
		s := small()
		s.Jitter, s.Rand = 0.2, func() float64 { return tc.rand }
		b := get(s)
		play(t, b, "t3")
		if got := b.Status(epoch).Until.Sub(epoch); got != tc.want {
			t.Errorf("rand %g: waits %s, want %s", tc.rand, got, tc.want)
		}
	}
}

func TestSetKeepsStateOverConfigurations(t *testing.T) {
	set, key := breaker.NewSet(), breaker.Key{Route: "r", Endpoint: "e"}
	first := set.Get(key, small(), epoch)
	play(t, first, "t3 no")
	if again := set.Get(key, small(), epoch); again != first {
		t.Error("equal settings gave another breaker")
	}
	changed := small()
	changed.Probes++
	if other := set.Get(key, changed, epoch); other == first || other.Status(epoch).State != breaker.Closed {
		t.Error("changed settings did not give a new, closed breaker")
	}
	set.Get(breaker.Key{Route: "a", Endpoint: "z"}, small(), epoch)
	set.Get(breaker.Key{Route: "r", Endpoint: "a"}, small(), epoch)
	got := ""
	for _, s := range set.Status(epoch) {
		got += s.Key.Route + s.Key.Endpoint + " "
	}
	if got != "az ra re " {
		t.Errorf("listed %q", got)
	}
	set.Retain(func(k breaker.Key) bool { return k.Route == "a" })
	if s := set.Status(epoch); len(s) != 1 || s[0].Key.Route != "a" {
		t.Errorf("retained %v", s)
	}
}

func TestStatus(t *testing.T) {
	b := get(small())
	play(t, b, "s5 e2 t")
	if got, want := b.Status(epoch).Window, (breaker.Counts{Results: 8, Failures: 3, Timeouts: 1}); got != want {
		t.Errorf("window %+v, want %+v", got, want)
	}
	play(t, b, "t2 no no")
	got := b.Status(epoch)
	if got.Refused != 2 || got.Reason != breaker.TimeoutsInRow || !got.Until.Equal(epoch.Add(2*time.Second)) || got.Number != 1 {
		t.Errorf("status %+v", got)
	}
}

// Under many goroutines every result is counted, one of them opens the breaker, and the trickle stays one.
func TestParallel(t *testing.T) {
	var changes, probes atomic.Int64
	s := small()
	s.FailureMinimum, s.FailureRate = 4000, 0.4
	s.OnChange = func(breaker.Change) { changes.Add(1) }
	b := get(s)
	each := func(n int, f func()) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range n {
					f()
				}
			})
		}
		wg.Wait()
	}
	each(250, func() {
		for _, class := range []breaker.Class{breaker.Success, breaker.ServerError} {
			if ticket, ok := b.Allow(epoch); ok {
				b.Done(ticket, class, epoch)
			}
		}
	})
	if changes.Load() != 1 || b.Status(epoch).State != breaker.Open {
		t.Fatalf("%d changes, status %+v", changes.Load(), b.Status(epoch))
	}
	later := epoch.Add(time.Minute)
	each(1000, func() {
		ticket, ok := b.Allow(later)
		if !ok {
			return
		}
		if n := probes.Add(1); n > 2 {
			t.Errorf("%d probes at once", n)
		}
		probes.Add(-1)
		b.Done(ticket, breaker.Canceled, later)
	})
	if changes.Load() != 2 {
		t.Errorf("%d changes, want the one to half open", changes.Load())
	}
}

func TestValidate(t *testing.T) {
	if err := (breaker.Settings{}).Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for key, s := range map[string]breaker.Settings{
		"buckets: must be 1 to 60, got 61":     {Buckets: 61},
		"window: must be at least":             {Window: time.Millisecond},
		"timeout_rate: ":                       {TimeoutRate: 1.1},
		"failure_rate: ":                       {FailureRate: -0.1},
		"timeout_minimum: must be positive":    {TimeoutMinimum: -1},
		"failure_minimum: must be positive":    {FailureMinimum: -1},
		"open_for: must be positive":           {OpenFor: -1},
		"max_open: must be at least open_for ": {OpenFor: time.Minute, MaxOpen: time.Second},
		"jitter: must be below 1, got 1":       {Jitter: 1},
		"probes: must be positive":             {Probes: -1},
		"successes: must be positive":          {Successes: -1},
	} {
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("error %v, want %q", err, key)
		}
	}
}

func TestClosedAllocatesNothing(t *testing.T) {
	for _, class := range []breaker.Class{breaker.Success, breaker.Business, breaker.ServerError} {
		s := small()
		s.FailureMinimum = 1 << 30
		b, now := get(s), epoch
		n := testing.AllocsPerRun(1000, func() {
			now = now.Add(time.Millisecond)
			ticket, _ := b.Allow(now)
			b.Done(ticket, class, now)
		})
		if n != 0 || b.Status(now).State != breaker.Closed {
			t.Errorf("%s: %v allocations, %s", class, n, b.Status(now).State)
		}
	}
	b := get(small())
	play(t, b, "t3")
	if n := testing.AllocsPerRun(1000, func() { b.Allow(epoch) }); n != 0 {
		t.Errorf("open: %v allocations", n)
	}
}
