package main

import (
	"time"

	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/rig"
)

// ours is the sampler of this repository.
func ours() rig.Engine {
	return rig.Engine{
		Name:    engineOurs,
		Factory: tailsamplingprocessor.NewFactory(),
		// 500,000 open traces are 7 million spans, 1 GB where values repeat. Memory is taken as it is needed.
		Config: map[string]any{"max_buffer": "4GiB"},
		Pause:  "otelcol_processor_tail_sampling_sampling_decision_timer_latency", PauseUnit: time.Millisecond,
	}
}
