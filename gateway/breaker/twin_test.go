package breaker_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/tailgate-otel/tailgate/gateway/breaker"
)

// twin is the dumb breaker: it remembers every result with its time and goes through all of them each time.
type twin struct {
	s         breaker.Settings
	state     breaker.State
	number    int
	results   []twinResult
	until     time.Time
	closedAt  time.Time
	repeats   int
	probing   int
	succeeded int
}

type twinResult struct {
	bucket int64
	class  breaker.Class
}

type twinTicket struct {
	number int
	probe  bool
}

func (w *twin) bucket(now time.Time) int64 {
	return int64(now.Sub(epoch)) / (int64(w.s.Window) / int64(w.s.Buckets))
}

func (w *twin) to(s breaker.State) { w.state, w.number = s, w.number+1 }

func (w *twin) open(now time.Time) {
	wait := w.s.OpenFor
	for range w.repeats {
		wait = min(2*wait, w.s.MaxOpen)
	}
	w.repeats++
	w.until = now.Add(wait)
	w.to(breaker.Open)
}

func (w *twin) allow(now time.Time) (twinTicket, bool) {
	if w.state == breaker.Open && !now.Before(w.until) {
		w.to(breaker.HalfOpen)
		w.probing, w.succeeded = 0, 0
	}
	switch {
	case w.state == breaker.Closed:
		return twinTicket{w.number, false}, true
	case w.state == breaker.HalfOpen && w.probing < w.s.Probes:
		w.probing++
		return twinTicket{w.number, true}, true
	}
	return twinTicket{}, false
}

func failed(c breaker.Class) bool {
	return c == breaker.ServerError || c == breaker.ConnectError || c == breaker.Reset || c == breaker.Timeout
}

func (w *twin) done(t twinTicket, class breaker.Class, now time.Time) {
	if t.number != w.number {
		return
	}
	if w.state == breaker.HalfOpen {
		w.probing--
		switch {
		case class == breaker.Canceled:
		case failed(class):
			w.open(now)
		default:
			if w.succeeded++; w.succeeded == w.s.Successes {
				w.results, w.closedAt = nil, now
				w.to(breaker.Closed)
			}
		}
		return
	}
	if class == breaker.Canceled {
		return
	}
	w.results = append(w.results, twinResult{w.bucket(now), class})
	if !failed(class) {
		return
	}
	row := 0
	for i := len(w.results) - 1; i >= 0 && w.results[i].class == breaker.Timeout; i-- {
		row++
	}
	all, failures, timeouts := 0, 0, 0
	for _, r := range w.results {
		if r.bucket <= w.bucket(now)-int64(w.s.Buckets) {
			continue
		}
		all++
		if failed(r.class) {
			failures++
		}
		if r.class == breaker.Timeout {
			timeouts++
		}
	}
	if row >= w.s.TimeoutsInRow ||
		all >= w.s.TimeoutMinimum && timeouts > 0 && float64(timeouts) >= w.s.TimeoutRate*float64(all) ||
		all >= w.s.FailureMinimum && float64(failures) >= w.s.FailureRate*float64(all) {
		if now.Sub(w.closedAt) > w.s.MaxOpen {
			w.repeats = 0
		}
		w.open(now)
	}
}

func TestAgreesWithTwin(t *testing.T) {
	seen := map[breaker.State]int{}
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		s := small()
		s.Buckets = 1 + rng.IntN(12)
		s.Probes, s.Successes = 1+rng.IntN(3), 1+rng.IntN(4)
		b, w, now := get(s), &twin{s: s, closedAt: epoch}, epoch
		type pair struct {
			ours breaker.Ticket
			his  twinTicket
		}
		var held []pair
		trouble := rng.IntN(10)
		for step := range 1000 {
			switch k := rng.IntN(10); {
			case k == 0:
				now = now.Add(time.Duration(rng.Int64N(int64(3 * time.Second))))
				trouble = rng.IntN(10)
			case k < 6:
				ready := b.Ready(now)
				ours, ok := b.Allow(now)
				his, want := w.allow(now)
				if ok != want || ready != want || ours.Probe() != his.probe {
					t.Fatalf("seed %d step %d: allowed %v (ready %v), the twin %v", seed, step, ok, ready, want)
				}
				if ok {
					held = append(held, pair{ours, his})
				}
			case len(held) > 0:
				i := rng.IntN(len(held))
				class := breaker.Class(rng.IntN(2))
				if rng.IntN(12) < trouble {
					class = breaker.Class(2 + rng.IntN(5))
				}
				b.Done(held[i].ours, class, now)
				w.done(held[i].his, class, now)
				held = append(held[:i], held[i+1:]...)
			}
			if got := b.Status(now).State; got != w.state {
				t.Fatalf("seed %d step %d: %s, the twin %s", seed, step, got, w.state)
			}
			seen[w.state]++
		}
	}
	for _, s := range []breaker.State{breaker.Closed, breaker.Open, breaker.HalfOpen} {
		if seen[s] < 1000 {
			t.Errorf("only %d steps were %s", seen[s], s)
		}
	}
}

// With one class of failures, one probe and constant waits ours does what the well-known breaker does.
func TestAgreesWithGobreaker(t *testing.T) {
	failure := errors.New("server error")
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 2))
			theirs := gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
				MaxRequests: 1, Timeout: 2 * time.Second,
				ReadyToTrip: func(c gobreaker.Counts) bool {
					return c.Requests >= 6 && float64(c.TotalFailures) >= 0.5*float64(c.Requests)
				},
			})
			s := small()
			s.Window, s.MaxOpen, s.Probes, s.Successes = 1000*time.Hour, 2*time.Second, 1, 1
			ours := breaker.NewSet().Get(breaker.Key{}, s, time.Now())
			for step := range 500 {
				time.Sleep(time.Duration(rng.IntN(500))*time.Millisecond + 1) // theirs waits for longer, ours for as long
				done, err := theirs.Allow()
				ticket, ok := ours.Allow(time.Now())
				if ok != (err == nil) {
					t.Fatalf("seed %d step %d: ours allows %v, theirs says %v", seed, step, ok, err)
				}
				switch {
				case !ok:
				case rng.IntN(3) == 0:
					done(failure)
					ours.Done(ticket, breaker.ServerError, time.Now())
				default:
					done(nil)
					ours.Done(ticket, breaker.Success, time.Now())
				}
			}
		})
	}
}
