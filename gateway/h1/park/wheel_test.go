package park

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestWheelAgainstMap compares the wheel with a map that is searched whole, over random additions, removals and jumps of the
// clock, short and longer than a turn.
func TestWheelAgainstMap(t *testing.T) {
	const tick = 10 * time.Millisecond
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		start := time.Unix(1000, 0)
		now := start
		var w wheel
		w.start(now, tick)
		dumb := map[*Spot]time.Time{}
		for range 300 {
			switch r.IntN(4) {
			case 0, 1:
				s := new(Spot)
				until := now.Add(time.Duration(r.Int64N(int64(3*slots*tick))) - 5*tick)
				w.add(&s.timer, s, until)
				dumb[s] = until
				if until.Before(now) { // late already: it waits for the next tick
					dumb[s] = now
				}
			case 2:
				for s := range dumb {
					w.remove(&s.timer)
					w.remove(&s.timer)
					delete(dumb, s)
					break
				}
			case 3:
				steps := int64(20)
				if r.IntN(10) == 0 {
					steps = 2 * slots
				}
				now = now.Add(time.Duration(r.Int64N(steps * int64(tick))))
				w.advance(now)
				for s := w.pop(); s != nil; s = w.pop() {
					if until, ok := dumb[s]; !ok || until.After(now) {
						t.Fatalf("seed %d: a timer for %s expired at %s, known: %v", seed, until, now, ok)
					}
					w.remove(&s.timer)
					delete(dumb, s)
				}
				for _, until := range dumb {
					if now.Sub(until) >= 2*tick {
						t.Fatalf("seed %d: a timer for %s has not expired at %s", seed, until, now)
					}
				}
			}
		}
	}
}

func TestWheelAllocatesNothing(t *testing.T) {
	var w wheel
	now := time.Unix(0, 0)
	w.start(now, time.Millisecond)
	s := new(Spot)
	if n := testing.AllocsPerRun(1000, func() {
		w.add(&s.timer, s, now.Add(time.Second))
		w.advance(now)
		w.remove(&s.timer)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
