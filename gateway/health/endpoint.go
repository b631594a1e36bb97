package health

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// Full is the share of an endpoint that gets all requests it is chosen for.
const Full = 1024

// Result is what a request or a probe said about an endpoint. Results that say nothing about it, such as those of requests
// whose client went away, are not recorded.
type Result uint8

const (
	// Success is any answer but a 5xx; a refusal too shows that the endpoint works.
	Success Result = iota
	// ServerError is a 5xx answer.
	ServerError
	// Timeout means that the answer did not come in time.
	Timeout
	// ConnectError means that no connection could be made.
	ConnectError
	// Reset means that the connection broke, or that what came was no answer.
	Reset
	probeSuccess
	probeFailure
	results
	slow // a cause only, never counted
)

// String is the result as admin pages and telemetry show it.
func (r Result) String() string {
	return [...]string{"success", "server_error", "timeout", "connect_error", "reset", "probe_success", "probe_failure", "", "slow"}[r]
}

// weights are what one result counts; package documentation has the arithmetic.
var weights = [results]float64{Success: 1, ServerError: 1, Timeout: 2, ConnectError: 3, Reset: 2, probeSuccess: 3, probeFailure: 3}

// Endpoint is the health of one endpoint. It lives as long as the endpoint does, whatever groups it is in over time, and is in
// one group at a time.
type Endpoint struct {
	id    string
	share atomic.Uint32
	// probed counts the probes that watch it.
	probed atomic.Int32
	_      [64]byte // the share is read by all requests, what follows is written by those of the endpoint

	// answers is the number of successes (24 bits) and the sum of the logarithms of their latencies (40 bits; a
	// logarithm has 14, so 2^24 of them fit).
	answers atomic.Uint64
	counts  [results]atomic.Uint32

	// The rest belongs to the group and is guarded by its lock.
	score     float64
	latency   float64   // the logarithm's mean
	heard     time.Time // of the last success; the latency is not compared when it is too old
	cause     Result    // what last made the score fall
	bad       bool      // below EjectBelow, and not above UseAbove since
	out       bool      // if bad: among those that may be ejected in this round
	ejected   bool
	since     time.Time // of ejection or return; zero for an endpoint that was here from the start
	ejections int       // that followed soon on each other
}

// NewEndpoint makes a healthy endpoint.
func NewEndpoint(id string) *Endpoint {
	e := &Endpoint{id: id, score: 100}
	e.share.Store(Full)
	return e
}

// ID is the name given to NewEndpoint.
func (e *Endpoint) ID() string { return e.id }

// Share is the part of its requests, in 1/Full, that the endpoint shall get now: 0 while it is ejected.
func (e *Endpoint) Share() uint32 { return e.share.Load() }

// Record counts a result. The latency is that of the answer's first byte, and is used for successes only: errors come fast.
func (e *Endpoint) Record(r Result, latency time.Duration) {
	if r == Success {
		e.answers.Add(1<<40 | logarithm(latency))
		return
	}
	e.counts[r].Add(1)
}

// tally is what was recorded since the last one.
type tally struct {
	good, bad float64
	cause     Result // of most of the bad
	latency   float64
	answers   float64
}

func (e *Endpoint) drain() tally {
	a := e.answers.Swap(0)
	t := tally{answers: float64(a >> 40)}
	if t.answers > 0 {
		t.latency = float64(a&(1<<40-1)) / t.answers / 256
	}
	t.good = t.answers * weights[Success]
	worst := 0.0
	for r := ServerError; r < results; r++ {
		if e.counts[r].Load() == 0 {
			continue
		}
		w := weights[r] * float64(e.counts[r].Swap(0))
		if r == probeSuccess {
			t.good += w
			continue
		}
		if t.bad += w; w > worst {
			worst, t.cause = w, r
		}
	}
	return t
}

// logarithm is log2 of the nanoseconds in 1/256, straight between powers of two, which is at most 0.09 too small.
func logarithm(d time.Duration) uint64 {
	ns := uint64(max(d, 1))
	n := bits.Len64(ns) - 1
	return uint64(n)<<8 | ns<<(63-n)>>55&0xff
}

// duration undoes logarithm.
func duration(log float64) time.Duration {
	n := math.Floor(log)
	return time.Duration(math.Exp2(n) * (1 + log - n))
}
