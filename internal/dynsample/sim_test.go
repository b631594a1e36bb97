package dynsample

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tailgate-otel/tailgate/internal/probability"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// stream is the traffic of one key: traces at random (Poisson), each of so many spans.
type stream struct {
	key       string
	perSecond float64
	spans     int
	head      float64 // probability of a consistent head sampler before us; 0 = none
	unique    bool    // the key gets a number of its own with every trace
}

// outcome is what became of a stream.
type outcome struct {
	origin   float64 // traces before the head sampler
	arrived  float64
	kept     float64
	spans    float64 // kept
	estimate float64 // of origin, by adjusted counts
	variance float64 // of the estimate
	last     probability.Threshold
}

type outcomes map[string]*outcome

func (o outcomes) total() (sum outcome) {
	for _, one := range o {
		sum.origin += one.origin
		sum.arrived += one.arrived
		sum.kept += one.kept
		sum.spans += one.spans
	}
	return sum
}

type simulation struct {
	sampler Sampler
	streams []stream
	rng     *rand.Rand
	now     time.Time
	number  int
}

func simulate(s Sampler, seed uint64, streams ...stream) *simulation {
	return &simulation{sampler: s, streams: slices.Clone(streams), rng: rand.New(rand.NewPCG(seed, 1)), now: epoch}
}

// run goes on for a time and returns what became of the streams in it.
func (s *simulation) run(d time.Duration) outcomes {
	out := outcomes{}
	for _, st := range s.streams {
		out[st.key] = &outcome{}
	}
	const step = 100 * time.Millisecond
	var arrivals []stream
	for end := s.now.Add(d); s.now.Before(end); s.now = s.now.Add(step) {
		arrivals = arrivals[:0]
		for _, st := range s.streams {
			for range poisson(s.rng, st.perSecond*step.Seconds()) {
				arrivals = append(arrivals, st)
			}
		}
		s.rng.Shuffle(len(arrivals), func(i, j int) { arrivals[i], arrivals[j] = arrivals[j], arrivals[i] })
		for _, st := range arrivals {
			s.trace(st, out[st.key])
		}
	}
	return out
}

func (s *simulation) trace(st stream, o *outcome) {
	o.origin++
	incoming, randomness := probability.Always, s.rng.Uint64N(uint64(probability.Never))
	if st.head > 0 {
		incoming = probability.FromProbability(st.head)
	}
	if !incoming.Keeps(randomness) {
		o.addVariance(probability.Compose(incoming, o.last)) // what it would have got: about what the one before got
		return
	}
	o.arrived++
	key := st.key
	if st.unique {
		s.number++
		key = fmt.Sprintf("%s %d", key, s.number)
	}
	o.last = s.sampler.Threshold(s.now, key, incoming.AdjustedCount(), st.spans)
	th := probability.Compose(incoming, o.last)
	o.addVariance(th)
	if th.Keeps(randomness) {
		o.kept++
		o.spans += float64(max(st.spans, 1))
		o.estimate += th.AdjustedCount()
	}
}

// addVariance is for a trace that counts 1/p with probability p, else nothing.
func (o *outcome) addVariance(th probability.Threshold) {
	p := th.Probability()
	o.variance += (1 - p) / p
}

func poisson(rng *rand.Rand, mean float64) (n int) {
	if mean > 50 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*rng.NormFloat64())))
	}
	for p := rng.Float64(); p > math.Exp(-mean); n++ {
		p *= rng.Float64()
	}
	return n
}

// zipf is n keys, the busiest with so many traces per second, the k-th with 1/k of that.
func zipf(n int, busiest float64, spans int) []stream {
	streams := make([]stream, n)
	for i := range streams {
		streams[i] = stream{key: fmt.Sprintf("key %d", i+1), perSecond: busiest / float64(i+1), spans: spans}
	}
	return streams
}
