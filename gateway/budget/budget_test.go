package budget_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/tailgate-otel/tailgate/gateway/budget"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func policy(t testing.TB, s budget.Settings) *budget.Policy {
	t.Helper()
	p, err := budget.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// header reads "A: 1; B: 2".
func header(text string) http.Header {
	h := http.Header{}
	for line := range strings.SplitSeq(text, ";") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	return h
}

func TestStart(t *testing.T) {
	const none = -1
	for _, c := range []struct {
		name    string
		total   time.Duration
		inbound string
		want    time.Duration
		bad     string // part of the error
	}{
		{"nobody says anything", 0, "", none, ""},
		{"the route alone", 5 * time.Second, "", 5 * time.Second, ""},
		{"the client alone", 0, "X-Request-Timeout-Ms: 250", 250 * time.Millisecond, ""},
		{"the client wants less", 5 * time.Second, "X-Request-Timeout-Ms: 250", 250 * time.Millisecond, ""},
		{"the client wants more", time.Second, "X-Request-Timeout-Ms: 250000", time.Second, ""},
		{"gRPC seconds", 0, "Grpc-Timeout: 3S", 3 * time.Second, ""},
		{"gRPC hours", 0, "Grpc-Timeout: 2H", 2 * time.Hour, ""},
		{"gRPC minutes", 0, "Grpc-Timeout: 2M", 2 * time.Minute, ""},
		{"gRPC milliseconds", 0, "Grpc-Timeout: 2m", 2 * time.Millisecond, ""},
		{"gRPC microseconds", 0, "Grpc-Timeout: 5000u", 5 * time.Millisecond, ""},
		{"gRPC nanoseconds", 0, "Grpc-Timeout: 99999999n", 99999999, ""},
		{"gRPC so long that it does not fit", time.Second, "Grpc-Timeout: 99999999H", time.Second, ""},
		{"Envoy", time.Second, "X-Envoy-Expected-Rq-Timeout-Ms: 10", 10 * time.Millisecond, ""},
		{"the shortest of all counts", time.Second, "X-Request-Timeout-Ms: 30; Grpc-Timeout: 20m; X-Envoy-Expected-Rq-Timeout-Ms: 40", 20 * time.Millisecond, ""},
		{"repeated", time.Second, "X-Request-Timeout-Ms: 30; X-Request-Timeout-Ms: 20", 20 * time.Millisecond, ""},
		{"used up", time.Second, "X-Request-Timeout-Ms: 0", 0, ""},
		{"negative", time.Second, "X-Request-Timeout-Ms: -5", time.Second, "X-Request-Timeout-Ms"},
		{"a fraction", time.Second, "X-Request-Timeout-Ms: 1.5", time.Second, "X-Request-Timeout-Ms"},
		{"too many digits", time.Second, "X-Request-Timeout-Ms: 1000000000000000000", time.Second, "X-Request-Timeout-Ms"},
		{"gRPC without unit", time.Second, "Grpc-Timeout: 100", time.Second, "Grpc-Timeout"},
		{"gRPC with nine digits", time.Second, "Grpc-Timeout: 100000000n", time.Second, "Grpc-Timeout"},
		{"gRPC empty", time.Second, "Grpc-Timeout:", time.Second, "Grpc-Timeout"},
		{"one bad header spoils no good one", time.Second, "Grpc-Timeout: x; X-Request-Timeout-Ms: 7", 7 * time.Millisecond, "Grpc-Timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := policy(t, budget.Settings{Total: c.total}).Start(header(c.inbound), epoch)
			if c.bad == "" && err != nil || c.bad != "" && (err == nil || !strings.Contains(err.Error(), c.bad)) {
				t.Errorf("error %v, want one with %q", err, c.bad)
			}
			end, limited := b.Deadline()
			if limited != (c.want != none) || limited && end.Sub(epoch) != c.want {
				t.Errorf("ends after %s, limited %t, want %s", end.Sub(epoch), limited, c.want)
			}
		})
	}
}

func TestIgnoredClientsDecideNothing(t *testing.T) {
	for _, total := range []time.Duration{0, time.Second} {
		p := policy(t, budget.Settings{Total: total, IgnoreInbound: true})
		h := header("X-Request-Timeout-Ms: 5; Grpc-Timeout: bad; X-Envoy-Expected-Rq-Timeout-Ms: 7")
		b, err := p.Start(h, epoch)
		if err != nil {
			t.Fatal(err)
		}
		b.Forward(h, epoch.Add(time.Millisecond))
		want := ""
		if total > 0 {
			want = "999"
		}
		if got := h.Get("X-Request-Timeout-Ms"); got != want {
			t.Errorf("total %s: upstream sees %q, want %q", total, got, want)
		}
		if h.Get("Grpc-Timeout") != "" || h.Get("X-Envoy-Expected-Rq-Timeout-Ms") != "" {
			t.Errorf("total %s: headers of the client pass: %v", total, h)
		}
	}
}

func TestTry(t *testing.T) {
	p := policy(t, budget.Settings{Total: time.Second, PerTry: 300 * time.Millisecond, MinTry: 20 * time.Millisecond})
	b, _ := p.Start(http.Header{}, epoch)
	for _, c := range []struct {
		after, want time.Duration
		ok          bool
	}{
		{0, 300 * time.Millisecond, true},
		{600 * time.Millisecond, 300 * time.Millisecond, true},
		{800 * time.Millisecond, 200 * time.Millisecond, true},
		{980 * time.Millisecond, 20 * time.Millisecond, true},
		{981 * time.Millisecond, 0, false},
		{time.Minute, 0, false},
	} {
		now := epoch.Add(c.after)
		try, ok := b.Try(now)
		end, _ := try.Deadline()
		if ok != c.ok || ok && end.Sub(now) != c.want {
			t.Errorf("after %s: %s, %t, want %s, %t", c.after, end.Sub(now), ok, c.want, c.ok)
		}
	}
	unlimited, _ := policy(t, budget.Settings{PerTry: time.Second}).Start(http.Header{}, epoch)
	try, ok := unlimited.Try(epoch.Add(time.Hour))
	if end, _ := try.Deadline(); !ok || !end.Equal(epoch.Add(time.Hour+time.Second)) {
		t.Errorf("an attempt of a request without end ends at %s", end)
	}
	if _, limited := unlimited.Deadline(); limited {
		t.Error("the attempt's end became the request's")
	}
}

func TestForward(t *testing.T) {
	for _, c := range []struct{ name, inbound, want string }{
		{"the configured header", "", "X-Left: 1699"},
		{"gRPC", "Content-Type: application/grpc+proto", "Grpc-Timeout: 1699500u"},
		{"gRPC that said so", "Content-Type: application/grpc; Grpc-Timeout: 2S", "Grpc-Timeout: 1699500u"},
		{"whatever came is corrected", "X-Envoy-Expected-Rq-Timeout-Ms: 9000; Grpc-Timeout: 1H", "X-Left: 1699; X-Envoy-Expected-Rq-Timeout-Ms: 1699; Grpc-Timeout: 1699500u"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := header(c.inbound)
			b, err := policy(t, budget.Settings{Total: 2 * time.Second, Header: "x-left"}).Start(h, epoch)
			if err != nil {
				t.Fatal(err)
			}
			b.Forward(h, epoch.Add(300*time.Millisecond+500*time.Microsecond))
			h.Del("Content-Type")
			want := header(c.want)
			if len(h) != len(want) {
				t.Errorf("got %v, want %v", h, want)
			}
			for name := range want {
				if h.Get(name) != want.Get(name) {
					t.Errorf("%s: %q, want %q", name, h.Get(name), want.Get(name))
				}
			}
		})
	}
}

// TestNeverExtended: over a chain of gateways, each with random policy and delay, what a hop sees never exceeds what the
// first had minus the time that has passed.
func TestNeverExtended(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		now := epoch
		inbound := time.Duration(rnd.Int64N(int64(time.Minute)))
		first := epoch.Add(inbound)
		h := header("Grpc-Timeout: " + strconv.FormatInt(inbound.Microseconds(), 10) + "u")
		if rnd.IntN(2) == 0 {
			h = header("X-Request-Timeout-Ms: " + strconv.FormatInt(inbound.Milliseconds(), 10))
		}
		for hop := range 4 {
			p := policy(t, budget.Settings{Total: time.Duration(1+rnd.Int64N(60)) * time.Second, PerTry: time.Duration(1+rnd.Int64N(10)) * time.Second})
			b, err := p.Start(h, now)
			if err != nil {
				t.Fatal(err)
			}
			if end, _ := b.Deadline(); end.After(first) {
				t.Fatalf("hop %d ends %s after the first", hop, end.Sub(first))
			}
			now = now.Add(time.Duration(rnd.Int64N(int64(3 * time.Second))))
			try, ok := b.Try(now)
			if !ok {
				if first.Sub(now) > time.Minute {
					t.Fatal("given up with a minute left")
				}
				break
			}
			try.Forward(h, now)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		s    budget.Settings
		want string
	}{
		{budget.Settings{Total: -1}, "Total: must not be negative"},
		{budget.Settings{PerTry: -1}, "PerTry: must not be negative"},
		{budget.Settings{Total: time.Second, MinTry: 2 * time.Second}, "MinTry: 2s never fits into Total 1s"},
		{budget.Settings{PerTry: time.Second, MinTry: 2 * time.Second}, "MinTry: 2s never fits into PerTry 1s"},
		{budget.Settings{Header: "a b"}, `Header: "a b"`},
		{budget.Settings{Header: "grpc-timeout"}, "Header: Grpc-Timeout is read in any case"},
	} {
		if _, err := budget.New(c.s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.s, err, c.want)
		}
	}
}

func TestContext(t *testing.T) {
	p := policy(t, budget.Settings{Total: time.Second})
	start := func(parent context.Context) *budget.Context {
		b, _ := p.Start(http.Header{}, time.Now())
		return budget.NewContext(parent, b)
	}
	type key struct{}
	for name, scenario := range map[string]func(t *testing.T){
		"ends for one who waits": func(t *testing.T) {
			ctx := start(t.Context())
			before := time.Now()
			<-ctx.Done()
			if time.Since(before) != time.Second || !errors.Is(ctx.Err(), context.DeadlineExceeded) || !errors.Is(context.Cause(ctx), budget.ErrExpired) {
				t.Errorf("after %s: %v, cause %v", time.Since(before), ctx.Err(), context.Cause(ctx))
			}
		},
		"ends for one who looks": func(t *testing.T) {
			ctx := start(t.Context())
			time.Sleep(time.Second - time.Nanosecond)
			if ctx.Err() != nil {
				t.Errorf("too early: %v", ctx.Err())
			}
			time.Sleep(time.Nanosecond)
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) || !errors.Is(context.Cause(ctx), budget.ErrExpired) {
				t.Errorf("%v, cause %v", ctx.Err(), context.Cause(ctx))
			}
		},
		"ends with the parent": func(t *testing.T) {
			gone := errors.New("client gone")
			parent, cancel := context.WithCancelCause(t.Context())
			waited, looked := start(parent), start(parent)
			done := waited.Done()
			cancel(gone)
			<-done
			for _, ctx := range []context.Context{waited, looked} {
				if !errors.Is(ctx.Err(), context.Canceled) || !errors.Is(context.Cause(ctx), gone) {
					t.Errorf("%v, cause %v", ctx.Err(), context.Cause(ctx))
				}
			}
		},
		"a child of it ends too, with its values": func(t *testing.T) {
			ctx := start(context.WithValue(t.Context(), key{}, "v"))
			child, cancel := context.WithCancel(ctx)
			defer cancel()
			<-child.Done()
			if child.Value(key{}) != "v" || !errors.Is(context.Cause(child), budget.ErrExpired) {
				t.Errorf("value %v, cause %v", child.Value(key{}), context.Cause(child))
			}
		},
		"stop frees the timer": func(t *testing.T) {
			ctx := start(t.Context())
			ctx.Stop() // nobody waits yet
			done := ctx.Done()
			ctx.Stop()
			ctx.Stop()
			<-done
		},
		"a parent that ends earlier": func(t *testing.T) {
			parent, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			ctx := start(parent)
			if end, ok := ctx.Deadline(); !ok || time.Until(end) != time.Millisecond {
				t.Errorf("deadline in %s", time.Until(end))
			}
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, scenario) })
	}
}

func TestContextWithoutEndIsItsParent(t *testing.T) {
	b, _ := policy(t, budget.Settings{}).Start(http.Header{}, epoch)
	ctx := budget.NewContext(t.Context(), b)
	defer ctx.Stop()
	if _, ok := ctx.Deadline(); ok || ctx.Done() != t.Context().Done() || ctx.Err() != nil {
		t.Error("an end out of nothing")
	}
}

func FuzzStart(f *testing.F) {
	for _, s := range []string{"1", "100m", "99999999H", "", "n", "-1S", "１m", "0", " 5", "123456789012345678"} {
		f.Add(s)
	}
	p := policy(f, budget.Settings{Total: time.Second})
	f.Fuzz(func(t *testing.T, value string) {
		for _, name := range []string{"Grpc-Timeout", budget.DefaultHeader} {
			h := http.Header{name: {value}, "Content-Type": {"application/grpc"}}
			b, err := p.Start(h, epoch)
			end, limited := b.Deadline()
			if !limited || end.After(epoch.Add(time.Second)) || end.Before(epoch) {
				t.Fatalf("%s %q: ends at %s", name, value, end)
			}
			b.Forward(h, epoch)
			again, bad := p.Start(h, epoch)
			if bad != nil { // what we write, we can read, and it promises no more
				t.Fatalf("%s %q (%v): wrote %v, which is refused: %v", name, value, err, h, bad)
			}
			if later, _ := again.Deadline(); later.After(end) {
				t.Fatalf("%s %q: extended from %s to %s", name, value, end, later)
			}
		}
	})
}

func TestStartAllocatesNothing(t *testing.T) {
	p := policy(t, budget.Settings{Total: time.Second, PerTry: time.Second})
	h := header("X-Request-Timeout-Ms: 250; Grpc-Timeout: 200m")
	if n := testing.AllocsPerRun(100, func() {
		b, _ := p.Start(h, epoch)
		if try, ok := b.Try(epoch); !ok || try.Expired(epoch) {
			t.Fatal("expired")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkStart(b *testing.B) {
	p := policy(b, budget.Settings{Total: time.Second, PerTry: 500 * time.Millisecond})
	h := header("Content-Type: text/plain; X-Request-Timeout-Ms: 250")
	b.Run("budget", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			start, _ := p.Start(h, epoch)
			_, _ = start.Try(epoch)
		}
	})
	b.Run("budget and context", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			start, _ := p.Start(h, time.Now())
			ctx := budget.NewContext(context.Background(), start)
			_ = ctx.Err()
			ctx.Stop()
		}
	})
	b.Run("context.WithTimeout", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, cancel := context.WithTimeout(context.Background(), time.Second)
			cancel()
		}
	})
	b.Run("forward", func(b *testing.B) {
		b.ReportAllocs()
		start, _ := p.Start(h, epoch)
		for b.Loop() {
			start.Forward(h, epoch)
		}
	})
}
