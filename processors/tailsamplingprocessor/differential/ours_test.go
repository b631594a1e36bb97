package differential

import (
	"testing"

	contrib "github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/processor"

	ours "github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor"
)

// subject is our processor. set may change its default configuration.
func subject(set ...func(*ours.Config)) processor.Factory {
	f := ours.NewFactory()
	defaults := func() component.Config {
		cfg := f.CreateDefaultConfig().(*ours.Config)
		for _, s := range set {
			s(cfg)
		}
		return cfg
	}
	return processor.NewFactory(f.Type(), defaults, processor.WithTraces(f.CreateTraces, f.TracesStability()))
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

// With storage the answer is the same. Open traces stay for the next start, so the cases end when all is decided.
func TestOursWithStorageAgainstContrib(t *testing.T) {
	reference := contrib.NewFactory()
	for i := range max(*cases/20, 1) {
		c := seeded(t, *seed+uint64(i))
		c.shutdown += 10
		stored := subject(func(cfg *ours.Config) {
			cfg.Storage = configoptional.Some(ours.StorageConfig{Directory: t.TempDir(), OnFailure: "refuse"})
		})
		if check(t, reference, stored, c); t.Failed() {
			return
		}
	}
}

// Small segments and small deliveries cut traces where large ones do not.
func TestOursInSmallPiecesAgainstContrib(t *testing.T) {
	reference := contrib.NewFactory()
	small := subject(func(cfg *ours.Config) {
		cfg.MaxBuffer, cfg.RescueBuffer = 16<<20, 1<<20
		cfg.Delivery.BatchSpans = 1
	})
	for i := range max(*cases/20, 1) {
		if check(t, reference, small, seeded(t, *seed+uint64(i))); t.Failed() {
			return
		}
	}
}

// A trace that is decided early is decided alike. Only what is kept is compared: policies are counted with fewer spans, and
// what is written on spans, limits on sizes and the end of the process meet the trace at another time.
func TestOursDecidingEarlyAgainstContrib(t *testing.T) {
	reference := contrib.NewFactory()
	early := subject(func(cfg *ours.Config) { cfg.EarlyDecision = true })
	counted := 0
	for i := range max(*cases/20, 1) {
		c := seeded(t, *seed+uint64(i))
		c.gates = nil
		delete(c.config, "maximum_trace_size_bytes")
		delete(c.config, "drop_pending_traces_on_shutdown")
		if c.limited() || c.sound() != nil {
			continue // a budget is charged for the spans that are there
		}
		for _, d := range differences(t, reference, early, c) {
			if d.kind != "metric" {
				t.Fatalf("%s\n%s", d, c)
			}
			counted++
		}
	}
	if counted == 0 && *cases >= 1000 {
		t.Error("no count differs: nothing was decided early")
	}
}

func TestOursHasNotTheDefects(t *testing.T) {
	checkDefects(t, subject(), func(d defect) string { return d.ours })
}
