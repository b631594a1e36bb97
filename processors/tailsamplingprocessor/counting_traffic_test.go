package tailsamplingprocessor

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/probability"
)

// A source is a service that begins traces.
type source struct {
	name      string
	perSecond float64
	children  int     // spans besides the root
	errors    float64 // share of traces with one
	head      float64 // probability with which it samples itself; 0: it does not
	rv        bool    // its traces carry an explicit randomness
	unlike    int     // names of the root in turn; 0: always the same
}

// shop is three services of very different size, one that samples at the head and one with explicit randomness.
var shop = []source{
	{name: "web", perSecond: 150, children: 3, errors: 0.02},
	{name: "search", perSecond: 50, children: 1, errors: 0.01},
	{name: "refunds", perSecond: 4, children: 2},
	{name: "mobile", perSecond: 120, children: 1, head: 0.25},
	{name: "legacy", perSecond: 40, children: 2, rv: true},
}

// truth is how many traces there were, of each service, before anybody sampled.
type truth map[string]float64

// A keptTrace is what came out of one trace.
type keptTrace struct {
	id         pcommon.TraceID
	service    string
	spans      int
	threshold  probability.Threshold
	hasTh      bool
	randomness uint64
	root       map[string]any // attributes of the root span
	at         time.Duration
	others     int // spans with an attribute of the sampler that are no roots
}

// outcome of some traffic.
type outcome struct {
	truth truth
	made  map[pcommon.TraceID]madeTrace // what was sent
	kept  []keptTrace
	votes map[string]uint64 // traces sampled, by policy or rule
}

type madeTrace struct {
	service string
	at      time.Duration
}

// play sends the traffic of the sources for a time through a sampler. Equal seeds give equal traffic and, as the number of
// lanes and all times are fixed, equal decisions.
func play(t *testing.T, yaml string, seed uint64, length time.Duration, sources ...source) *outcome {
	t.Helper()
	return playMade(t, yaml, &generator{rng: rand.New(rand.NewPCG(seed, 0)), sources: sources}, length)
}

// playLuckily is play, but every trace has the highest randomness: unless something drops it whatever its randomness, it is
// kept, and tells the threshold that it would have had to pass.
func playLuckily(t *testing.T, yaml string, seed uint64, length time.Duration, sources ...source) *outcome {
	t.Helper()
	return playMade(t, yaml, &generator{rng: rand.New(rand.NewPCG(seed, 0)), sources: sources, lucky: true}, length)
}

func playMade(t *testing.T, yaml string, g *generator, length time.Duration) *outcome {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	g.truth, g.made = truth{}, map[pcommon.TraceID]madeTrace{}
	out := &outcome{truth: g.truth, made: g.made, votes: map[string]uint64{}}
	synctest.Test(t, func(t *testing.T) {
		sink := new(consumertest.TracesSink)
		p := startSampler(t, yaml, sink)
		time.Sleep(25 * time.Millisecond) // never at the same time as a tick
		for range length / step {
			require.NoError(t, p.ConsumeTraces(t.Context(), g.request()))
			time.Sleep(step)
		}
		time.Sleep(10 * time.Second)
		for s := range p.telemetry.currentProgram().Stats {
			out.votes[s.Name] = s.Counts[1].Traces
		}
		stopSampler(t, p)
		out.kept = g.read(t, sink)
	})
	return out
}

const step = 100 * time.Millisecond

type generator struct {
	rng     *rand.Rand
	sources []source
	lucky   bool
	truth   truth
	made    map[pcommon.TraceID]madeTrace
	elapsed time.Duration
	number  int
}

// request is what the sources send in one step.
func (g *generator) request() ptrace.Traces {
	td := ptrace.NewTraces()
	for i := range g.sources {
		s := &g.sources[i]
		mean := s.perSecond * step.Seconds()
		n := int(mean)
		if g.rng.Float64() < mean-float64(n) {
			n++
		}
		rs := td.ResourceSpans().AppendEmpty()
		rs.Resource().Attributes().PutStr("service.name", s.name)
		ss := rs.ScopeSpans().AppendEmpty()
		for range n {
			g.trace(s, ss.Spans())
		}
	}
	g.elapsed += step
	return td
}

// trace makes one trace, unless the source's own sampling drops it.
func (g *generator) trace(s *source, spans ptrace.SpanSlice) {
	g.truth[s.name]++
	g.number++
	var id pcommon.TraceID
	binary.BigEndian.PutUint64(id[:], g.rng.Uint64())
	binary.BigEndian.PutUint64(id[8:], g.rng.Uint64())
	failed := g.rng.Float64() < s.errors
	state, arrives := g.traceState(s, id)
	if !arrives {
		return
	}
	g.made[id] = madeTrace{s.name, g.elapsed}
	for k := range 1 + s.children {
		span := spans.AppendEmpty()
		span.SetTraceID(id)
		span.SetSpanID(spanID(g.number, k))
		span.SetName(fmt.Sprintf("step %d", k))
		if k > 0 {
			span.SetParentSpanID(spanID(g.number, 0))
		} else if s.unlike > 0 {
			span.SetName(fmt.Sprintf("root %d", g.number%s.unlike))
		}
		if failed && k == s.children {
			span.Status().SetCode(ptrace.StatusCodeError)
		}
		span.TraceState().FromRaw(state)
		span.SetStartTimestamp(1_700_000_000_000_000_000)
		span.SetEndTimestamp(1_700_000_000_050_000_000)
	}
}

// traceState is the tracestate of a trace, and whether its source sends it at all.
func (g *generator) traceState(s *source, id pcommon.TraceID) (state string, arrives bool) {
	var fields []string
	if s.rv {
		fields = append(fields, fmt.Sprintf("rv:%014x", g.rng.Uint64N(1<<56)))
	}
	if s.head > 0 {
		th := probability.FromProbability(s.head)
		if !th.Keeps(probability.Randomness(id)) {
			return "", false
		}
		fields = append(fields, "th:"+th.String())
	}
	if g.lucky {
		fields = slices.DeleteFunc(fields, func(f string) bool { return strings.HasPrefix(f, "rv:") })
		fields = append(fields, "rv:ffffffffffffff")
	}
	if len(fields) == 0 {
		return "", true
	}
	return "ot=" + strings.Join(fields, ";"), true
}

func spanID(trace, span int) (id pcommon.SpanID) {
	binary.BigEndian.PutUint32(id[:], uint32(trace))
	id[7] = byte(span + 1)
	return id
}

// read gathers the kept traces. All spans of one must carry the same threshold.
func (g *generator) read(t *testing.T, sink *consumertest.TracesSink) []keptTrace {
	t.Helper()
	index := map[pcommon.TraceID]int{}
	var kept []keptTrace
	for _, td := range sink.AllTraces() {
		for _, rs := range td.ResourceSpans().All() {
			service, _ := rs.Resource().Attributes().Get("service.name")
			for _, ss := range rs.ScopeSpans().All() {
				for _, span := range ss.Spans().All() {
					id := span.TraceID()
					info, err := probability.ParseTraceState(span.TraceState().AsRaw())
					require.NoError(t, err)
					i, found := index[id]
					if !found {
						i = len(kept)
						index[id] = i
						kept = append(kept, keptTrace{
							id: id, service: service.Str(), threshold: info.TH, hasTh: info.HasTH,
							randomness: info.Randomness(id), at: g.made[id].at,
						})
					}
					k := &kept[i]
					k.spans++
					require.Equal(t, k.threshold, info.TH, "spans of one trace differ in th")
					switch {
					case span.ParentSpanID().IsEmpty():
						k.root = span.Attributes().AsRaw()
					case span.Attributes().Len() > 0:
						k.others++
					}
				}
			}
		}
	}
	return kept
}

// estimate adds up the adjusted counts of a service's kept traces.
func (o *outcome) estimate(service string) (count float64) {
	for _, k := range o.kept {
		if k.service == service {
			count += k.threshold.AdjustedCount()
		}
	}
	return count
}

// sigma is the standard deviation of estimate. It is that of lucky traffic, of which every threshold is known: a trace that
// is kept with probability p, and then counts for 1/p, adds (1-p)/p to the variance. Each stands for those that its
// source did not send.
func (o *outcome) sigma(s source) float64 {
	variance := 0.0
	for _, k := range o.kept {
		if k.service == s.name {
			p := k.threshold.Probability()
			variance += (1 - p) / p / cmp.Or(s.head, 1)
		}
	}
	return math.Sqrt(variance)
}

// perSecond is how many traces, or spans, of a service were kept from a time to another; of all if it is empty.
func (o *outcome) perSecond(service string, from, to time.Duration, ofSpans bool) float64 {
	n := 0
	for _, k := range o.kept {
		if (service == "" || k.service == service) && k.at >= from && k.at < to {
			if n++; ofSpans {
				n += k.spans - 1
			}
		}
	}
	return float64(n) / (to - from).Seconds()
}

// sentPerSecond is how many traces of a service there were to keep.
func (o *outcome) sentPerSecond(service string, from, to time.Duration) float64 {
	n := 0
	for _, m := range o.made {
		if m.service == service && m.at >= from && m.at < to {
			n++
		}
	}
	return float64(n) / (to - from).Seconds()
}
