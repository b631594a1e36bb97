// Package pace sends at a steady rate, whatever the receiver does: each request has its time, and one that could not be
// sent then is sent as soon as possible, so that a pause of the receiver is followed by the burst it would see in life.
package pace

import (
	"errors"
	"sync"
	"time"
)

// A Schedule is a number of requests at a fixed distance, dealt to senders in turn: a sender's requests do not depend on
// how fast the others are, so that equal schedules send equal requests.
type Schedule struct {
	Senders  int
	Interval time.Duration
	Requests int
	// Mark is called once, when request number MarkAt is due: where warming up ends and measuring begins.
	MarkAt int
	Mark   func()
}

// Run calls send for every request and returns when all have returned: how late the last one of all was started, and
// what went wrong. Each sender is one goroutine and stops at its first error.
func (s Schedule) Run(send func(sender, request int) error) (late time.Duration, err error) {
	start := time.Now()
	lates := make([]time.Duration, s.Senders)
	errs := make([]error, s.Senders)
	var wg sync.WaitGroup
	for sender := range s.Senders {
		wg.Go(func() {
			for k := sender; k < s.Requests; k += s.Senders {
				due := start.Add(time.Duration(k) * s.Interval)
				time.Sleep(time.Until(due))
				lates[sender] = time.Since(due)
				if errs[sender] = send(sender, k); errs[sender] != nil {
					return
				}
			}
		})
	}
	if s.Mark != nil {
		time.Sleep(time.Until(start.Add(time.Duration(s.MarkAt) * s.Interval)))
		s.Mark()
	}
	wg.Wait()
	for _, l := range lates {
		late = max(late, l)
	}
	return late, errors.Join(errs...)
}
