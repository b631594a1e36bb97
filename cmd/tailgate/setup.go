package main

import (
	"go.opentelemetry.io/collector/featuregate"

	"github.com/tailgate-otel/tailgate/providers/fileprovider"
)

// The builder writes main.go without a hook, so what the distribution adds to it happens while package variables are
// initialised, after those of all components and before main.
var (
	// Wrong keys in a file are reported with line and nearest valid key.
	_ = fileprovider.UseFactories(components)

	// The pipeline's balance (spans in = kept + dropped + held) needs the sampler to count spans and not only traces.
	// contrib has that behind a gate; a --feature-gates flag still has the last word.
	_ = enable("processor.tailsamplingprocessor.metricstatcountspanssampled")
)

func enable(gate string) error { return featuregate.GlobalRegistry().Set(gate, true) }
