package engine

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestWheelAgainstTwin schedules, moves and cancels at random, with deadlines of many turns of the wheel, of the past, and
// clocks that jump for hours. The twin is a map of deadlines.
func TestWheelAgainstTwin(t *testing.T) {
	for seed := range uint64(100) {
		w := wheelTwin{t: t, Rand: rand.New(rand.NewPCG(seed, 3)), shard: &Shard{wheel: newWheel()}, deadlines: map[int32]deadline{}}
		for w.step = range 1000 {
			w.act()
		}
		w.now += 10_000 * time.Hour
		w.advance()
		if len(w.deadlines) > 0 {
			t.Fatalf("seed %d: %d entries never became due", seed, len(w.deadlines))
		}
	}
}

type wheelTwin struct {
	*rand.Rand
	t         *testing.T
	step      int
	shard     *Shard
	now       time.Duration
	deadlines map[int32]deadline
	order     []int32
}

type deadline struct{ at, set time.Duration }

func (w *wheelTwin) deadline() deadline {
	in := pick(w.Rand, time.Second, wheelSlots*wheelTick, 10*time.Hour) * time.Duration(w.IntN(2000)-200) / 1000
	return deadline{at: max(0, w.now+in), set: w.now}
}

func (w *wheelTwin) act() {
	switch n := w.IntN(10); {
	case n < 5:
		n := w.shard.entries.take()
		d := w.deadline()
		*w.shard.entries.at(n) = entry{deadline: d.at, slot: none}
		w.shard.schedule(n)
		w.deadlines[n] = d
		w.order = append(w.order, n)
	case n < 7:
		if n, ok := w.any(); ok {
			w.deadlines[n] = w.deadline()
			w.shard.reschedule(n, w.deadlines[n].at)
		}
	case n < 8:
		if n, ok := w.any(); ok {
			w.shard.unschedule(n)
			w.shard.unschedule(n) // once more does nothing
			w.forget(n)
		}
	default:
		w.now += time.Duration(w.ExpFloat64() * float64(pick(w.Rand, 3*time.Millisecond, time.Second, time.Minute, 5*time.Hour)))
		w.advance()
	}
	checkWheel(w.shard, func(format string, args ...any) { w.t.Fatalf(format, args...) })
}

// any is an entry in the wheel.
func (w *wheelTwin) any() (int32, bool) {
	for len(w.order) > 0 {
		i := w.IntN(len(w.order))
		if _, ok := w.deadlines[w.order[i]]; ok {
			return w.order[i], true
		}
		w.order[i] = w.order[len(w.order)-1]
		w.order = w.order[:len(w.order)-1]
	}
	return none, false
}

func (w *wheelTwin) forget(n int32) {
	delete(w.deadlines, n)
	w.shard.entries.release(n)
}

// advance takes out what is due, a few at a time.
func (w *wheelTwin) advance() {
	for limit := 1 + w.IntN(4); ; {
		due := w.shard.due(w.now, limit, nil)
		for _, n := range due {
			d, ok := w.deadlines[n]
			if !ok || d.at > w.now {
				w.t.Fatalf("step %d: entry %d is due at %s, not at %s (%v)", w.step, n, d.at, w.now, ok)
			}
			w.forget(n)
		}
		if len(due) < limit {
			break
		}
	}
	for n, d := range w.deadlines {
		if max(d.at, d.set) <= w.now-wheelTick {
			w.t.Fatalf("step %d: entry %d, due at %s since %s, is still there at %s", w.step, n, d.at, d.set, w.now)
		}
	}
}
