package main

import (
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	contrib "github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"

	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/rig"
)

// Names of engines.
const (
	engineNone     = "none" // no sampler: what decoding and receiving cost alone
	engineContrib  = "contrib"
	engineOurs     = "ours"
	engineRefinery = "refinery" // a program of its own: measured over HTTP only, see package refinery
)

// engines lists what runs within the Collector.
func engines() []rig.Engine {
	return []rig.Engine{
		{Name: engineNone},
		theirs(),
		ours(),
	}
}

// theirs is contrib's processor, at the release in go.mod.
func theirs() rig.Engine {
	return rig.Engine{
		Name:    engineContrib,
		Factory: contrib.NewFactory(),
		Pause:   "otelcol_processor_tail_sampling_sampling_decision_timer_latency", PauseUnit: time.Millisecond,
	}
}

func engineNamed(name string) (rig.Engine, error) {
	for _, e := range engines() {
		if e.Name == name {
			return e, nil
		}
	}
	return rig.Engine{}, fmt.Errorf("no engine of the name %q; there are %s, %s and %s", name, engineNone, engineContrib, engineOurs)
}

// contribVersion is the release of contrib's processor in this program.
func contribVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if strings.HasSuffix(dep.Path, "opentelemetry-collector-contrib/processor/tailsamplingprocessor") {
				return strings.TrimPrefix(dep.Version, "v")
			}
		}
	}
	return "of unknown version"
}
