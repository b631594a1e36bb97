package promfront_test

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/internal/promfront"
)

// However a sender orders metrics, points and attributes, and cuts its exports into requests, the same is stored.
func TestOrderDoesNotMatter(t *testing.T) {
	rnd := rand.New(rand.NewPCG(11, 12))
	plain, shuffled := newScene(t, promfront.Options{ZeroSamples: true}), newScene(t, promfront.Options{ZeroSamples: true})
	type point struct{ metric, attr int }
	var points []point
	for m := range 6 {
		for a := range 4 {
			points = append(points, point{m, a})
		}
	}
	for round := range 30 {
		from, to := float64(10*round), float64(10*(round+1))
		add := func(e *export, p point, attrs ...string) {
			name := "metric" + strconv.Itoa(p.metric)
			switch p.metric % 3 {
			case 0:
				e.delta(name, from, float64(p.attr), attrs...)
			case 1:
				e.explicit(name, delta, from, []float64{1}, []uint64{uint64(p.attr), 1}, 1, attrs...)
			default:
				e.counter(name, 0, float64(round*p.attr), attrs...)
			}
		}
		e := newExport(to)
		for _, p := range points {
			add(e, p, "a", strconv.Itoa(p.attr), "b", "b")
		}
		plain.write(e)

		rnd.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
		for rest := points; len(rest) > 0; {
			e, n := newExport(to), 1+rnd.IntN(len(rest))
			for _, p := range rest[:n] {
				attrs := []string{"a", strconv.Itoa(p.attr), "b", "b"}
				if rnd.IntN(2) == 0 {
					attrs = []string{"b", "b", "a", strconv.Itoa(p.attr)}
				}
				add(e, p, attrs...)
			}
			shuffled.write(e)
			rest = rest[n:]
		}
	}
	for _, name := range plain.book.names() {
		if name != info { // which each request repeats
			require.Equal(t, plain.book.values(name), shuffled.book.values(name), name)
		}
	}
	assert.Equal(t, plain.book.names(), shuffled.book.names())
}

// The overflow series grows by what its streams grow by, whichever restart, appear and disappear.
func TestOverflowIsTheSumOfIncreases(t *testing.T) {
	rnd := rand.New(rand.NewPCG(13, 14))
	s := newScene(t, promfront.Options{Limits: promfront.Limits{Total: 1}})
	type stream struct{ start, value float64 }
	streams, total := make([]stream, 20), 0.0
	for round := range 200 {
		now := float64(10 * (round + 1))
		e := newExport(now).gauge("depth", 1) // fills the limit
		points := e.sum("requests", cumulative).DataPoints()
		for i := range streams {
			x := &streams[i]
			if rnd.IntN(10) == 0 {
				*x = stream{start: now - 5} // a restart, known by its start even if the value is larger soon
			}
			if grown := float64(rnd.IntN(9)); rnd.IntN(3) > 0 {
				x.value += grown
				total += grown
				e.number(points, x.value, "n", strconv.Itoa(i)).SetStartTimestamp(at(x.start))
			}
		}
		s.write(e)
		lines := s.book.lines[overflowing]
		require.Equal(t, strconv.FormatFloat(total, 'g', -1, 64), lines[len(lines)-1].value, "round %d", round)
	}
}
