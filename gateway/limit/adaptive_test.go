package limit_test

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/limit"
)

// upstream is a simulation: workers that serve first come, first served, behind a gate whose limit adapts. Requests come
// at random at a given rate, and what the gate refuses is gone.
type upstream struct {
	rnd     *rand.Rand
	now     time.Time
	workers free
	running endings
	limit   int
	fixed   bool // the limit does not adapt
	a       *limit.Adaptive
}

// free are the times at which workers are: a heap, the earliest first.
type free []time.Time

func (f free) Len() int           { return len(f) }
func (f free) Less(i, j int) bool { return f[i].Before(f[j]) }
func (f free) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }
func (f free) Push(any)           { panic("workers are not hired") }
func (f free) Pop() any           { panic("workers are not fired") }

type ending struct {
	at      time.Time
	latency time.Duration
	failed  bool
}

type endings []ending

func (e endings) Len() int           { return len(e) }
func (e endings) Less(i, j int) bool { return e[i].at.Before(e[j].at) }
func (e endings) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *endings) Push(x any)        { *e = append(*e, x.(ending)) }
func (e *endings) Pop() any          { last := (*e)[len(*e)-1]; *e = (*e)[:len(*e)-1]; return last }

func newUpstream(s limit.AdaptiveSettings, workers int) *upstream {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	a := limit.NewAdaptive(s, now)
	return &upstream{rnd: rand.New(rand.NewPCG(1, uint64(workers))), now: now, workers: make(free, workers), a: a, limit: a.Limit()}
}

// load is a time of the simulation, and what is measured in its last third.
type load struct {
	lasts   time.Duration
	service time.Duration // mean
	rate    float64       // requests per second
	timeout time.Duration // a response that comes later is a failure; 0: none is
}

type seen struct {
	served  float64       // requests per second
	latency time.Duration // mean
	limit   float64       // mean
}

func (s seen) String() string {
	return fmt.Sprintf("%.0f/s at %s, limit %.0f", s.served, s.latency, s.limit)
}

func (u *upstream) run(l load) seen {
	end, from := u.now.Add(l.lasts), u.now.Add(l.lasts*2/3)
	var served, arrivals, limits float64
	var sum time.Duration
	for u.now.Before(end) {
		next := u.now.Add(time.Duration(u.rnd.ExpFloat64() / l.rate * float64(time.Second)))
		for len(u.running) > 0 && u.running[0].at.Before(next) {
			done := heap.Pop(&u.running).(ending)
			if n, changed := u.a.Observe(done.latency, len(u.running)+1, done.failed, done.at); changed && !u.fixed {
				u.limit = n
			}
			if done.at.After(from) && !done.failed {
				served, sum = served+1, sum+done.latency
			}
		}
		if u.now = next; u.now.After(from) {
			arrivals, limits = arrivals+1, limits+float64(u.limit)
		}
		if len(u.running) < u.limit {
			u.admit(l)
		}
	}
	return seen{served / (l.lasts / 3).Seconds(), sum / time.Duration(max(1, served)), limits / arrivals}
}

func (u *upstream) admit(l load) {
	begin := u.now
	if first := u.workers[0]; first.After(begin) {
		begin = first
	}
	service := time.Duration((0.5 + 0.5*u.rnd.ExpFloat64()) * float64(l.service)) // half of it always, half by luck
	end := begin.Add(service)
	u.workers[0] = end
	heap.Fix(u.workers, 0)
	latency := end.Sub(u.now)
	heap.Push(&u.running, ending{end, latency, l.timeout > 0 && latency > l.timeout})
}

// TestLimitFindsItself: whatever the upstream can do, the limit lets it do nearly that, and latency stays near that of an
// idle one; when the upstream changes, the limit follows.
func TestLimitFindsItself(t *testing.T) {
	for _, c := range []struct {
		name    string
		workers int
		start   int
		phases  []load
	}{
		{"a small one, overloaded", 8, 20, []load{{lasts: 90 * time.Second, service: 20 * time.Millisecond, rate: 1200}}},
		{"a large one, the limit starts too low", 100, 10, []load{{lasts: 90 * time.Second, service: 50 * time.Millisecond, rate: 6000}}},
		{"the limit starts far too high", 16, 400, []load{{lasts: 90 * time.Second, service: 10 * time.Millisecond, rate: 5000}}},
		{"twice as slow, and back", 32, 20, []load{
			{lasts: 60 * time.Second, service: 20 * time.Millisecond, rate: 3200},
			{lasts: 150 * time.Second, service: 40 * time.Millisecond, rate: 3200},
			{lasts: 150 * time.Second, service: 20 * time.Millisecond, rate: 3200},
		}},
		{"a night between two days", 32, 20, []load{
			{lasts: 60 * time.Second, service: 20 * time.Millisecond, rate: 3200},
			{lasts: 5 * time.Minute, service: 20 * time.Millisecond, rate: 30},
			{lasts: 60 * time.Second, service: 20 * time.Millisecond, rate: 3200},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := newUpstream(limit.AdaptiveSettings{Start: c.start}, c.workers)
			for i, l := range c.phases {
				got := u.run(l)
				capacity := float64(c.workers) / l.service.Seconds()
				possible := min(capacity, l.rate)
				t.Logf("phase %d: of %.0f/s possible: %s", i, possible, got)
				if got.served < 0.85*possible {
					t.Errorf("phase %d: serves %.0f/s of %.0f/s", i, got.served, possible)
				}
				if got.latency > l.service*5/2 {
					t.Errorf("phase %d: latency %s, idle it is %s", i, got.latency, l.service)
				}
				if l.rate > capacity && (got.limit < 0.8*float64(c.workers) || got.limit > 3*float64(c.workers)) {
					t.Errorf("phase %d: limit %.0f for %d workers", i, got.limit, c.workers)
				}
			}
		})
	}
}

// TestWithoutIt: the same overload behind a fixed limit that is too high, so that the scenario is worth something.
func TestWithoutIt(t *testing.T) {
	u := newUpstream(limit.AdaptiveSettings{Start: 400}, 16)
	u.fixed, u.limit = true, 400
	if got := u.run(load{lasts: 15 * time.Second, service: 10 * time.Millisecond, rate: 5000}); got.latency < 200*time.Millisecond {
		t.Errorf("a fixed limit of 400 for 16 workers gives %s", got)
	}
}

// TestFailuresShrinkTheLimit although those that come back in time look fast.
func TestFailuresShrinkTheLimit(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	a := limit.NewAdaptive(limit.AdaptiveSettings{Start: 100}, now)
	for range 10_000 {
		now = now.Add(10 * time.Millisecond)
		a.Observe(10*time.Millisecond, 100, now.UnixMilli()%50 == 0, now) // one in five
	}
	if n := a.Limit(); n > 30 {
		t.Errorf("limit %d after 100 s with 20 %% failures", n)
	}
}

func TestAnIdleLimitStays(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	a := limit.NewAdaptive(limit.AdaptiveSettings{Start: 100}, now)
	for i := range 30_000 {
		now = now.Add(10 * time.Millisecond)
		if n, changed := a.Observe(10*time.Millisecond, 3, false, now); changed && i > 500 { // the probe at the start is over
			t.Fatalf("moved to %d with 3 in flight", n)
		}
	}
	if n := a.Limit(); n != 100 {
		t.Errorf("limit %d after a quiet time, it was 100", n)
	}
	a.Set(limit.AdaptiveSettings{Max: 50})
	if n := a.Limit(); n != 50 {
		t.Errorf("limit %d after a reload that allows 50", n)
	}
}
