package scenario

import (
	"context"
	"time"

	"github.com/tailgate-otel/tailgate/internal/testkit/procstat"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/probe"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/rig"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/traffic"
)

// closed sends one request after the other. The warm-up is long enough for decisions to come as fast as traces; then
// CPU and allocations are counted over a fixed number of requests, so that every engine sees the same spans.
func closed(s Spec, e rig.Engine) (Result, error) {
	stream := s.Stream(0)
	marking := s.markingCost()
	r, err := s.start(e)
	if err != nil {
		return Result{}, err
	}
	if err := feed(r, stream, s.Warm); err != nil {
		return Result{}, err
	}
	wall, cpu, allocations := time.Now(), procstat.CPU(), probe.Allocations()
	if err := feed(r, stream, s.Measured); err != nil {
		return Result{}, err
	}
	used, allocated, elapsed := procstat.CPU()-cpu, probe.Allocations()-allocations, time.Since(wall)
	spans := float64(s.Measured * traffic.SpansPerRequest)
	perSpan := microsPerSpan(used, s.Measured, marking)
	return s.result(r, Figures{
		CPUPerSpan:    perSpan,
		AllocsPerSpan: float64(allocated) / spans,
		SpansPerSec:   spans / elapsed.Seconds(),
		WirePerSpan:   stream.BytesPerSpan(),
	})
}

// feed decodes requests and hands them to the sampler, one at a time.
func feed(r *rig.Rig, stream *traffic.Stream, requests int) error {
	ctx := context.Background()
	for range requests {
		td, err := rig.Decode(stream.Next())
		if err != nil {
			return err
		}
		if err := r.Consumer().ConsumeTraces(ctx, td); err != nil {
			return err
		}
	}
	return nil
}

// result stops the sampler, which decides what is open, and adds what was kept.
func (s Spec) result(r *rig.Rig, f Figures) (Result, error) {
	if err := r.Stop(); err != nil {
		return Result{}, err
	}
	return Result{Figures: f, Kept: r.Sink.Kept()}, nil
}
