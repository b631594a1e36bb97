package engine

import "time"

// wheel orders entries by deadline: a ring of slots of 10 ms, each the head of a list through the entries. Deadlines
// farther away than one turn (41 s) stay in their slot until their turn comes.
type wheel struct {
	slots [wheelSlots]int32 // first entry, -1: none
	next  int64             // first slot, counted from the beginning of time, that was not drained
}

const (
	wheelSlots = 4096
	wheelTick  = 10 * time.Millisecond
)

func newWheel() wheel {
	var w wheel
	for i := range w.slots {
		w.slots[i] = none
	}
	return w
}

// slotOf is the slot that is drained at or after the deadline, never before it.
func slotOf(deadline time.Duration) int64 { return int64((deadline + wheelTick - 1) / wheelTick) }

// add schedules entry n, which is in no slot.
func (s *Shard) schedule(n int32) {
	e := s.entries.at(n)
	slot := max(slotOf(e.deadline), s.wheel.next)
	head := &s.wheel.slots[slot%wheelSlots]
	e.slot, e.timerPrev, e.timerNext = int32(slot%wheelSlots), none, *head
	if *head != none {
		s.entries.at(*head).timerPrev = n
	}
	*head = n
}

func (s *Shard) unschedule(n int32) {
	e := s.entries.at(n)
	if e.slot == none {
		return
	}
	if e.timerPrev != none {
		s.entries.at(e.timerPrev).timerNext = e.timerNext
	} else {
		s.wheel.slots[e.slot] = e.timerNext
	}
	if e.timerNext != none {
		s.entries.at(e.timerNext).timerPrev = e.timerPrev
	}
	e.slot = none
}

func (s *Shard) reschedule(n int32, deadline time.Duration) {
	s.unschedule(n)
	s.entries.at(n).deadline = deadline
	s.schedule(n)
}

// due appends up to limit entries whose deadline has passed and takes them out of the wheel.
func (s *Shard) due(now time.Duration, limit int, dst []int32) []int32 {
	last := int64(now / wheelTick)
	if last-s.wheel.next > wheelSlots { // one turn visits all
		s.wheel.next = last - wheelSlots
	}
	for s.wheel.next <= last {
		for n := s.wheel.slots[s.wheel.next%wheelSlots]; n != none; {
			if len(dst) == limit {
				return dst
			}
			e := s.entries.at(n)
			next := e.timerNext
			if slotOf(e.deadline) <= last {
				s.unschedule(n)
				dst = append(dst, n)
			}
			n = next
		}
		s.wheel.next++
	}
	return dst
}
