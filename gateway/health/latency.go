package health

import (
	"math"
	"slices"
	"time"
)

// hear takes the latencies of a round into the endpoint's mean.
func (e *Endpoint) hear(t tally, now time.Time) {
	if t.answers == 0 {
		return
	}
	if e.stale(now) {
		e.latency = t.latency
	} else {
		step := 1 - math.Exp(-float64(now.Sub(e.heard))/float64(latencyMemory))
		e.latency += step * (t.latency - e.latency)
	}
	e.heard = now
}

// stale says whether the mean is too old to be compared.
func (e *Endpoint) stale(now time.Time) bool {
	return e.heard.IsZero() || now.Sub(e.heard) > 2*latencyMemory
}

// peers are the mean latencies of endpoints that answered lately, sorted.
type peers []float64

func (g *Group) peers(now time.Time) peers {
	if g.s.SlowFactor < 0 {
		return nil
	}
	p := make(peers, 0, len(g.members))
	for _, e := range g.members {
		if !e.stale(now) {
			p = append(p, e.latency)
		}
	}
	slices.Sort(p)
	return p
}

// quality is 1 for an endpoint that is not slow, otherwise how many times less than tolerable its latency should be. Fewer
// than two others prove nothing: of two endpoints that differ, which is the odd one?
func (p peers) quality(e *Endpoint, now time.Time, s *Settings) float64 {
	if len(p) < 3 || e.stale(now) {
		return 1
	}
	median := p.medianWithout(e.latency)
	if duration(e.latency)-duration(median) <= s.SlowFloor {
		return 1
	}
	return min(1, math.Exp2(median+math.Log2(s.SlowFactor)-e.latency))
}

// medianWithout is the median of the others; the lower of two middle ones.
func (p peers) medianWithout(own float64) float64 {
	at, _ := slices.BinarySearch(p, own)
	middle := (len(p) - 2) / 2
	if middle >= at {
		middle++
	}
	return p[middle]
}
