package peers

import (
	"fmt"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/internal/testkit/promserver"
)

// outage is how long the server is away: a restart with a log to replay.
const outage = 17 * time.Second

// TestOutageOfTheServer exports three batches of a hundred samples while the server is away. Contrib's exporter, with its
// queue of ten thousand batches and retries for five minutes, gives each up after the five seconds of its timeout.
func TestOutageOfTheServer(t *testing.T) {
	for _, message := range []string{remoteWrite1, remoteWrite2} {
		t.Run("contrib "+message, func(t *testing.T) {
			t.Parallel()
			server := promserver.Start(t, promserver.Settings{Flags: stockFlags})
			door := newDoor(t, server.API)
			c := start(t, gateRemoteWrite2, contribSink(string(door.api), message))
			times := threeBatches(t, c)
			away := time.Now()
			promserver.Eventually(t, outage+settleTime, func() error {
				if failed, since := c.contribFailed(t), time.Since(away); failed < 300 || since < outage {
					return fmt.Errorf("%v points given up after %s", failed, since)
				}
				return nil
			})
			door.open()
			// What is sent when the server is back arrives: the way is open, and what is missing by then is lost.
			after := time.Now().Truncate(time.Second).Add(time.Second)
			mustExport(t, c.otlp, otlpPath, hundred(after))
			promserver.Eventually(t, settleTime, func() error {
				if n := stored(t, server.API, "batch", after); n < 100 {
					return fmt.Errorf("%d of 100 samples arrived after the outage", n)
				}
				return nil
			})
			if n := storedAt(t, server.API, times); n != 0 {
				t.Errorf("%d of 300 samples survived, measured were 0", n)
			}
		})
	}
}

// TestOurSenderOutlastsTheOutage does the same to our store with a remote_write of its own, in both modes, and kills the
// collector with kill -9 between the batches: what was acknowledged arrives.
func TestOurSenderOutlastsTheOutage(t *testing.T) {
	for _, mode := range []string{"server", "agent"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			server := promserver.Start(t, promserver.Settings{Flags: stockFlags})
			door := newDoor(t, server.API)
			s, _ := store(t, "sender", t.TempDir(), nil, section{
				"mode": mode, "remote_write": []section{{"url": string(door.api) + "/api/v1/write"}},
			})
			away := time.Now()
			first := start(t, "", s)
			now := time.Now().Truncate(time.Second)
			times := []time.Time{now.Add(-10 * time.Second), now.Add(-5 * time.Second), now}
			mustExport(t, first.otlp, otlpPath, hundred(times[0]))
			mustExport(t, first.otlp, otlpPath, hundred(times[1]))
			first.Kill(t)
			second := start(t, "", s)
			mustExport(t, second.otlp, otlpPath, hundred(times[2]))
			timer := time.NewTimer(time.Until(away.Add(outage))) // not a wait for something to happen: the length of the fault
			defer timer.Stop()
			<-timer.C
			door.open()
			promserver.Eventually(t, 30*time.Second, func() error {
				if n := storedAt(t, server.API, times); n < 300 {
					return fmt.Errorf("%d of 300 samples arrived", n)
				}
				return nil
			})
		})
	}
}

// threeBatches exports a hundred samples each of three times and returns those.
func threeBatches(t *testing.T, c *collector) []time.Time {
	t.Helper()
	now := time.Now().Truncate(time.Second)
	times := []time.Time{now.Add(-10 * time.Second), now.Add(-5 * time.Second), now}
	for _, at := range times {
		mustExport(t, c.otlp, otlpPath, hundred(at))
	}
	return times
}

func storedAt(t *testing.T, api promserver.API, times []time.Time) int {
	t.Helper()
	n := 0
	for _, at := range times {
		n += stored(t, api, "batch", at)
	}
	return n
}

// TestPushedSeriesGoStale stops exporting and counts how long an instant query still shows the series: a stock server
// shows them for the whole look-back of five minutes, ours for two export intervals at most.
func TestPushedSeriesGoStale(t *testing.T) {
	const interval = time.Second
	s, ours := store(t, "stale", t.TempDir(), nil, nil)
	c := start(t, "", s)
	stock := promserver.Start(t, promserver.Settings{Flags: stockFlags})
	var last time.Time
	pace := time.NewTicker(interval)
	defer pace.Stop()
	for range 4 { // the exporter's rhythm
		last = <-pace.C
		for _, to := range []struct {
			api  promserver.API
			path string
		}{{c.otlp, otlpPath}, {stock.API, stockOTLPPath}} {
			mustExport(t, to.api, to.path, hundred(last))
		}
	}
	promserver.Eventually(t, 30*interval, func() error {
		if n := len(ours.Query(t, "batch", last.Add(2*interval))); n > 0 {
			return fmt.Errorf("ours still shows %d series two intervals after the last export", n)
		}
		return nil
	})
	if n := len(ours.Query(t, "batch", last)); n != 100 {
		t.Errorf("ours shows %d series at the last export, want 100", n)
	}
	if n := len(stock.API.Query(t, "batch", last.Add(290*time.Second))); n != 100 {
		t.Errorf("the stock server shows %d series 290 s after the last export, want all 100", n)
	}
}
