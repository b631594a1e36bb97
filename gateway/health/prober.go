package health

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Check asks an endpoint whether it works, over a connection of its own, and answers nil if it does. It respects ctx, whose
// deadline covers connecting too.
type Check func(ctx context.Context) error

// ProbeSettings say how an endpoint is watched. A zero field has its default.
type ProbeSettings struct {
	// Interval is the time from one probe to the next. 0 is 1s: from perfect health three failures eject, from none
	// three successes bring back, so either takes about 3s without any traffic.
	Interval time.Duration
	// Timeout is for connecting and answering. 0 is 300ms.
	Timeout time.Duration
	// Jitter is the part of the interval that is random: up to so much shorter or longer. 0 is 0.1; below 0: none.
	Jitter float64
	// OnProbe is told of each result on the goroutine of the probe. It may be nil.
	OnProbe func(err error, took time.Duration)
}

// Prober runs probes. Each endpoint is watched by a goroutine of the prober.
type Prober struct {
	ctx    context.Context
	cancel context.CancelFunc
	slots  chan struct{} // one for each probe that may run at once

	mu      sync.Mutex // guards the two below
	closed  bool
	running sync.WaitGroup
}

// NewProber makes a prober that runs at most so many probes at once; 0 is 64, each of which holds a descriptor for up to its
// timeout: with 300 ms that is enough for 200 dead endpoints at one probe a second.
func NewProber(concurrency int) *Prober {
	if concurrency <= 0 {
		concurrency = 64
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Prober{ctx: ctx, cancel: cancel, slots: make(chan struct{}, concurrency)}
}

// Watch probes an endpoint, first after a random part of the interval, until stop is called or the prober closed. stop ends
// a probe under way, whose result is not recorded, and does not wait for it.
func (p *Prober) Watch(e *Endpoint, check Check, s ProbeSettings) (stop func()) {
	or(&s.Interval, time.Second)
	or(&s.Timeout, 300*time.Millisecond)
	or(&s.Jitter, 0.1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return func() {}
	}
	ctx, cancel := context.WithCancel(p.ctx)
	e.probed.Add(1)
	p.running.Go(func() {
		defer e.probed.Add(-1)
		p.watch(ctx, e, check, s)
	})
	return cancel
}

// Close stops all probes and waits for their goroutines. It may be called twice.
func (p *Prober) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cancel()
	p.running.Wait()
}

func (p *Prober) watch(ctx context.Context, e *Endpoint, check Check, s ProbeSettings) {
	wait := time.NewTimer(time.Duration(rand.Float64() * float64(s.Interval)))
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		begun := time.Now()
		if !p.probe(ctx, e, check, s) {
			return
		}
		next := s.Interval
		if s.Jitter > 0 {
			next += time.Duration((2*rand.Float64() - 1) * s.Jitter * float64(s.Interval))
		}
		wait.Reset(max(0, next-time.Since(begun)))
	}
}

// probe waits for a slot and runs one check. It answers false when the watch is over.
func (p *Prober) probe(ctx context.Context, e *Endpoint, check Check, s ProbeSettings) bool {
	select {
	case <-ctx.Done():
		return false
	case p.slots <- struct{}{}:
	}
	defer func() { <-p.slots }()
	limited, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	begun := time.Now()
	err := check(limited)
	if ctx.Err() != nil {
		return false
	}
	if err == nil {
		e.Record(probeSuccess, 0)
	} else {
		e.Record(probeFailure, 0)
	}
	if s.OnProbe != nil {
		s.OnProbe(err, time.Since(begun))
	}
	return true
}
