package park

import "time"

// slots is how many ticks one turn of the wheel has. Longer waits stay in their slot for several turns, at the price of one
// comparison per turn: with 512 ticks of 250 ms a turn lasts 128 s, just longer than the usual idle timeouts.
const slots = 512

// node is a timer's link in a ring. The zero node is in none.
type node struct {
	prev, next *node
	spot       *Spot
	due        int64 // tick
}

// wheel is a hashed timing wheel (Varghese and Lauck, 1987): adding and removing cost the same however many timers there
// are, which a heap does not offer and idle connections need, since nearly all of their timers are removed unexpired. It
// reads no clock and is guarded by its owner.
type wheel struct {
	epoch   time.Time
	tick    time.Duration
	now     int64 // the last tick whose slot was looked at
	rings   [slots]node
	overdue node // the ring of those whose time is over; they wait there for pop, and can still be removed
}

// start must be called first.
func (w *wheel) start(now time.Time, tick time.Duration) {
	w.epoch, w.tick = now, tick
	for i := range w.rings {
		w.rings[i].empty()
	}
	w.overdue.empty()
}

// add arms a timer that is not armed. It is due with the first tick at or after until.
func (w *wheel) add(n *node, s *Spot, until time.Time) {
	n.spot = s
	n.due = max(w.ticks(until.Add(w.tick-1)), w.now+1)
	n.linkBefore(&w.rings[n.due%slots])
}

// remove disarms a timer; one that is not armed is left alone.
func (w *wheel) remove(n *node) {
	if n.next != nil {
		n.unlink()
	}
}

// advance moves the timers whose time is over to the overdue ones.
func (w *wheel) advance(now time.Time) {
	today := w.ticks(now)
	for w.now = max(w.now, today-slots); w.now < today; { // a missed turn needs no second look at any slot
		w.now++
		ring := &w.rings[w.now%slots]
		for n := ring.next; n != ring; {
			next := n.next
			if n.due <= today {
				n.unlink()
				n.linkBefore(&w.overdue)
			}
			n = next
		}
	}
}

// pop answers an overdue timer's spot, still armed, or nil. The caller removes it before asking again.
func (w *wheel) pop() *Spot { return w.overdue.next.spot } // a ring's own node has no spot

func (w *wheel) ticks(t time.Time) int64 { return int64(t.Sub(w.epoch) / w.tick) }

func (n *node) empty() { n.prev, n.next = n, n }

func (n *node) linkBefore(m *node) {
	n.prev, n.next = m.prev, m
	m.prev.next = n
	m.prev = n
}

func (n *node) unlink() {
	n.prev.next, n.next.prev = n.next, n.prev
	n.prev, n.next = nil, nil
}
