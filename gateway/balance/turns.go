package balance

import (
	"cmp"
	"fmt"
	"slices"
	"sync/atomic"
)

// maxTurns bounds the turns of a round.
const maxTurns = 1 << 16

// roundRobin holds one round, in which each endpoint has as many turns as its weight, evenly spread. The well-known smooth
// round robin computes the next turn from the last under a lock; a round computed once leaves one atomic addition.
type roundRobin struct {
	round   []uint16 // indices of endpoints
	members []member
	turn    atomic.Uint64
}

// newRoundRobin starts the round anywhere: gateways that start, or reload, together must not all begin with the same
// endpoint.
func newRoundRobin(members []member, start uint64) (*roundRobin, error) {
	divisor, total := 0, 0
	for _, m := range members {
		divisor, total = gcd(divisor, m.Weight), total+m.Weight
	}
	total /= divisor
	if total > maxTurns {
		return nil, fmt.Errorf("weights: a round of %d turns is needed, at most %d are held; use smaller weights", total, maxTurns)
	}
	type turn struct {
		at    float64 // in (0, 1)
		index int
	}
	turns := make([]turn, 0, total)
	for _, m := range members {
		w := m.Weight / divisor
		for k := range w {
			turns = append(turns, turn{(float64(k) + 0.5) / float64(w), m.index})
		}
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return cmp.Compare(a.at, b.at) })
	r := &roundRobin{members: members, round: make([]uint16, total)}
	for i, t := range turns {
		r.round[i] = uint16(t.index)
	}
	r.turn.Store(start % uint64(total))
	return r, nil
}

// pick uses up the turns of endpoints that do not take theirs. Going on without using them up would give all the requests of
// a dead endpoint to its successor.
func (r *roundRobin) pick(_ uint64, v View) int {
	for range 2 * len(r.members) {
		turn := r.turn.Add(1) - 1
		i := int(r.round[turn%uint64(len(r.round))])
		if admits(share(v, i), i, turn) {
			return i
		}
	}
	return anyOf(r.members, v, r.turn.Load())
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
