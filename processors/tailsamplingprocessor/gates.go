package tailsamplingprocessor

import (
	"go.opentelemetry.io/collector/featuregate"

	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/internal/metadata"
)

// contrib's feature gates. A program may hold contrib's processor as well (the differential test does): then these are
// its gates. contrib registers them while its package internal/metadata is initialized, and does not expect them to be
// there; the import of a package with the same imports, and a path that sorts after contrib's, makes that happen before
// ours (Go specification, "Program initialization").
var (
	gateRecordPolicy  = findOrRegister("recordpolicy", "v0.120.0", "Adds the names of the policy and composite policy that sampled a trace to its scopes.")
	gateUseTraceState = findOrRegister("usetracestate", "v0.154.0", "Decides by the randomness in tracestate and writes the threshold of a decision to it.")
	gateCountSpans    = findOrRegister("metricstatcountspanssampled", "v0.95.0", "Adds the metric count_spans_sampled.")
	gateCountBytes    = findOrRegister("metricstatcountbytessampled", "v0.152.0", "Adds the metric count_bytes_sampled.")
	gateTailStorage   = findOrRegister("tailstorageextension", "v0.150.0", "Allows tail_storage to be set. It is not used.")
)

var _ = metadata.Type // the import that is spoken of above

type gate struct{ *featuregate.Gate }

func (g gate) enabled() bool { return g.IsEnabled() }

func findOrRegister(name, from, what string) gate {
	id := "processor.tailsamplingprocessor." + name
	var found *featuregate.Gate
	featuregate.GlobalRegistry().VisitAll(func(g *featuregate.Gate) {
		if g.ID() == id {
			found = g
		}
	})
	if found == nil {
		found = featuregate.GlobalRegistry().MustRegister(id, featuregate.StageAlpha,
			featuregate.WithRegisterDescription(what), featuregate.WithRegisterFromVersion(from))
	}
	return gate{found}
}
