// Package park keeps watch over many quiet connections with one goroutine and without a buffer for any of them.
//
// Go's own way to wait for a connection is a goroutine blocked in Read: a stack of 2 to 8 KiB and the buffer it reads into.
// A Lot registers the descriptor one-shot in an epoll set of its own instead, so that the owner's goroutine can end and
// its buffers go back to their pools; readiness, a hang-up or the end of the time granted wakes the owner again, once.
//
// What is read, and what becomes of a connection that woke, is the owner's. The Lot's single goroutine calls Wake and is
// joined by Close; owners must not block in Wake. A full lot refuses with ErrFull and a platform without epoll with
// ErrUnsupported: the owner then waits on its goroutine, which costs memory and breaks nothing.
package park

import (
	"errors"
	"sync"
	"syscall"
	"time"
)

// Interest is what a parked connection waits for.
type Interest uint8

// The interests.
const (
	Readable Interest = iota // bytes to read, or a hang-up
	HangUp                   // the peer closed its side, or the connection broke; bytes to read do not matter
)

// Cause is why an owner is woken.
type Cause uint8

// The causes.
const (
	Ready   Cause = iota // what the owner was interested in happened
	Expired              // the time granted is over
)

// Owner is told of the end of its parking, on the lot's goroutine and with no lock held.
type Owner interface{ Wake(Cause) }

// What Park may answer. In each case the owner still has its connection for itself.
var (
	ErrFull        = errors.New("park: all places are taken")
	ErrUnsupported = errors.New("park: this platform or connection cannot be parked")
	ErrClosed      = errors.New("park: the lot is closed")
)

// Spot is one connection's place; it is embedded in what the owner keeps of the connection anyway. The zero value is ready.
type Spot struct {
	// All guarded by Lot.mu.
	owner      Owner
	fd         int32
	generation uint32 // tells a late event for an earlier connection with the same descriptor from one for this one
	interest   Interest
	registered bool // the kernel knows the descriptor
	timer      node
}

// Settings of a lot.
type Settings struct {
	// Max is how many connections may be parked as Readable at a time; those watched for a HangUp are bounded by the
	// requests in flight already. Zero: no bound but the descriptors'.
	Max int
	// Tick is how finely time is divided: an owner is woken up to one tick late. Zero: 250 ms, so that a quarter of a second
	// is added to idle timeouts, which last minutes, and an empty tick costs one wake-up.
	Tick time.Duration
}

// Lot is a set of parked connections. It opens its epoll set and starts its goroutine with the first one.
type Lot struct {
	max  int
	tick time.Duration
	done chan struct{} // closed when the goroutine has ended

	mu         sync.Mutex
	running    bool
	closed     bool
	poller     poller
	places     []*Spot // by descriptor: the kernel hands out the lowest free number, so this is dense
	generation uint32
	parked     int // Readable ones
	watched    int // HangUp ones
	wheel      wheel
}

// New makes an empty lot.
func New(s Settings) *Lot {
	l := &Lot{max: s.Max, tick: s.Tick, done: make(chan struct{})}
	if l.tick <= 0 {
		l.tick = 250 * time.Millisecond
	}
	return l
}

// Park hands the connection to the lot until something happens or until has come (zero: never). The owner may be woken
// before Park returns. The connection must not be read or closed by anyone before it is woken or Leave said true.
func (l *Lot) Park(s *Spot, c syscall.Conn, owner Owner, interest Interest, until time.Time) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return ErrUnsupported
	}
	outer := raw.Control(func(fd uintptr) { err = l.park(s, int32(fd), owner, interest, until) })
	if outer != nil {
		return outer
	}
	return err
}

func (l *Lot) park(s *Spot, fd int32, owner Owner, interest Interest, until time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return ErrClosed
	case interest == Readable && l.max > 0 && l.parked >= l.max:
		return ErrFull
	}
	if err := l.open(); err != nil {
		return err
	}
	l.generation++
	s.owner, s.fd, s.generation, s.interest = owner, fd, l.generation, interest
	if err := l.poller.arm(s); err != nil {
		s.owner = nil
		return err
	}
	if n := int(fd) + 1; n > len(l.places) {
		l.places = append(l.places, make([]*Spot, n-len(l.places))...)
	}
	l.places[fd] = s
	l.count(interest, 1)
	if !until.IsZero() {
		l.wheel.add(&s.timer, s, until)
	}
	return nil
}

// open starts the lot if it does not run yet. mu held.
func (l *Lot) open() error {
	if l.running {
		return nil
	}
	if err := l.poller.open(); err != nil {
		return err
	}
	l.running = true
	l.wheel.start(time.Now(), l.tick)
	go l.run()
	return nil
}

// Leave takes the connection back. False: it was not parked, or its owner is being woken at this moment.
func (l *Lot) Leave(s *Spot) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.owner == nil {
		return false
	}
	if !l.closed { // the number of a closed epoll set may mean something else by now
		l.poller.disarm(s)
	}
	l.vacate(s)
	return true
}

// vacate forgets a spot and answers its owner. mu held.
func (l *Lot) vacate(s *Spot) Owner {
	owner := s.owner
	s.owner = nil
	if l.places[s.fd] == s {
		l.places[s.fd] = nil
	}
	l.count(s.interest, -1)
	l.wheel.remove(&s.timer)
	return owner
}

func (l *Lot) count(i Interest, n int) {
	if i == Readable {
		l.parked += n
	} else {
		l.watched += n
	}
}

// Parked is how many connections wait to become readable.
func (l *Lot) Parked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.parked
}

// Watched is how many connections are watched for a hang-up.
func (l *Lot) Watched() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.watched
}

// Close ends the lot's goroutine. Connections still parked are not woken; they are the owner's to close.
func (l *Lot) Close() {
	l.mu.Lock()
	ending := l.running && !l.closed
	l.closed = true
	if ending {
		l.poller.close()
	}
	running := l.running
	l.mu.Unlock()
	if running {
		<-l.done
	}
}

// happened wakes the owner of an event, if it is still about the connection that was parked.
func (l *Lot) happened(fd int32, generation uint32) {
	l.mu.Lock()
	var owner Owner
	if int(fd) < len(l.places) {
		if s := l.places[fd]; s != nil && s.generation == generation {
			owner = l.vacate(s)
		}
	}
	l.mu.Unlock()
	if owner != nil {
		owner.Wake(Ready)
	}
}

// advance wakes the owners whose time is over. It takes the lock once per owner, because Wake runs without it.
func (l *Lot) advance(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wheel.advance(now)
	for s := l.wheel.pop(); s != nil && !l.closed; s = l.wheel.pop() {
		l.poller.disarm(s)
		owner := l.vacate(s)
		l.mu.Unlock()
		owner.Wake(Expired)
		l.mu.Lock()
	}
}
