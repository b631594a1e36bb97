package limit

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func rule(t testing.TB, s RateSettings) *Rule {
	t.Helper()
	if s.Name == "" {
		s.Name = "test"
	}
	r, err := NewRule(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestBucket: ten a second, three at once.
func TestBucket(t *testing.T) {
	table, r := NewRates(100), rule(t, RateSettings{Requests: 10, Burst: 3})
	const ms = time.Millisecond
	for _, c := range []struct {
		at        time.Duration
		ok        bool
		remaining int
		wait      time.Duration // Retry-After, or until the bucket is full
	}{
		{0, true, 2, 100 * ms},
		{0, true, 1, 200 * ms},
		{0, true, 0, 300 * ms},
		{0, false, 0, 100 * ms},
		{99 * ms, false, 0, 1 * ms},
		{100 * ms, true, 0, 300 * ms},
		{100 * ms, false, 0, 100 * ms},
		{350 * ms, true, 1, 150 * ms},
		{10_000 * ms, true, 2, 100 * ms}, // no more than the burst is saved up
		{9_000 * ms, false, 0, 900 * ms}, // a clock that goes back gives nothing away
	} {
		q, refusal := table.Admit([]*Rule{r}, Who{Route: "r"}, epoch.Add(c.at))
		wait := q.Reset
		if refusal.Refused() {
			wait = refusal.RetryAfter
		}
		if refusal.Refused() == c.ok || q.Remaining != c.remaining || wait != c.wait {
			t.Errorf("at %s: %+v %+v, want ok %t, %d remaining, %s", c.at, q, refusal, c.ok, c.remaining, c.wait)
		}
	}
}

// bucket is the dumb twin: tokens that trickle in.
type bucket struct {
	tokens float64
	last   time.Time
}

func (b *bucket) take(perSecond, burst float64, now time.Time) bool {
	b.tokens = min(burst, b.tokens+now.Sub(b.last).Seconds()*perSecond)
	b.last = now
	if b.tokens < 1-1e-9 {
		return false
	}
	b.tokens--
	return true
}

func TestAgainstTokenBuckets(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		perSecond, burst := 1<<rnd.IntN(10), 1+rnd.IntN(50) // powers of two: intervals that are whole nanoseconds
		r := rule(t, RateSettings{Requests: perSecond, Burst: burst, By: ByClient})
		table, twins, now := NewRates(1000), map[string]*bucket{}, epoch
		for step := range 5_000 {
			now = now.Add(time.Duration(rnd.IntN(3)) * time.Second / time.Duration(64*perSecond))
			client := fmt.Sprint(rnd.IntN(20))
			twin := twins[client]
			if twin == nil {
				twin = &bucket{float64(burst), now}
				twins[client] = twin
			}
			_, refusal := table.Admit([]*Rule{r}, Who{Client: client}, now)
			if want := twin.take(float64(perSecond), float64(burst), now); refusal.Refused() == want {
				t.Fatalf("seed %d, step %d: refused %t, the bucket has %v", seed, step, refusal.Refused(), twin.tokens)
			}
		}
		if table.Lost() != 0 {
			t.Errorf("%d buckets lost", table.Lost())
		}
	}
}

func TestKeys(t *testing.T) {
	a, b := Who{"r1", "t1", "c1"}, Who{"r2", "t2", "c2"}
	for _, c := range []struct {
		by     By
		shared []Who // with a
		own    []Who
	}{
		{ByRoute, []Who{{"r1", "t2", "c2"}}, []Who{b, {"r2", "t1", "c1"}}},
		{ByTenant, []Who{{"r1", "t1", "c2"}}, []Who{b, {"r2", "t1", "c1"}, {"r1", "t2", "c1"}}},
		{ByClient, []Who{{"r1", "t2", "c1"}}, []Who{b, {"r2", "t1", "c1"}, {"r1", "t1", "c2"}}},
		{ByTenantEverywhere, []Who{{"r2", "t1", "c2"}}, []Who{b, {"r1", "t2", "c1"}}},
		{ByClientEverywhere, []Who{{"r2", "t2", "c1"}}, []Who{b, {"r1", "t1", "c2"}}},
	} {
		table := NewRates(100)
		rules := []*Rule{rule(t, RateSettings{Requests: 1, By: c.by})}
		table.Admit(rules, a, epoch)
		for _, who := range c.shared {
			if _, refusal := table.Admit(rules, who, epoch); !refusal.Refused() {
				t.Errorf("by %d: %v has a bucket of its own", c.by, who)
			}
		}
		for _, who := range c.own {
			table := NewRates(100)
			table.Admit(rules, a, epoch)
			if _, refusal := table.Admit(rules, who, epoch); refusal.Refused() {
				t.Errorf("by %d: %v shares a bucket", c.by, who)
			}
		}
	}
}

// TestRulesInTheirOrder: what the client's rule refuses takes nothing from the route.
func TestRulesInTheirOrder(t *testing.T) {
	table := NewRates(100)
	rules := []*Rule{rule(t, RateSettings{Name: "client", Requests: 2, By: ByClient}), rule(t, RateSettings{Name: "route", Requests: 5})}
	admitted := map[string]int{}
	for range 10 {
		for _, client := range []string{"greedy", "greedy", "modest"} {
			if q, refusal := table.Admit(rules, Who{"r", "", client}, epoch); !refusal.Refused() {
				admitted[client]++
			} else if q.Rule != rules[0] {
				t.Errorf("%s is refused by %s", client, q.Rule.name)
			}
		}
	}
	if admitted["greedy"] != 2 || admitted["modest"] != 2 {
		t.Errorf("admitted %v, want two each", admitted)
	}
	if q, refusal := table.Admit(rules, Who{"r", "", "third"}, epoch); refusal.Refused() || q.Rule.name != "route" || q.Remaining != 0 {
		t.Errorf("the tightest rule is %+v", q)
	}
}

// TestIdleKeysMakeRoom: 200,000 clients that come once cost a busy one nothing, as long as the table has room for the
// busy ones; and a table that is too small says so.
func TestIdleKeysMakeRoom(t *testing.T) {
	table, r := NewRates(4096), rule(t, RateSettings{Requests: 10, Burst: 10, By: ByClient})
	now, admitted := epoch, 0
	for i := range 200_000 {
		now = now.Add(50 * time.Microsecond) // 20,000 a second: 2,000 are busy at a time, for 100 ms each
		table.Admit([]*Rule{r}, Who{Client: fmt.Sprint(i)}, now)
		if i%20 == 0 { // 1,000 a second
			if _, refusal := table.Admit([]*Rule{r}, Who{Client: "greedy"}, now); !refusal.Refused() {
				admitted++
			}
		}
	}
	if want := 10 + 10*10; admitted < want-1 || admitted > want+1 {
		t.Errorf("the greedy client got %d in 10 s, want %d", admitted, want)
	}
	if n := table.Lost(); n > 20 { // a busy key to each set: that eight others are there has a chance of 1 in 100,000
		t.Errorf("lost %d busy buckets", n)
	}
	for i := range 50_000 {
		table.Admit([]*Rule{r}, Who{Client: fmt.Sprint("x", i)}, now)
	}
	if table.Lost() == 0 {
		t.Error("a full table lost nothing")
	}
}

func TestRatesUnderConcurrency(t *testing.T) {
	table, r := NewRates(100), rule(t, RateSettings{Requests: 1000})
	var wg sync.WaitGroup
	var admitted [8]int
	for i := range admitted {
		wg.Go(func() {
			for range 1000 {
				if _, refusal := table.Admit([]*Rule{r}, Who{}, epoch); !refusal.Refused() {
					admitted[i]++
				}
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, n := range admitted {
		sum += n
	}
	if sum != 1000 {
		t.Errorf("%d admitted, want exactly 1,000", sum)
	}
}

func TestAnswers(t *testing.T) {
	h := http.Header{}
	table, r := NewRates(100), rule(t, RateSettings{Name: "per-client", Requests: 100, Per: time.Minute, Burst: 50})
	q, _ := table.Admit([]*Rule{r}, Who{}, epoch)
	q.WriteHeader(h)
	if h.Get("RateLimit-Policy") != `"per-client";q=50;w=30` || h.Get("RateLimit") != `"per-client";r=49;t=1` {
		t.Errorf("%v", h)
	}
	for _, c := range []struct {
		r      Refusal
		status int
		after  string
	}{
		{Refusal{RateLimited, 1500 * time.Millisecond}, 429, "2"},
		{Refusal{QueueFull, time.Second}, 503, "1"},
		{Refusal{Shed, time.Millisecond}, 503, "1"},
		{Refusal{Reason: QueueTimeout}, 503, ""},
	} {
		h := http.Header{}
		c.r.WriteHeader(h)
		if c.r.Status() != c.status || h.Get("Retry-After") != c.after {
			t.Errorf("%+v: %d, Retry-After %q", c.r, c.r.Status(), h.Get("Retry-After"))
		}
	}
	h = http.Header{}
	Quota{}.WriteHeader(h)
	if len(h) != 0 {
		t.Errorf("no rule, but %v", h)
	}
}

func TestNewRuleRefuses(t *testing.T) {
	for _, c := range []struct {
		s    RateSettings
		want string
	}{
		{RateSettings{Requests: 1}, `Name: must be of letters`},
		{RateSettings{Name: `a"b`, Requests: 1}, `Name: must be of letters`},
		{RateSettings{Name: "a"}, "Requests: must be positive"},
		{RateSettings{Name: "a", Requests: 1, Per: -1}, "Requests: must be positive, and so Per"},
		{RateSettings{Name: "a", Requests: 1, Burst: -1}, "Burst: must not be negative"},
		{RateSettings{Name: "a", Requests: 1, By: 99}, "By: 99"},
		{RateSettings{Name: "a", Requests: 1, Per: 24 * time.Hour, Burst: 1 << 40}, "Burst: 1099511627776 requests"},
	} {
		if _, err := NewRule(c.s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.s, err, c.want)
		}
	}
}

func TestAdmittedRequestsAllocateNothing(t *testing.T) {
	table := NewRates(100)
	rules := []*Rule{rule(t, RateSettings{Requests: 1e9, By: ByClient}), rule(t, RateSettings{Name: "b", Requests: 1e9})}
	gate := NewGate(GateSettings{Limit: 10})
	adaptive := NewAdaptive(AdaptiveSettings{}, epoch)
	shedder, err := NewShedder(ShedSettings{MaxInFlight: 10})
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		table.Admit(rules, Who{"route", "tenant", "client"}, epoch)
		gate.Enter(t.Context())
		gate.Leave()
		adaptive.Observe(time.Millisecond, 1, false, epoch)
		shedder.Admit(Normal, shedder.Pressure(1, 0.2), 0.5)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAdmit(b *testing.B) {
	table := NewRates(100_000)
	rules := []*Rule{rule(b, RateSettings{Requests: 1e9, By: ByClient})}
	clients := make([]string, 100_000)
	for i := range clients {
		clients[i] = fmt.Sprintf("10.0.%d.%d", i/256, i%256)
	}
	b.Run("rate/keys=100000", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			table.Admit(rules, Who{"route", "tenant", clients[i%len(clients)]}, epoch)
		}
	})
	b.Run("rate/keys=1", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			table.Admit(rules, Who{"route", "tenant", "10.0.0.1"}, epoch)
		}
	})
	gate := NewGate(GateSettings{Limit: 100})
	b.Run("gate", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			gate.Enter(b.Context())
			gate.Leave()
		}
	})
	adaptive := NewAdaptive(AdaptiveSettings{}, epoch)
	b.Run("adaptive", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			adaptive.Observe(time.Millisecond, 3, false, epoch)
		}
	})
	shedder, err := NewShedder(ShedSettings{MaxInFlight: 10})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("shed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			shedder.Admit(Normal, shedder.Pressure(1, 0.2), 0.5)
		}
	})
}
