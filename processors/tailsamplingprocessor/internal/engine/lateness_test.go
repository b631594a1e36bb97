package engine

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// teaching and learning are hashes of traces that do and do not wait the whole time.
const (
	teaching = uint64(0)
	learning = uint64(1) << 40
)

// The answer is the quantile's own bucket: never shorter than what was observed, at most a quarter and a millisecond
// longer.
func TestLatenessIsTheQuantile(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		l := &Lateness{Quantile: []float64{0.5, 0.9, 0.99, 0.999}[seed%4]}
		var seen []time.Duration
		scale := math.Exp(r.Float64() * math.Log(20_000)) // milliseconds, up to 20 s
		for range 16 * (7 + r.IntN(200)) {
			after := time.Duration(r.ExpFloat64() * scale * float64(time.Millisecond))
			if r.IntN(5) == 0 {
				after = -after // the newest span came before the root
			}
			l.Observe(1, teaching, after)
			seen = append(seen, after)
		}
		slices.Sort(seen)
		want := seen[int(math.Ceil(l.Quantile*float64(len(seen))))-1]
		got := l.Wait(1, learning, time.Hour)
		if got < want || got > max(want, 0)*5/4+time.Millisecond {
			t.Errorf("seed %d: quantile %v of %d is %s, waits %s", seed, l.Quantile, len(seen), want, got)
		}
	}
}

func TestLatenessBounds(t *testing.T) {
	l := &Lateness{Quantile: 0.99, Min: 50 * time.Millisecond}
	wait := func(service uint32, hash uint64) time.Duration { return l.Wait(service, hash, 30*time.Second) }
	for i := range enoughTraces {
		if got := wait(1, learning); got != 30*time.Second {
			t.Fatalf("waits %s after %d traces", got, i)
		}
		l.Observe(1, teaching, time.Millisecond)
	}
	if got := wait(1, learning); got != 50*time.Millisecond {
		t.Errorf("waits %s, want the minimum", got)
	}
	if got := wait(1, teaching); got != 30*time.Second {
		t.Errorf("a trace that teaches waits %s, want the whole time", got)
	}
	if got := l.Wait(1, learning, 20*time.Millisecond); got != 20*time.Millisecond {
		t.Errorf("waits %s, want no more than decision_wait", got)
	}
	if got := wait(2, learning); got != 30*time.Second {
		t.Errorf("an unknown service waits %s, want the whole time", got)
	}
	for range enoughTraces {
		l.Observe(3, learning, 0)
	}
	if got := wait(3, learning); got != 30*time.Second {
		t.Errorf("traces that do not teach have taught: waits %s", got)
	}
	for range enoughTraces {
		l.Observe(4, teaching, time.Hour)
	}
	if got := l.Wait(4, learning, 2*time.Hour); got != 2*time.Hour {
		t.Errorf("spans come an hour late, waits %s, want the whole time", got)
	}
}

// What was true an hour ago is outvoted by what has been true since.
func TestLatenessForgets(t *testing.T) {
	l := &Lateness{Quantile: 0.99}
	for range 100_000 {
		l.Observe(1, teaching, 10*time.Second)
	}
	n := 0
	for ; l.Wait(1, learning, time.Minute) > time.Second && n < 1_000_000; n++ {
		l.Observe(1, teaching, time.Millisecond)
	}
	// Each halving, after 2,048 traces, halves what the past weighs: 1 % is reached after seven.
	if n < enoughTraces || n > 8*forgetAt/2 {
		t.Errorf("an incident was forgotten after %d traces", n)
	}
}

func TestLatenessBoundsItsServices(t *testing.T) {
	l := &Lateness{Quantile: 0.9}
	for service := range uint32(2 * maxServices) {
		for range enoughTraces {
			l.Observe(service, teaching, time.Millisecond)
		}
	}
	if len(l.services) != maxServices {
		t.Errorf("%d services are remembered, want %d", len(l.services), maxServices)
	}
	if got := l.Wait(2*maxServices-1, learning, time.Minute); got != time.Minute {
		t.Errorf("a service too many waits %s, want the whole time", got)
	}
}

// Buckets follow each other without gap or overlap: each ends where the next begins.
func TestLatenessBuckets(t *testing.T) {
	for i := range lateBuckets - 1 {
		end := boundOf(i)
		if bucketOf(end-1) != i || bucketOf(end) != i+1 {
			t.Errorf("bucket %d ends at %s, which falls in %d, and just before in %d", i, end, bucketOf(end), bucketOf(end-1))
		}
	}
}
