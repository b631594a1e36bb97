package retry

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func policy(t testing.TB, s Settings) *Policy {
	t.Helper()
	p, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestNext(t *testing.T) {
	p := policy(t, Settings{Attempts: 3, GRPCCodes: []uint32{14}, BackoffBase: 100 * time.Millisecond, BackoffMax: time.Second})
	get, post, stream := Request{"GET", true}, Request{"POST", true}, Request{"GET", false}
	call, callStream := post, Request{"POST", false}
	const unlimited = -1
	for _, c := range []struct {
		name   string
		r      Request
		tries  int
		f      Failure
		left   time.Duration
		reason Reason
		wait   time.Duration // with random = 0.5
		paid   bool
	}{
		{"an answer", get, 1, Failure{}, unlimited, Answered, 0, false},
		{"refused: at once elsewhere, for nothing", get, 1, Failure{Class: NotSent}, unlimited, Again, 0, false},
		{"refused POST: nothing was sent", post, 1, Failure{Class: NotSent}, unlimited, Again, 0, false},
		{"refused stream: nothing was taken of it", stream, 1, Failure{Class: NotSent}, unlimited, Again, 0, false},
		{"refused twice: wait", get, 2, Failure{Class: NotSent}, unlimited, Again, 100 * time.Millisecond, false},
		{"refused thrice", get, 3, Failure{Class: NotSent}, unlimited, Attempts, 0, false},
		{"reset GET", get, 1, Failure{Class: Reset}, unlimited, Again, 50 * time.Millisecond, true},
		{"reset POST", post, 1, Failure{Class: Reset}, unlimited, Unsafe, 0, false},
		{"reset with a body that is gone", stream, 1, Failure{Class: Reset}, unlimited, Unsafe, 0, false},
		{"timeout GET", get, 2, Failure{Class: Timeout}, unlimited, Again, 100 * time.Millisecond, true},
		{"timeout POST", post, 1, Failure{Class: Timeout}, unlimited, Unsafe, 0, false},
		{"503", get, 1, Failure{Class: Status, Code: 503}, unlimited, Again, 50 * time.Millisecond, true},
		{"500 is an answer", get, 1, Failure{Class: Status, Code: 500}, unlimited, Hopeless, 0, false},
		{"404 is one anyway", get, 1, Failure{Class: Status, Code: 404}, unlimited, Hopeless, 0, false},
		{"a status out of range", get, 1, Failure{Class: Status, Code: 999}, unlimited, Hopeless, 0, false},
		{"503 POST", post, 1, Failure{Class: Status, Code: 503}, unlimited, Unsafe, 0, false},
		{"UNAVAILABLE, named by the operator", call, 1, Failure{Class: GRPC, Code: 14}, unlimited, Again, 50 * time.Millisecond, true},
		{"UNAVAILABLE of a stream", callStream, 1, Failure{Class: GRPC, Code: 14}, unlimited, Unsafe, 0, false},
		{"INTERNAL, not named", call, 1, Failure{Class: GRPC, Code: 13}, unlimited, Hopeless, 0, false},
		{"the client is gone", get, 1, Failure{Class: Final}, unlimited, Hopeless, 0, false},
		{"the wait fits", get, 1, Failure{Class: Reset}, 51 * time.Millisecond, Again, 50 * time.Millisecond, true},
		{"the wait does not fit", get, 1, Failure{Class: Reset}, 50 * time.Millisecond, Deadline, 0, false},
		{"nothing left", get, 1, Failure{Class: NotSent}, 0, Deadline, 0, false},
		{"asked for patience", get, 1, Failure{Class: Status, Code: 503, Pushback: 700 * time.Millisecond}, unlimited, Again, 700 * time.Millisecond, true},
		{"asked for less than we wait anyway", get, 1, Failure{Class: Status, Code: 503, Pushback: time.Millisecond}, unlimited, Again, 50 * time.Millisecond, true},
		{"asked for too much patience", get, 1, Failure{Class: Status, Code: 503, Pushback: 2 * time.Second}, unlimited, PushedBack, 0, false},
		{"asked not to", call, 1, Failure{Class: GRPC, Code: 14, Pushback: -1}, unlimited, PushedBack, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := Decision{Reason: c.reason, Wait: c.wait, Paid: c.paid}
			if got := p.Next(c.r, c.tries, c.f, c.left, 0.5); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// TestWaitsAreJitteredAndBounded: full jitter means that any part of the bound comes up.
func TestWaitsAreJitteredAndBounded(t *testing.T) {
	p := policy(t, Settings{Attempts: 10, BackoffBase: 10 * time.Millisecond, BackoffMax: 100 * time.Millisecond})
	for tries, most := range []time.Duration{1: 10, 2: 20, 3: 40, 4: 80, 5: 100, 9: 100} {
		if most == 0 {
			continue
		}
		most *= time.Millisecond
		if d := p.Next(Request{"GET", true}, tries, Failure{Class: Reset}, -1, 0); d.Wait != 0 {
			t.Errorf("try %d: shortest wait %s", tries, d.Wait)
		}
		if d := p.Next(Request{"GET", true}, tries, Failure{Class: Reset}, -1, math.Nextafter(1, 0)); d.Wait > most || d.Wait < most-time.Microsecond {
			t.Errorf("try %d: longest wait %s, want %s", tries, d.Wait, most)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		s    Settings
		want string
	}{
		{Settings{Attempts: -1}, "Attempts: must be from 1 to 10, got -1"},
		{Settings{Attempts: 11}, "Attempts: must be from 1 to 10, got 11"},
		{Settings{Statuses: []int{200}}, "Statuses: 200 is no error status"},
		{Settings{GRPCCodes: []uint32{17}}, "GRPCCodes: 17 is no error code"},
		{Settings{BackoffBase: time.Second, BackoffMax: time.Millisecond}, "BackoffMax: must not be below BackoffBase"},
		{Settings{BudgetShare: 2}, "BudgetShare: must not be above 1, got 2"},
		{Settings{HedgePercentile: 0.2}, "HedgePercentile: must be 0 or from 0.5 to 0.999, got 0.2"},
		{Settings{HedgeMin: -1}, "HedgeMin: must not be negative"},
	} {
		if _, err := New(c.s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.s, err, c.want)
		}
	}
}

// TestRetriesAreAShareOfRequests drives random traffic in which everything fails and checks the promise on every prefix:
// retries <= 10 s of the floor saved up + share x requests + floor x time.
func TestRetriesAreAShareOfRequests(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		p := policy(t, Settings{BudgetShare: 0.05 + 0.5*rnd.Float64(), BudgetPerSecond: 10 * rnd.Float64()})
		s, now, requests, retries := NewState(epoch), epoch, 0, 0
		saved := max(10, 10*p.s.BudgetPerSecond)
		for range 5000 {
			now = now.Add(time.Duration(rnd.ExpFloat64() * float64(10*time.Millisecond)))
			if rnd.IntN(500) == 0 {
				now = now.Add(time.Minute) // a quiet time saves up no more than the bucket holds
				requests, retries, epoch = 0, 0, now
			}
			s.tokens.deposit(p)
			requests++
			for range 3 {
				if s.tokens.withdraw(p, now) {
					retries++
				}
			}
			most := saved + p.s.BudgetShare*float64(requests+1) + p.s.BudgetPerSecond*now.Sub(epoch).Seconds()
			if float64(retries) > most+1 {
				t.Fatalf("seed %d: %d retries of %d requests, at most %.1f allowed", seed, retries, requests, most)
			}
		}
		long := p.s.BudgetShare * float64(requests)
		if float64(retries) < 0.8*long {
			t.Errorf("seed %d: only %d retries of %d requests, want about %.0f: the share is withheld", seed, retries, requests, long)
		}
	}
}

func TestNoBudgetAtAll(t *testing.T) {
	p := policy(t, Settings{BudgetShare: -1, BudgetPerSecond: -1})
	if NewState(epoch).tokens.withdraw(p, epoch) {
		t.Error("a retry without budget")
	}
}

// TestBudgetUnderConcurrency: no token is spent twice.
func TestBudgetUnderConcurrency(t *testing.T) {
	p, s := policy(t, Settings{BudgetShare: 0.1, BudgetPerSecond: -1}), NewState(epoch)
	var got [8]int
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			for range 10_000 {
				s.tokens.deposit(p)
				if s.tokens.withdraw(p, epoch) {
					got[i]++
				}
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, n := range got {
		sum += n
	}
	if sum > 10+8000 || sum < 7900 {
		t.Errorf("%d retries of 80,000 requests, want 8,000 and the 10 at the start", sum)
	}
}

// TestQuantileAgainstSorting: never too low, and at most an eighth too high.
func TestQuantileAgainstSorting(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var l latency
		l.turned.Store(epoch.UnixNano())
		seen := make([]time.Duration, enough+rnd.IntN(2000))
		scale := math.Pow(10, 3+6*rnd.Float64()) // medians from a microsecond to a second
		for i := range seen {
			seen[i] = time.Duration(scale * math.Exp(rnd.NormFloat64()))
			l.observe(seen[i], epoch)
		}
		slices.Sort(seen)
		for _, q := range []float64{0.5, 0.9, 0.95, 0.99} {
			l.stale.Store(refreshEvery)
			got, ok := l.quantile(q)
			want := seen[int(math.Ceil(q*float64(len(seen))))-1]
			if !ok || got < want || got > want+want/8+time.Microsecond {
				t.Fatalf("q %v of %d: %s, want from %s to an eighth more", q, len(seen), got, want)
			}
		}
	}
}

func TestQuantileForgets(t *testing.T) {
	var l latency
	l.turned.Store(epoch.UnixNano())
	fill := func(d time.Duration, at time.Time) {
		for range enough {
			l.observe(d, at)
		}
	}
	read := func() time.Duration { d, _ := l.quantile(0.95); return d.Round(time.Millisecond) }
	if _, ok := l.quantile(0.95); ok {
		t.Error("a quantile of nothing")
	}
	fill(100*time.Millisecond, epoch)
	if got := read(); got < 100*time.Millisecond {
		t.Errorf("%s, want 100ms or a little more", got)
	}
	fill(10*time.Millisecond, epoch.Add(10*time.Second))
	if got := read(); got < 100*time.Millisecond {
		t.Errorf("%s: forgot what is 10s old", got)
	}
	fill(10*time.Millisecond, epoch.Add(20*time.Second))
	if got := read(); got > 12*time.Millisecond {
		t.Errorf("%s: remembers what is 20s old", got)
	}
	fill(time.Millisecond, epoch.Add(time.Hour))
	if got := read(); got > 2*time.Millisecond {
		t.Errorf("%s: remembers what is an hour old", got)
	}
}

func TestBucketsAreContiguous(t *testing.T) {
	for µs := range 1 << 20 {
		d := time.Duration(µs) * time.Microsecond
		if b := bucket(d); d >= upper(b) || b > 0 && d < upper(b-1) {
			t.Fatalf("%s is in bucket %d, which ends at %s", d, b, upper(b))
		}
	}
	if b := bucket(math.MaxInt64); b != bucketCount-1 {
		t.Errorf("the longest is in bucket %d", b)
	}
}

func BenchmarkQuantile(b *testing.B) {
	p, s := policy(b, Settings{HedgePercentile: 0.95}), NewState(epoch)
	for range enough {
		s.latency.observe(time.Millisecond, epoch)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.latency.observe(time.Millisecond, epoch)
		p.hedgeAfter(Request{"GET", true}, s, -1)
	}
}
