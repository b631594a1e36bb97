package faults

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// spanSpec is a span of the flood. Its number is its span id.
type spanSpec struct {
	number uint64
	trace  int
	err    bool
}

// flood makes requests of spans of traces that overlap: each request takes spans at random from a window of traces, so
// that a trace's spans arrive over some time, and some of them late. Its record of what was sent and acknowledged
// outlives the processes that are flooded.
type flood struct {
	random  *rand.Rand
	window  []spanSpec
	made    uint64
	traces  int
	errors  float64 // share of the traces that have an error
	sent    map[uint32][]spanSpec
	request uint32
	acked   []spanSpec
	tried   map[int]bool // traces of which an error span was sent, acknowledged or not
}

const (
	windowSpans  = 10_000
	requestSpans = 50
)

func newFlood(seed uint64, errors float64) *flood {
	return &flood{random: rand.New(rand.NewPCG(seed, 1)), errors: errors, sent: map[uint32][]spanSpec{}, tried: map[int]bool{}}
}

// next makes a request and notes it as sent.
func (f *flood) next() (number uint32, body []byte, err error) {
	for len(f.window) < windowSpans {
		f.newTrace()
	}
	specs := make([]spanSpec, requestSpans)
	for i := range specs {
		n, last := f.random.IntN(len(f.window)), len(f.window)-1
		specs[i] = f.window[n]
		f.window[n] = f.window[last]
		f.window = f.window[:last]
		if specs[i].err {
			f.tried[specs[i].trace] = true
		}
	}
	f.request++
	f.sent[f.request] = specs
	body, err = (&ptrace.ProtoMarshaler{}).MarshalTraces(f.build(specs))
	return f.request, body, err
}

func (f *flood) newTrace() {
	f.traces++
	spans := 1 + f.random.IntN(8)
	bad := -1
	if f.random.Float64() < f.errors {
		bad = f.random.IntN(spans)
	}
	for i := range spans {
		f.made++
		f.window = append(f.window, spanSpec{number: f.made, trace: f.traces, err: i == bad})
	}
}

func (f *flood) build(specs []spanSpec) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "shop")
	ss := rs.ScopeSpans().AppendEmpty()
	for _, spec := range specs {
		span := ss.Spans().AppendEmpty()
		span.SetTraceID(traceID(spec.trace))
		span.SetSpanID(spanID(spec.number))
		span.SetParentSpanID([8]byte{9})
		span.SetName(fmt.Sprintf("GET /item/%d", spec.number%10))
		span.Attributes().PutStr("http.route", fmt.Sprintf("/item/%d", spec.number%100))
		span.Attributes().PutInt("number", int64(spec.number))
		span.SetStartTimestamp(pcommon.Timestamp(1_700_000_000_000_000_000 + spec.number))
		span.SetEndTimestamp(pcommon.Timestamp(1_700_000_000_100_000_000 + spec.number))
		if spec.err {
			span.Status().SetCode(ptrace.StatusCodeError)
		}
	}
	return td
}

// ack notes that a request was acknowledged.
func (f *flood) ack(number uint32) {
	f.acked = append(f.acked, f.sent[number]...)
	delete(f.sent, number)
}

func traceID(n int) (id pcommon.TraceID) {
	binary.BigEndian.PutUint64(id[:], uint64(n)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

func spanNumber(id pcommon.SpanID) uint64 { return binary.BigEndian.Uint64(id[:]) }

func spanID(n uint64) (id pcommon.SpanID) {
	binary.BigEndian.PutUint64(id[:], n)
	return id
}
