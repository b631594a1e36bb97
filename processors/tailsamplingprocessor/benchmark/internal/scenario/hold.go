package scenario

import (
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/probe"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/rig"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/traffic"
)

// hold fills the sampler with traces that are not due yet and weighs what it then holds: the live Go heap and what lies
// outside of it, less what there was before the sampler was made. Tables, caches and unused room in segments count.
func hold(s Spec, e rig.Engine) (Result, error) {
	stream := s.Stream(0)
	before := probe.Held()
	r, err := s.start(e)
	if err != nil {
		return Result{}, err
	}
	if err := feed(r, stream, s.Measured); err != nil {
		return Result{}, err
	}
	filled := probe.RSS()
	held := probe.Held().Less(before)
	spans := float64(s.Measured * traffic.SpansPerRequest)
	return s.result(r, Figures{
		HeldPerSpan: float64(held.Heap+held.Outside) / spans,
		HeapPerSpan: float64(held.Heap) / spans,
		OutPerSpan:  float64(held.Outside) / spans,
		WirePerSpan: stream.BytesPerSpan(),
		RSSFilled:   float64(filled),
		FullGC:      millis(held.FullGC),
	})
}
