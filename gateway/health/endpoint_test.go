package health

import (
	"math"
	"sync"
	"testing"
	"time"
)

// No result is lost between recording goroutines and draining rounds.
func TestRecordCountsExactly(t *testing.T) {
	e := NewEndpoint("e")
	var sum tally
	drain := func() {
		t := e.drain()
		sum.good, sum.bad, sum.latency = sum.good+t.good, sum.bad+t.bad, sum.latency+t.latency*t.answers
	}
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range 10_000 {
				e.Record(Success, 1<<20)
				e.Record(ConnectError, 0)
				e.Record(probeSuccess, 0)
			}
		})
	}
	written := make(chan struct{})
	go func() { writers.Wait(); close(written) }()
	for waiting := true; waiting; {
		drain()
		select {
		case <-written:
			waiting = false
		default:
		}
	}
	drain()
	if sum.good != 40_000*4 || sum.bad != 40_000*3 || math.Abs(sum.latency-40_000*20) > 1e-3 {
		t.Errorf("good %g, bad %g, logarithms %g", sum.good, sum.bad, sum.latency)
	}
}

func FuzzLogarithm(f *testing.F) {
	for _, ns := range []int64{-1, 0, 1, 2, 3, 1000, 1 << 40, math.MaxInt64} {
		f.Add(ns)
	}
	f.Fuzz(func(t *testing.T, ns int64) {
		got := float64(logarithm(time.Duration(ns))) / 256
		want := math.Log2(float64(max(ns, 1)))
		if got > want+1e-9 || got < want-0.0901 {
			t.Fatalf("log2 %d is %g, got %g", ns, want, got)
		}
		if back := float64(duration(got)); ns > 1 && ns < 1<<62 && (back > float64(ns)+1 || back < float64(ns)*255/256-1) {
			t.Fatalf("%d comes back as %g", ns, back)
		}
	})
}

func TestMedianWithout(t *testing.T) {
	for _, tc := range []struct {
		all  peers
		own  float64
		want float64
	}{
		{peers{1, 2, 3}, 3, 1}, {peers{1, 2, 3}, 1, 2}, {peers{1, 2, 3}, 2, 1},
		{peers{1, 2, 3, 4}, 4, 2}, {peers{1, 2, 3, 4}, 1, 3}, {peers{5, 5, 5}, 5, 5}, {peers{1, 9, 9, 9, 9}, 1, 9},
	} {
		if got := tc.all.medianWithout(tc.own); got != tc.want {
			t.Errorf("%v without %g: %g, want %g", tc.all, tc.own, got, tc.want)
		}
	}
}

func TestHotPathAllocatesNothing(t *testing.T) {
	e := NewEndpoint("e")
	if n := testing.AllocsPerRun(1000, func() { e.Record(Success, time.Millisecond); e.Record(Timeout, 0); e.Share() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRecord(b *testing.B) {
	for _, r := range []Result{Success, Timeout} {
		b.Run("result="+r.String(), func(b *testing.B) {
			e := NewEndpoint("e")
			b.ReportAllocs()
			for d := time.Duration(1000); b.Loop(); d += 1000 {
				e.Record(r, d)
			}
		})
	}
}

func BenchmarkEvaluate(b *testing.B) {
	g := NewGroup("g")
	var endpoints []*Endpoint
	for range 100 {
		endpoints = append(endpoints, NewEndpoint("e"))
	}
	g.Configure(Settings{}, endpoints)
	now := time.Unix(0, 0)
	for b.Loop() {
		for _, e := range endpoints {
			e.Record(Success, time.Millisecond)
		}
		now = now.Add(Round)
		g.Evaluate(now)
	}
}
