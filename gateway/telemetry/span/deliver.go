package span

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// RetryableError says that the same request may succeed later, and when to try if the receiver said so.
type RetryableError struct {
	Err   error
	After time.Duration // 0: the receiver did not say
}

func (e *RetryableError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *RetryableError) Unwrap() error { return e.Err }

// Retry says how often and how long a chunk is tried. Zero values stand for the defaults, which are those of
// OpenTelemetry's exporters but for a first wait that fits a collector that restarts.
type Retry struct {
	Timeout time.Duration // of one try; default 10s
	Initial time.Duration // wait after the first failure, doubled with each; default 500ms
	Max     time.Duration // longest wait; default 30s
	Elapsed time.Duration // a chunk is given up when the next try would begin later than this; default 1m
}

func (r Retry) withDefaults() Retry {
	r.Timeout = orDefault(r.Timeout, 10*time.Second)
	r.Initial = orDefault(r.Initial, 500*time.Millisecond)
	r.Max = orDefault(r.Max, 30*time.Second)
	r.Elapsed = orDefault(r.Elapsed, time.Minute)
	return r
}

// wait returns how long to wait after failure number n, counted from 0: half of it is jitter, so that gateways that lost
// one collector together do not come back together.
func (r Retry) wait(n int) time.Duration {
	d := r.Max
	if n < 30 && r.Initial<<n > 0 && r.Initial<<n < r.Max {
		d = r.Initial << n
	}
	return d/2 + rand.N(d/2+1)
}

func (e *Exporter) runSender() {
	for c := range e.full {
		switch {
		case c.barrier != nil:
			c.barrier.Done()
			c.barrier.Wait()
			continue
		case c.spans > 0:
			e.deliver(c)
		}
		e.recycle(c)
	}
}

// deliver sends c until it is taken or given up, and counts.
func (e *Exporter) deliver(c *chunk) {
	request := e.envelope.close(c)
	rejected, err := e.send(request)
	if err != nil {
		e.counts.failed.Add(uint64(c.spans))
		e.settings.OnError(fmt.Errorf("export %d spans: %w", c.spans, err))
		return
	}
	rejected = min(max(rejected, 0), int64(c.spans)) // a receiver's number is not to be trusted with a sum
	if rejected > 0 {
		e.settings.OnError(fmt.Errorf("export %d spans: the receiver rejected %d of them", c.spans, rejected))
	}
	e.counts.rejected.Add(uint64(rejected))
	e.counts.exported.Add(uint64(c.spans) - uint64(rejected))
}

func (e *Exporter) send(request []byte) (rejected int64, err error) {
	start := time.Now()
	for n := 0; ; n++ {
		ctx, cancel := context.WithTimeout(e.sending, e.settings.Retry.Timeout)
		rejected, err = e.settings.Sender.Send(ctx, request)
		cancel()
		var again *RetryableError
		if err == nil || !errors.As(err, &again) {
			return rejected, err
		}
		wait := max(again.After, e.settings.Retry.wait(n))
		if time.Since(start)+wait > e.settings.Retry.Elapsed {
			return 0, fmt.Errorf("given up after %d tries: %w", n+1, err)
		}
		e.counts.retries.Add(1)
		if !sleep(e.sending, wait) {
			return 0, fmt.Errorf("given up at shutdown after %d tries: %w", n+1, err)
		}
	}
}

// sleep returns false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
