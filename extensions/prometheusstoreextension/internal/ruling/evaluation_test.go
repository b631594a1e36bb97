package ruling_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/internal/alertfeed"
)

const highErrors = `
groups:
  - name: shop
    interval: 15s
    rules:
      - alert: HighErrors
        expr: errors > 10
        for: 5m
        labels: {severity: critical}
        annotations: {summary: 'errors at {{ $value }} in {{ $labels.service }}'}
`

// An alert that has been pending for 4 of its 5 minutes fires 1 minute after a restart, not 5.
func TestPendingTimeSurvivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start(highErrors)
		began := time.Now()
		erring := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(15 * time.Second) {
				w.write(20, "__name__", "errors", "service", "shop")
			}
		}
		// The first round only comes 2 evaluations after the start, see below: 4 minutes of waiting are in the database.
		erring(4*time.Minute + 30*time.Second)
		require.Empty(t, w.announced())
		pending := w.query("time() - ALERTS_FOR_STATE")
		require.Len(t, pending, 1)
		t.Logf("pending for %gs of 300s after %s", pending[0].F, time.Since(began))
		w.stop()

		time.Sleep(20 * time.Second)
		w.start(highErrors)
		restarted := time.Now()
		for len(w.feed.Stats().Subscribers) > 0 && w.feed.Stats().Fired == 0 && time.Since(restarted) < 10*time.Minute {
			erring(time.Second)
		}
		w.stop()
		fired := w.announced()
		require.Len(t, fired, 1)
		assert.Equal(t, alertfeed.Firing, fired[0].State)
		waited := fired[0].StartsAt.Sub(restarted)
		t.Logf("fired %s after the restart", waited)
	})
}
