// Package breaker stops requests to what does not answer, judging failures by their class.
//
// A Breaker guards one route at one endpoint. While it is closed it counts results in a sliding window; it opens when
//
//   - timeouts come in a row, or are too large a part: waiting for them costs clients and the gateway most, so few suffice;
//   - connect errors, resets, server errors and timeouts together are too large a part of enough results.
//
// Business results (4xx, and codes that are configured) mean that the endpoint works: they count like successes and can
// never open a breaker. Canceled results tell nothing about the endpoint and count for nothing.
//
// Open, it refuses for a time that doubles, with jitter, each time it opens again soon. Then it is half open and lets a
// trickle of requests through: any failure opens it again, enough successes close it with an empty window.
//
// A breaker starts no goroutine and reads no clock: time comes with the calls, and an open breaker turns half open when the
// first request after its time arrives. Its memory is fixed, about 500 bytes with ten buckets; nothing queues. The closed path
// takes no lock and allocates nothing. What Allow and Done together cost, on one of two busy cores of an EPYC (BenchmarkRequest):
//
//	success, business   20 ns, with two cores at the same breaker 18
//	failure             30 ns, for the window is added up
//	refused             20 ns
//	sony/gobreaker     195 ns, its reading the clock included (BenchmarkPeer)
package breaker

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// State is what a breaker does with requests.
type State uint8

const (
	// Closed lets all requests pass.
	Closed State = iota
	// Open lets none pass.
	Open
	// HalfOpen lets a trickle pass, to find out.
	HalfOpen
)

// String is the state as admin pages and telemetry show it.
func (s State) String() string { return [...]string{"closed", "open", "half_open"}[s] }

// Reason is why a state changed.
type Reason uint8

const (
	// TimeoutsInRow opened a breaker: Settings.TimeoutsInRow.
	TimeoutsInRow Reason = iota
	// TimeoutRate opened it: Settings.TimeoutRate.
	TimeoutRate
	// FailureRate opened it: Settings.FailureRate.
	FailureRate
	// ProbeFailed opened it again.
	ProbeFailed
	// WaitOver half opened it.
	WaitOver
	// ProbesSucceeded closed it.
	ProbesSucceeded
)

// String is the reason as admin pages and telemetry show it.
func (r Reason) String() string {
	return [...]string{"timeouts_in_row", "timeout_rate", "failure_rate", "probe_failed", "wait_over", "probes_succeeded"}[r]
}

// Change is an event: a breaker got another state.
type Change struct {
	Key      Key
	From, To State
	Reason   Reason
	// Class is that of the result that brought the change about; none for WaitOver.
	Class Class
	At    time.Time
	// Until is when an open breaker lets the next request through.
	Until time.Time
	// Number counts the changes of the breaker. Two events may be delivered in the wrong order; this one orders them.
	Number uint32
}

// Key names what a breaker guards.
type Key struct{ Route, Endpoint string }

// Breaker is safe for concurrent use. Set.Get makes one.
type Breaker struct {
	key   Key
	s     Settings
	epoch time.Time // of the nanoseconds below

	// state is the number of changes so far and the State, in one word, so that a result can be told to belong to an
	// earlier state. It is written with mu held.
	state   atomic.Uint64
	row     atomic.Int64 // timeouts since the last other result
	until   atomic.Int64 // the end of the wait of an open breaker, in ns since epoch
	probing atomic.Int64 // probes under way; written with mu held
	refused atomic.Uint64
	window  window

	mu        sync.Mutex // guards state transitions and the following; no other lock is taken under it
	succeeded int        // probes, since half open
	repeats   int        // how often it opened again without a long closed time between
	changed   time.Time
	reason    Reason
}

// Ticket is the permission to send one request. Every ticket is handed back to Done, exactly once.
type Ticket struct {
	number uint32
	probe  bool
}

// Probe says that the request is one of the trickle of a half open breaker; do not hedge it.
func (t Ticket) Probe() bool { return t.probe }

func newBreaker(key Key, s Settings, now time.Time) *Breaker {
	b := &Breaker{key: key, s: s.withDefaults(), epoch: now, changed: now}
	b.window = newWindow(b.s.Window, b.s.Buckets)
	return b
}

// Allow asks whether a request may be sent now.
func (b *Breaker) Allow(now time.Time) (Ticket, bool) {
	number, state := unpack(b.state.Load())
	if state == Closed {
		return Ticket{number: number}, true
	}
	t, ok, change := b.allowProbe(now)
	b.tell(change)
	if !ok {
		b.refused.Add(1)
	}
	return t, ok
}

// Ready says whether Allow would grant a request now, without asking for it: a balancer passes over endpoints that are not.
// Allow may refuse all the same, when another request takes the last probe first.
func (b *Breaker) Ready(now time.Time) bool {
	switch _, state := unpack(b.state.Load()); state {
	case Closed:
		return true
	case Open:
		return b.since(now) >= b.until.Load()
	default:
		return b.probing.Load() < int64(b.s.Probes)
	}
}

// Done hands a ticket back with what became of its request. Results that arrive after the breaker has changed its state tell
// about a time that is over and are forgotten.
func (b *Breaker) Done(t Ticket, class Class, now time.Time) {
	number, state := unpack(b.state.Load())
	if number != t.number {
		return
	}
	var change *Change
	switch {
	case state == Closed && class != Canceled:
		change = b.count(t, class, now)
	case t.probe:
		change = b.doneProbe(t, class, now)
	}
	b.tell(change)
}

// count adds a result to the window and opens the breaker when that was the last straw.
func (b *Breaker) count(t Ticket, class Class, now time.Time) *Change {
	at := b.since(now)
	if class != Timeout && b.row.Load() != 0 {
		b.row.Store(0)
	}
	if !class.failure() {
		b.window.success(at)
		return nil
	}
	row := int64(0)
	if class == Timeout {
		row = b.row.Add(1)
	}
	b.window.failure(at, class == Timeout)
	reason, opens := b.judge(b.window.sum(at), row)
	if !opens {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if number, state := unpack(b.state.Load()); number != t.number || state != Closed {
		return nil // somebody else opened it
	}
	if now.Sub(b.changed) > b.s.MaxOpen {
		b.repeats = 0
	}
	return b.open(reason, class, now)
}

// judge says whether the counts, and the timeouts in a row, are too many.
func (b *Breaker) judge(c Counts, row int64) (Reason, bool) {
	switch results := float64(c.Results); {
	case b.s.TimeoutsInRow > 0 && row >= int64(b.s.TimeoutsInRow):
		return TimeoutsInRow, true
	case c.Results >= uint64(b.s.TimeoutMinimum) && float64(c.Timeouts) >= b.s.TimeoutRate*results && c.Timeouts > 0:
		return TimeoutRate, true
	case c.Results >= uint64(b.s.FailureMinimum) && float64(c.Failures) >= b.s.FailureRate*results:
		return FailureRate, true
	}
	return 0, false
}

func (b *Breaker) allowProbe(now time.Time) (Ticket, bool, *Change) {
	b.mu.Lock()
	defer b.mu.Unlock()
	number, state := unpack(b.state.Load())
	var change *Change
	switch state {
	case Closed:
		return Ticket{number: number}, true, nil
	case Open:
		if b.since(now) < b.until.Load() {
			return Ticket{}, false, nil
		}
		b.succeeded = 0
		b.probing.Store(0)
		change = b.change(HalfOpen, WaitOver, 0, now)
	}
	if b.probing.Load() >= int64(b.s.Probes) {
		return Ticket{}, false, nil
	}
	b.probing.Add(1)
	number, _ = unpack(b.state.Load())
	return Ticket{number: number, probe: true}, true, change
}

func (b *Breaker) doneProbe(t Ticket, class Class, now time.Time) *Change {
	b.mu.Lock()
	defer b.mu.Unlock()
	if number, _ := unpack(b.state.Load()); number != t.number {
		return nil
	}
	b.probing.Add(-1)
	switch {
	case class == Canceled:
		return nil
	case class.failure():
		return b.open(ProbeFailed, class, now)
	}
	if b.succeeded++; b.succeeded < b.s.Successes {
		return nil
	}
	b.window.clear()
	b.row.Store(0)
	return b.change(Closed, ProbesSucceeded, class, now)
}

// open must be called with mu held.
func (b *Breaker) open(reason Reason, class Class, now time.Time) *Change {
	wait := b.s.wait(b.repeats)
	b.repeats++
	b.until.Store(b.since(now) + int64(wait))
	return b.change(Open, reason, class, now)
}

// change must be called with mu held. The event is for tell, after mu is released.
func (b *Breaker) change(to State, reason Reason, class Class, now time.Time) *Change {
	number, from := unpack(b.state.Load())
	number++
	b.changed, b.reason = now, reason
	b.state.Store(uint64(number)<<8 | uint64(to))
	c := &Change{Key: b.key, From: from, To: to, Reason: reason, Class: class, At: now, Number: number}
	if to == Open {
		c.Until = b.epoch.Add(time.Duration(b.until.Load()))
	}
	return c
}

func (b *Breaker) tell(c *Change) {
	if c != nil && b.s.OnChange != nil {
		b.s.OnChange(*c)
	}
}

// Status is what an admin page shows of a breaker.
type Status struct {
	Key   Key
	State State
	// Since is when it got its state, Reason why. A breaker that never changed has Number 0 and no reason.
	Since  time.Time
	Reason Reason
	Number uint32
	// Until is when an open breaker lets the next request through.
	Until time.Time
	// Window counts the results of a closed breaker.
	Window Counts
	// Refused counts requests since the breaker was made.
	Refused uint64
}

// Status describes the breaker at this moment.
func (b *Breaker) Status(now time.Time) Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	number, state := unpack(b.state.Load())
	s := Status{Key: b.key, State: state, Since: b.changed, Reason: b.reason, Number: number, Refused: b.refused.Load()}
	switch state {
	case Closed:
		s.Window = b.window.sum(b.since(now))
	case Open:
		s.Until = b.epoch.Add(time.Duration(b.until.Load()))
	}
	return s
}

func (b *Breaker) since(now time.Time) int64 { return int64(now.Sub(b.epoch)) }

func unpack(word uint64) (number uint32, state State) { return uint32(word >> 8), State(word & 0xff) }

func defaultRand() float64 { return rand.Float64() }
