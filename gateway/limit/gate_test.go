package limit_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/limit"
)

// TestGate runs requests by name: "a 0 50" enters at 0 ms and stays 50 ms.
func TestGate(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings limit.GateSettings
		requests []string
		want     []string
	}{
		{"below the limit", limit.GateSettings{Limit: 2}, []string{"a 0 50", "b 1 50"}, []string{"a in at 0s", "b in at 1ms"}},
		{"no queue", limit.GateSettings{Limit: 1}, []string{"a 0 50", "b 1 50"}, []string{"a in at 0s", "b queue_full at 1ms"}},
		{"first come, first served", limit.GateSettings{Limit: 1, Queue: 2}, []string{"a 0 50", "b 1 50", "c 2 50"}, []string{"a in at 0s", "b in at 50ms", "c in at 100ms"}},
		{"the queue is full", limit.GateSettings{Limit: 1, Queue: 1}, []string{"a 0 50", "b 1 50", "c 2 50"}, []string{"a in at 0s", "c queue_full at 2ms", "b in at 50ms"}},
		{"the queue takes too long", limit.GateSettings{Limit: 1, Queue: 2, QueueTimeout: 20 * time.Millisecond}, []string{"a 0 50", "b 1 50", "c 40 50"}, []string{"a in at 0s", "b queue_timeout at 21ms", "c in at 50ms"}},
		{"one leaves the middle of the queue", limit.GateSettings{Limit: 1, Queue: 3}, []string{"a 0 50", "b 1 10", "c 2 10 gone 30", "d 3 10"}, []string{"a in at 0s", "c client_gone at 30ms", "b in at 50ms", "d in at 60ms"}},
		{"the last one leaves the queue", limit.GateSettings{Limit: 1, Queue: 3}, []string{"a 0 50", "b 1 10", "c 2 10 gone 30", "d 35 10"}, []string{"a in at 0s", "c client_gone at 30ms", "b in at 50ms", "d in at 60ms"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := limit.NewGate(c.settings)
				start := time.Now()
				var mu sync.Mutex
				var got []string
				var wg sync.WaitGroup
				for _, r := range c.requests {
					wg.Go(func() {
						var name string
						var at, stay, gone int
						if n, _ := fmt.Sscanf(r, "%s %d %d gone %d", &name, &at, &stay, &gone); n < 3 {
							panic(r)
						}
						time.Sleep(time.Duration(at) * time.Millisecond)
						ctx := t.Context()
						if gone > 0 {
							var cancel context.CancelFunc
							ctx, cancel = context.WithDeadline(ctx, start.Add(time.Duration(gone)*time.Millisecond))
							defer cancel()
						}
						refusal := gate.Enter(ctx)
						mu.Lock()
						word := "in"
						if refusal.Refused() {
							word = string(refusal.Reason)
						}
						got = append(got, fmt.Sprintf("%s %s at %s", name, word, time.Since(start)))
						mu.Unlock()
						if !refusal.Refused() {
							time.Sleep(time.Duration(stay) * time.Millisecond)
							gate.Leave()
						}
					})
				}
				wg.Wait()
				if !slices.Equal(got, c.want) {
					t.Errorf("got %q, want %q", got, c.want)
				}
				if s := gate.State(); s.InFlight != 0 || s.Queued != 0 {
					t.Errorf("left behind: %+v", s)
				}
			})
		})
	}
}

func TestLimitsMoveWhileRequestsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := limit.NewGate(limit.GateSettings{Limit: 1, Queue: 10, QueueTimeout: time.Hour})
		var in atomic.Int64
		for range 5 {
			go func() {
				if !gate.Enter(t.Context()).Refused() {
					in.Add(1)
				}
			}()
		}
		expect := func(step string, inFlight, queued int64) {
			t.Helper()
			synctest.Wait()
			if s := gate.State(); in.Load() != inFlight || int64(s.Queued) != queued {
				t.Errorf("%s: %d in, %+v, want %d and %d queued", step, in.Load(), s, inFlight, queued)
			}
		}
		leave := func() { in.Add(-1); gate.Leave() }
		expect("limit 1", 1, 4)
		gate.SetLimit(3)
		expect("limit 3", 3, 2)
		gate.SetLimit(1)
		leave()
		expect("limit 1, three are in", 2, 2)
		leave()
		expect("limit 1, two were in", 1, 2)
		leave()
		expect("limit 1, one was in", 1, 1)
		gate.Set(limit.GateSettings{Limit: 10})
		expect("limit 10", 2, 0)
		leave()
		leave()
	})
}

// TestGateUnderConcurrency: never more than the limit in flight, nobody lost, whatever comes together.
func TestGateUnderConcurrency(t *testing.T) {
	const most = 4
	gate := limit.NewGate(limit.GateSettings{Limit: most, Queue: 8, QueueTimeout: 50 * time.Microsecond})
	var in, highest, admitted, refused atomic.Int64
	var wg sync.WaitGroup
	for worker := range uint64(16) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(worker, 1))
			for range 2000 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rnd.IntN(100))*time.Microsecond)
				if refusal := gate.Enter(ctx); refusal.Refused() {
					refused.Add(1)
				} else {
					admitted.Add(1)
					n := in.Add(1)
					for h := highest.Load(); n > h && !highest.CompareAndSwap(h, n); h = highest.Load() {
					}
					if rnd.IntN(4) == 0 {
						time.Sleep(time.Microsecond)
					}
					in.Add(-1)
					gate.Leave()
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if s := gate.State(); highest.Load() > most || s.InFlight != 0 || s.Queued != 0 {
		t.Errorf("%d at once, left behind %+v", highest.Load(), s)
	}
	if admitted.Load() == 0 || admitted.Load()+refused.Load() != 16*2000 {
		t.Errorf("%d admitted, %d refused", admitted.Load(), refused.Load())
	}
}

func TestShedder(t *testing.T) {
	s, err := limit.NewShedder(limit.ShedSettings{MaxInFlight: 1000})
	if err != nil {
		t.Fatal(err)
	}
	classes := []limit.Priority{limit.Background, limit.Low, limit.Normal, limit.High, limit.Critical}
	for _, c := range []struct {
		inFlight int
		memory   float64
		want     string // share refused of each class, in percent
	}{
		{0, 0, "0 0 0 0 0"},
		{699, 0.69, "0 0 0 0 0"},
		{737, 0, "49 0 0 0 0"},
		{0, 0.737, "49 0 0 0 0"},
		{775, 0, "100 0 0 0 0"},
		{800, 0.1, "100 33 0 0 0"},
		{900, 0, "100 100 67 0 0"},
		{100, 0.99, "100 100 100 87 0"},
		{1000, 0, "100 100 100 100 100"},
		{0, 1.5, "100 100 100 100 100"},
	} {
		var got []string
		pressure := s.Pressure(c.inFlight, c.memory)
		for _, p := range classes {
			refused := 0
			for i := range 1000 {
				r := s.Admit(p, pressure, (float64(i)+0.5)/1000)
				if r.Refused() {
					refused++
					if r.RetryAfter < time.Second || r.RetryAfter > 3*time.Second {
						t.Fatalf("Retry-After %s", r.RetryAfter)
					}
				}
			}
			got = append(got, fmt.Sprint((refused+5)/10))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%d in flight, memory %v: refused %v, want %s", c.inFlight, c.memory, got, c.want)
		}
	}
}

// TestMoreImportantIsNeverWorseOff: for any pressure and luck, what admits a class admits those above it.
func TestMoreImportantIsNeverWorseOff(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		s, err := limit.NewShedder(limit.ShedSettings{Start: 0.1 + 0.85*rnd.Float64()})
		if err != nil {
			t.Fatal(err)
		}
		pressure, luck := s.Pressure(0, 1.2*rnd.Float64()), rnd.Float64()
		before := true // refused
		for p := limit.Background; p <= limit.Critical; p++ {
			refused := s.Admit(p, pressure, luck).Refused()
			if refused && !before {
				t.Fatalf("pressure %v, luck %v: %d is refused, the class below is not", pressure, luck, p)
			}
			before = refused
		}
	}
}

func TestSettingsAreRefused(t *testing.T) {
	_, noShedder := limit.NewShedder(limit.ShedSettings{MaxInFlight: -1, Start: 2})
	for _, c := range []struct {
		err  error
		want string
	}{
		{noShedder, "MaxInFlight: must not be negative, got -1\nStart: must be from 0.1 to 0.95, got 2"},
		{limit.GateSettings{}.Validate(), "Limit: must be positive, got 0"},
		{limit.GateSettings{Limit: 1, Queue: -1, QueueTimeout: -1}.Validate(), "Queue: must not be negative, got -1\nQueueTimeout: must not be negative, got -1ns"},
		{limit.AdaptiveSettings{Min: 5, Max: 3, Start: 4}.Validate(), "Max: must not be below Min"},
		{limit.AdaptiveSettings{Start: 5000}.Validate(), "Start: must be from Min to Max (4 to 1000), got 5000"},
		{limit.AdaptiveSettings{Tolerance: 1}.Validate(), "Tolerance: must be from 1.1 to 10, got 1"},
		{limit.AdaptiveSettings{Window: time.Minute}.Validate(), "Probe: must be at least ten times Window"},
	} {
		if c.err == nil || !strings.HasPrefix(c.err.Error(), c.want) {
			t.Errorf("%v, want %q", c.err, c.want)
		}
	}
	for _, err := range []error{limit.AdaptiveSettings{}.Validate(), limit.AdaptiveSettings{Min: 50}.Validate(), limit.AdaptiveSettings{Max: 10}.Validate(), limit.GateSettings{Limit: 1}.Validate()} {
		if err != nil {
			t.Error(err)
		}
	}
}
