package alertfeed_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/internal/alertfeed"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func at(minute int) time.Time { return start.Add(time.Duration(minute) * time.Minute) }

// firing is an alert that began to fire at the minute and stays valid for 4.
func firing(name string, minute int) alertfeed.Alert {
	return alertfeed.Alert{
		Labels:     labels.FromStrings("alertname", name),
		ActiveAt:   at(minute),
		StartsAt:   at(minute),
		ValidUntil: at(minute + 4),
	}
}

func resolved(name string, from, to int) alertfeed.Alert {
	a := firing(name, from)
	a.EndsAt = at(to)
	return a
}

// take reads what is queued, as "name state@minute".
func take(s *alertfeed.Subscription) []string {
	list := []string{}
	for {
		select {
		case e, ok := <-s.Events():
			if !ok {
				return append(list, "closed")
			}
			text := fmt.Sprintf("%s %s@%d", e.Name(), e.State, int(e.At().Sub(start).Minutes()))
			if e.Lapsed {
				text += " lapsed"
			}
			list = append(list, text)
		default:
			return list
		}
	}
}

func TestRepetitionsAreNotAnnounced(t *testing.T) {
	f := alertfeed.New(10)
	s := f.Subscribe("test", 10)
	for range 3 {
		f.Report(firing("a", 0), firing("b", 1))
	}
	f.Report()
	for range 3 {
		f.Report(resolved("a", 0, 5))
	}
	f.Report(firing("a", 7))
	assert.Equal(t, []string{"a firing@0", "b firing@1", "a resolved@5", "a firing@7"}, take(s))
	assert.Equal(t, alertfeed.Stats{
		Firing: 2, Fired: 3, Resolved: 1,
		Subscribers: []alertfeed.SubscriberStats{{Name: "test"}},
	}, f.Stats())
}

// A rule manager that has restarted repeats the end of alerts that nobody was told of.
func TestAnEndWithoutABeginningIsNotAnnounced(t *testing.T) {
	f := alertfeed.New(10)
	s := f.Subscribe("test", 10)
	f.Report(resolved("a", 0, 1))
	assert.Empty(t, take(s))
}

func TestAlertsLapse(t *testing.T) {
	f := alertfeed.New(10)
	s := f.Subscribe("test", 10)
	f.Report(firing("a", 0), firing("b", 0))
	f.Lapse(at(3))
	assert.Equal(t, []string{"a firing@0", "b firing@0"}, take(s))

	again := firing("b", 0)
	again.ValidUntil = at(7)
	f.Report(again)
	f.Lapse(at(4))
	assert.Equal(t, []string{"a resolved@4 lapsed"}, take(s), "b was reported again")
	f.Lapse(at(6))
	assert.Empty(t, take(s))
}

func TestALateSubscriberIsToldWhatFires(t *testing.T) {
	f := alertfeed.New(10)
	f.Report(firing("b", 1), firing("c", 1), firing("a", 2), firing("gone", 0))
	f.Report(resolved("gone", 0, 3))
	assert.Equal(t, []string{"b firing@1", "c firing@1", "a firing@2"}, take(f.Subscribe("late", 10)))
}

func TestASlowSubscriberLosesTheOldest(t *testing.T) {
	f := alertfeed.New(10)
	slow, other := f.Subscribe("slow", 2), f.Subscribe("other", 10)
	f.Report(firing("a", 0), firing("b", 1), firing("c", 2))
	assert.Equal(t, []string{"b firing@1", "c firing@2"}, take(slow))
	assert.Equal(t, uint64(1), slow.Dropped())
	assert.Len(t, take(other), 3)
	assert.Zero(t, other.Dropped())
}

func TestBeyondTheLimitNothingIsAnnounced(t *testing.T) {
	f := alertfeed.New(2)
	s := f.Subscribe("test", 10)
	f.Report(firing("a", 0), firing("b", 0), firing("c", 0))
	f.Report(resolved("c", 0, 1))
	assert.Equal(t, []string{"a firing@0", "b firing@0"}, take(s))
	assert.Equal(t, uint64(1), f.Stats().Untracked)

	f.Report(resolved("a", 0, 2), firing("c", 3))
	assert.Equal(t, []string{"a resolved@2", "c firing@3"}, take(s), "there is room again")
}

func TestBatch(t *testing.T) {
	f := alertfeed.New(10)
	s := f.Subscribe("test", 10)
	f.Report(firing("a", 0), firing("b", 0), firing("c", 0))
	batch := s.Batch(<-s.Events(), 2)
	require.Len(t, batch, 2)
	assert.Equal(t, "b", batch[1].Name())
	s.Close()
	batch = s.Batch(<-s.Events(), 10)
	require.Len(t, batch, 1)
	assert.Equal(t, "c", batch[0].Name())
}

// What is reported together is received together, however quick the subscriber is.
func TestBatchesAreWhole(t *testing.T) {
	f := alertfeed.New(10_000)
	s := f.Subscribe("test", 10_000)
	sizes := make(chan []int)
	go func() {
		var list []int
		for first := range s.Events() {
			list = append(list, len(s.Batch(first, 100)))
		}
		sizes <- list
	}()
	const rounds, together = 200, 10
	for i := range rounds {
		var alerts []alertfeed.Alert
		for j := range together {
			alerts = append(alerts, firing(fmt.Sprintf("%d/%d", i, j), 0))
		}
		f.Report(alerts...)
	}
	s.Close()
	sum := 0
	for _, n := range <-sizes {
		assert.Zero(t, n%together)
		sum += n
	}
	assert.Equal(t, rounds*together, sum)
}

func TestClose(t *testing.T) {
	f := alertfeed.New(2)
	s := f.Subscribe("test", 10)
	f.Report(firing("a", 0))
	s.Close()
	s.Close()
	f.Report(firing("b", 0))
	assert.Equal(t, []string{"a firing@0", "closed"}, take(s))
	assert.Empty(t, f.Stats().Subscribers)
}

func TestFingerprintIsAlertmanagers(t *testing.T) {
	a := alertfeed.Alert{Labels: labels.FromStrings("alertname", "HighErrors", "service", "shop")}
	// Shown by Alertmanager 0.25 for an alert with these labels.
	assert.Equal(t, "8752edc431b82b2e", a.Fingerprint())
}

// Reporters and a reader run side by side: every alert alternates between firing and resolved, and what is published is
// received or counted as dropped.
func TestConcurrentUse(t *testing.T) {
	f := alertfeed.New(100)
	s := f.Subscribe("test", 8)
	const reporters = 4
	var work sync.WaitGroup
	for r := range reporters {
		work.Go(func() {
			random := rand.New(rand.NewPCG(uint64(r), 0))
			for range 1000 {
				if name := fmt.Sprintf("r%d-%d", r, random.IntN(5)); random.IntN(2) == 0 {
					f.Report(firing(name, 0))
				} else {
					f.Report(resolved(name, 0, 1))
				}
			}
		})
	}
	received := make(chan uint64)
	go func() {
		n := uint64(0)
		for range s.Events() {
			n++
		}
		received <- n
	}()
	work.Wait()
	s.Close()
	stats := f.Stats()
	require.Equal(t, stats.Fired+stats.Resolved, <-received+s.Dropped())
	assert.Equal(t, stats.Fired, stats.Resolved+uint64(stats.Firing))
}
