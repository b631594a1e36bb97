package differential

import (
	"testing"

	contrib "github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/processor"

	ours "github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor"
)

// subject is our processor without what contrib has not: it does not rescue dropped traces when a late span asks for it.
func subject() processor.Factory {
	f := ours.NewFactory()
	withoutRescue := func() component.Config {
		cfg := f.CreateDefaultConfig().(*ours.Config)
		cfg.RescueBuffer = 0
		return cfg
	}
	return processor.NewFactory(f.Type(), withoutRescue, processor.WithTraces(f.CreateTraces, f.TracesStability()))
}

func TestOursAgainstContrib(t *testing.T) {
	reference, subject := contrib.NewFactory(), subject()
	for i := range *cases {
		check(t, reference, subject, seeded(t, *seed+uint64(i)))
		if t.Failed() {
			return // one says enough; -seed goes on behind it
		}
	}
}

func TestOursHasNotTheDefects(t *testing.T) {
	checkDefects(t, subject(), func(d defect) string { return d.ours })
}
