// Package traffic makes the trace traffic of the benchmark: OTLP/protobuf requests of a made-up shop, built once and
// re-marked in place for each round with new ids, times and high-cardinality values. A stream so repeats only what repeats
// in life, and costs less than 0.1 µs per span (BenchmarkNext), which is little beside what is measured and is subtracted
// from it. It starts no goroutine; a Stream belongs to one.
package traffic

import (
	"math/rand/v2"
	"time"
)

const (
	// SpansPerRequest spans of one node's four pods make a request.
	SpansPerRequest = 256
	// SpansPerTrace is the average; sizes are 2 and more, as of a geometric distribution, and end at maxTraceSpans.
	SpansPerTrace = 13.9
	maxTraceSpans = 90

	// openTraces traces send spans at the same time. A request takes the last spans of those and 256/13.9 = 18.4 new
	// traces: it touches about 28.
	openTraces = 10

	// roundTime is what the clock of the traffic moves on by each round. 64 requests at 70,000 spans/s take 0.23 s.
	roundTime = 250 * time.Millisecond
)

// Settings say which stream of which traffic.
type Settings struct {
	Seed     uint64
	Requests int // of one round; a round ends with all its traces complete
	// Unrepeated makes every span attribute value and span name new each time; only keys and resources repeat. The
	// watched tenant and booleans stay.
	Unrepeated bool
}

// A Stream yields requests without end.
type Stream struct {
	requests []request
	spans    int
	next     int
	round    uint64
}

type request struct {
	body  []byte
	marks []mark
}

// NewStream builds the requests of a round.
func NewStream(s Settings) *Stream {
	r := rand.New(rand.NewPCG(s.Seed, 0))
	plan := planRound(r, s.Requests*SpansPerRequest)
	st := &Stream{spans: s.Requests * SpansPerRequest}
	for i := range s.Requests {
		b := builder{rand: r, unrepeated: s.Unrepeated}
		b.request(i%nodes, plan[i*SpansPerRequest:(i+1)*SpansPerRequest])
		st.requests = append(st.requests, request{body: b.w.buf, marks: b.w.marks})
	}
	return st
}

// Next returns the next request, valid until the whole round was returned once more.
func (s *Stream) Next() []byte {
	r := &s.requests[s.next]
	apply(r.body, r.marks, s.round, uint64(roundTime))
	if s.next++; s.next == len(s.requests) {
		s.next, s.round = 0, s.round+1
	}
	return r.body
}

// BytesPerSpan is the size on the wire, shares of resources and scopes included.
func (s *Stream) BytesPerSpan() float64 {
	total := 0
	for _, r := range s.requests {
		total += len(r.body)
	}
	return float64(total) / float64(s.spans)
}
