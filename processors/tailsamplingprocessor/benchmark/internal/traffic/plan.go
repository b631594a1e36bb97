package traffic

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// A plannedSpan is a span before it is written: its place in its trace and in time.
type plannedSpan struct {
	trace    *plannedTrace
	index    int // 0 is the root, sent last: a span is sent when it ends
	parent   int
	start    time.Duration // after the start of the round
	duration time.Duration
	failed   bool
}

type plannedTrace struct {
	seed   uint64
	size   int
	tenant string
	failed int // index of the span that fails, or -1
	start  time.Duration
	length time.Duration
}

// planRound lines up the spans of a round: openTraces traces take turns at random, and one that has sent its root makes
// room for the next, until total spans are in line and every trace in it is complete.
func planRound(r *rand.Rand, total int) []plannedSpan {
	type turn struct {
		trace *plannedTrace
		left  int
	}
	var open []turn
	line := make([]plannedSpan, 0, total)
	for planned := 0; len(line) < total; {
		for len(open) < openTraces && planned < total {
			t := planTrace(r, total-planned, roundTime*time.Duration(len(line))/time.Duration(total))
			planned += t.size
			open = append(open, turn{t, t.size})
		}
		i := r.IntN(len(open))
		o := &open[i]
		o.left--
		line = append(line, planSpan(r, o.trace, o.left))
		if o.left == 0 {
			open[i] = open[len(open)-1]
			open = open[:len(open)-1]
		}
	}
	return line
}

// planTrace draws a trace of at most limit spans. Two in a hundred fail, one lasts longer than a second.
func planTrace(r *rand.Rand, limit int, start time.Duration) *plannedTrace {
	// 2 plus a geometric of mean 12.4, cut to whole numbers (-0.5) and to maxTraceSpans: 13.9.
	size := 2 + int(math.Log(1-r.Float64())/math.Log(1-1/13.4))
	size = min(size, maxTraceSpans, limit)
	t := &plannedTrace{
		seed:   r.Uint64(),
		size:   size,
		tenant: fmt.Sprintf("tenant-%03d", r.IntN(tenants)),
		failed: -1,
		start:  start,
		length: 20*time.Millisecond + time.Duration(r.Int64N(int64(400*time.Millisecond))),
	}
	if r.IntN(100) < 2 {
		t.failed = r.IntN(size)
	}
	if r.IntN(100) < 1 {
		t.length += 1200 * time.Millisecond
	}
	return t
}

// planSpan draws the span of the given index: somewhere within its trace, below a span of lower index.
func planSpan(r *rand.Rand, t *plannedTrace, index int) plannedSpan {
	s := plannedSpan{trace: t, index: index, parent: -1, start: t.start, duration: t.length, failed: index == t.failed}
	if index > 0 {
		s.parent = r.IntN(index)
		s.start += time.Duration(r.Int64N(int64(t.length)))
		s.duration = time.Duration(r.Int64N(int64(t.start+t.length-s.start) + 1))
	}
	return s
}
