package pace

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestEveryRequestAtItsTimeAndSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var mu sync.Mutex
		sent := map[int]time.Duration{}
		var marked time.Duration
		s := Schedule{
			Senders: 3, Interval: time.Second, Requests: 10,
			MarkAt: 4, Mark: func() { marked = time.Since(start) },
		}
		late, err := s.Run(func(sender, k int) error {
			mu.Lock()
			defer mu.Unlock()
			if sender != k%3 {
				t.Errorf("request %d by sender %d", k, sender)
			}
			sent[k] = time.Since(start)
			return nil
		})
		if err != nil || late != 0 {
			t.Errorf("late by %s, %v", late, err)
		}
		for k := range 10 {
			if at, ok := sent[k]; !ok || at != time.Duration(k)*time.Second {
				t.Errorf("request %d sent at %s, %v", k, at, ok)
			}
		}
		if marked != 4*time.Second {
			t.Errorf("marked at %s, want 4s", marked)
		}
	})
}

func TestALateSenderCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		late, err := Schedule{Senders: 1, Interval: time.Second, Requests: 6}.Run(func(_, k int) error {
			at = append(at, time.Since(start))
			if k == 1 {
				time.Sleep(2500 * time.Millisecond)
			}
			return nil
		})
		want := []time.Duration{0, time.Second, 3500 * time.Millisecond, 3500 * time.Millisecond, 4 * time.Second, 5 * time.Second}
		if err != nil || late != 0 || !slices.Equal(at, want) {
			t.Errorf("sent at %v, want %v; late by %s, %v", at, want, late, err)
		}
	})
}

func TestAReceiverThatCannotKeepUpIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late, err := Schedule{Senders: 2, Interval: time.Second, Requests: 20}.Run(func(int, int) error {
			time.Sleep(4 * time.Second)
			return nil
		})
		if err != nil || late != 18*time.Second {
			t.Errorf("late by %s, want 18s; %v", late, err)
		}
	})
}

func TestFirstErrorEndsASender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("connection refused")
		calls := 0
		_, err := Schedule{Senders: 1, Interval: time.Second, Requests: 20}.Run(func(int, int) error {
			calls++
			return broken
		})
		if calls != 1 || !errors.Is(err, broken) {
			t.Errorf("%d calls, %v", calls, err)
		}
	})
}
