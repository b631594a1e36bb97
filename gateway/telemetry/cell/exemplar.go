package cell

import (
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"
)

// Exemplar names the span within which something was measured. Give one only if the span is sampled: an exemplar that
// leads nowhere is worse than none.
type Exemplar struct {
	At      time.Time
	TraceID trace.TraceID
	SpanID  trace.SpanID
}

// exemplars keeps one exemplar per group of buckets. Most offers find their group taken, which costs one load.
type exemplars struct{ groups []group }

type group struct {
	taken atomic.Bool // since the last collection
	mu    sync.Mutex  // guards what follows
	set   bool
	raw   int64
	Exemplar
}

func (e *exemplars) offer(i int, raw int64, ex *Exemplar) {
	g := &e.groups[i]
	if g.taken.Load() || !g.taken.CompareAndSwap(false, true) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.set, g.raw, g.Exemplar = true, raw, *ex
}

// collectExemplars returns what the groups hold and lets them take something new. Until then they keep what they hold,
// unless r wants only what is new.
func collectExemplars[V int64 | float64](e *exemplars, r reader, value func(int64) V) []metricdata.Exemplar[V] {
	if e == nil {
		return nil
	}
	var out []metricdata.Exemplar[V]
	for i := range e.groups {
		if x, ok := collectGroup(&e.groups[i], r, value); ok {
			out = append(out, x)
		}
	}
	return out
}

func collectGroup[V int64 | float64](g *group, r reader, value func(int64) V) (metricdata.Exemplar[V], bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.taken.Store(false)
	if !g.set {
		return metricdata.Exemplar[V]{}, false
	}
	g.set = !r.delta()
	traceID, spanID := g.TraceID, g.SpanID
	return metricdata.Exemplar[V]{Time: g.At, Value: value(g.raw), TraceID: traceID[:], SpanID: spanID[:]}, true
}
