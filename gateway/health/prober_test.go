package health_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/health"
)

var errDown = errors.New("down")

// An endpoint without traffic that dies is out after three probes and back three probes after it has recovered.
func TestProbesEjectAndBringBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keeper, prober := health.NewKeeper(0), health.NewProber(0)
		defer keeper.Close()
		defer prober.Close()
		a, b := health.NewEndpoint("a"), health.NewEndpoint("b")
		keeper.Group("g").Configure(health.Settings{}, []*health.Endpoint{a, b})
		var down atomic.Bool
		prober.Watch(a, func(context.Context) error {
			if down.Load() {
				return errDown
			}
			return nil
		}, health.ProbeSettings{Jitter: -1})
		time.Sleep(10 * time.Second)
		if a.Share() != health.Full || b.Share() != health.Full {
			t.Fatalf("shares %d and %d at the start", a.Share(), b.Share())
		}
		down.Store(true)
		time.Sleep(2 * time.Second)
		if a.Share() != health.Full {
			t.Error("ejected after two failures")
		}
		time.Sleep(1200 * time.Millisecond)
		if a.Share() != 0 {
			t.Error("not ejected after three failures")
		}
		time.Sleep(5 * time.Minute) // a probed endpoint does not heal by time
		if a.Share() != 0 || b.Share() != health.Full {
			t.Errorf("shares %d and %d in the outage", a.Share(), b.Share())
		}
		down.Store(false)
		time.Sleep(3200 * time.Millisecond)
		if a.Share() == 0 || a.Share() == health.Full {
			t.Errorf("share %d after three successes, want a slow start", a.Share())
		}
		if s := keeper.Group("g").Status(); !s.Endpoints[0].Probed || s.Endpoints[1].Probed || s.Endpoints[0].Cause != "probe_failure" {
			t.Errorf("status %+v", s)
		}
	})
}

func TestWatchKeepsItsPaceAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		prober := health.NewProber(0)
		defer prober.Close()
		var times []time.Time
		ended := false
		stop := prober.Watch(health.NewEndpoint("a"), func(ctx context.Context) error {
			times = append(times, time.Now())
			if len(times) < 20 {
				time.Sleep(200 * time.Millisecond) // is part of the interval
				return nil
			}
			<-ctx.Done()
			ended = errors.Is(ctx.Err(), context.Canceled)
			return ctx.Err()
		}, health.ProbeSettings{Interval: 10 * time.Second, Timeout: time.Hour, Jitter: 0.2,
			OnProbe: func(err error, took time.Duration) {
				if err != nil || took != 200*time.Millisecond {
					t.Errorf("a probe took %s: %v", took, err)
				}
			}})
		begun := time.Now()
		time.Sleep(260 * time.Second)
		synctest.Wait()
		if len(times) != 20 || times[0].Sub(begun) > 10*time.Second {
			t.Fatalf("%d probes, the first after %s", len(times), times[0].Sub(begun))
		}
		distinct := map[time.Duration]bool{}
		for i := 1; i < len(times); i++ {
			d := times[i].Sub(times[i-1])
			if distinct[d] = true; d < 8*time.Second || d > 12*time.Second {
				t.Errorf("probe %d came after %s", i, d)
			}
		}
		if len(distinct) < 10 {
			t.Errorf("no jitter: %v", distinct)
		}
		stop()
		synctest.Wait()
		if !ended {
			t.Error("stop did not end the probe under way")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(times) != 20 {
			t.Error("probes after stop")
		}
	})
}

func TestProbesAreLimitedInTimeAndNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		prober := health.NewProber(3)
		var running, timeouts atomic.Int64
		hang := func(ctx context.Context) error {
			if n := running.Add(1); n > 3 {
				t.Errorf("%d probes at once", n)
			}
			defer running.Add(-1)
			<-ctx.Done()
			return ctx.Err()
		}
		e := health.NewEndpoint("e")
		for range 20 {
			prober.Watch(e, hang, health.ProbeSettings{Interval: time.Second, OnProbe: func(err error, took time.Duration) {
				if timeouts.Add(1); !errors.Is(err, context.DeadlineExceeded) || took != 300*time.Millisecond {
					t.Errorf("took %s: %v", took, err)
				}
			}})
		}
		time.Sleep(30 * time.Second)
		if n := timeouts.Load(); n < 280 { // 30 s / 0.3 s x 3 = 300
			t.Errorf("%d probes in 30 s", n)
		}
		prober.Close() // the bubble ends only when all goroutines have
		prober.Close()
		prober.Watch(e, hang, health.ProbeSettings{})() // refused quietly
	})
}

func TestKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := health.NewKeeper(0)
		g := k.Group("b")
		if k.Group("b") != g || k.Group("a") == g {
			t.Error("groups are not kept by name")
		}
		e := health.NewEndpoint("e")
		g.Configure(health.Settings{MaxEjected: 1, PanicBelow: -1}, []*health.Endpoint{e})
		time.Sleep(health.Round / 2)
		for range 2 {
			for range 100 {
				e.Record(health.ConnectError, 0)
			}
			time.Sleep(health.Round)
		}
		if e.Share() != 0 {
			t.Error("200 ms after its death the endpoint is still used")
		}
		if all := k.Groups(); len(all) != 2 || all[0].Status().Group != "a" {
			t.Errorf("groups %v", all)
		}
		k.Retain(func(name string) bool { return name == "a" })
		if len(k.Groups()) != 1 {
			t.Error("a group was not forgotten")
		}
		k.Close()
		k.Close()
	})
}
