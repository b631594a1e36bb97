package main

import (
	"fmt"
	"strings"

	"github.com/tailgate-otel/tailgate/internal/testkit/report"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/scenario"
)

// refineryMissing says how to get what a run without -refinery leaves out.
const refineryMissing = "Refinery was not run: it is a program of its own. To have it measured, build `./cmd/refinery` in a checkout of " +
	"github.com/honeycombio/refinery and name the result: `make bench-tailsampling BENCH_FLAGS=\"-refinery /path/to/refinery\"`.\n"

// refineryConditions say what is equal between the engines and what is not.
func refineryConditions() []string {
	return []string{
		"Every engine takes OTLP/HTTP, the same bytes at the same time over 4 connections without compression, and sends on what it keeps in batches of 500 spans or 100 ms, compressed with zstd, to a sink in another process. What the sink and the load use is not counted. contrib and ours are the Collector's otlp receiver, the processor and the otlp_http exporter, and send OTLP; Refinery sends its own events in MessagePack.",
		"Refinery's rules are first an error field on any span, then root.duration_ms above 1000, then the tenant, then one in 50; the trace is decided 2 s after its root, which is the last span of a trace to be sent. It runs alone: no peers, no Redis, no gRPC, no stress relief, queues of 300,000 spans, metrics for Prometheus on, an API key of the classic form and one data set, which is its cheapest way. All else has its defaults.",
		"Not equal: Refinery turns every span into a map of fields with those of its resource in it, remembers decisions and adds fields of its own to what it keeps; ours remembers decisions and a history of dropped traces; contrib neither.",
		"Refinery's counters say that every span was received, decided by its rules after its root, and sent, none dropped, retried or late; they and the sink agree. For the others what arrived is what was kept, span by span.",
	}
}

// refinerySection is the comparison with Refinery, or why there is none.
func (b *bench) refinerySection() string {
	table := b.table(b.refineryRows(), comparison{
		columns: []column{{engineContrib, "contrib " + contribVersion()}, {engineRefinery, "Refinery " + b.opts.refineryVersion}, {engineOurs, "ours"}},
		peer:    engineRefinery,
	})
	switch {
	case b.opts.refinery == "":
		return refineryMissing
	case len(table.Rows) == 0: // the run ended before
		return "Not measured.\n"
	}
	var sb strings.Builder
	for _, condition := range append(refineryConditions(), b.refineryKept()) {
		fmt.Fprintf(&sb, "- %s\n", condition)
	}
	return sb.String() + "\n" + table.String()
}

func (b *bench) refineryRows() []row {
	figure := func(name string) func(string) (float64, bool) { return b.of(scenario.Proxy, false, 0, name) }
	return []row{
		{"CPU per span, from receiving to sending", figure(scenario.CPUPerSpan), micros, timesPeer(0.60)},
		{"RSS average", figure(scenario.RSSAverage), report.MiB, nil},
		{"RSS max", figure(scenario.RSSMax), report.MiB, nil},
	}
}

// refineryKept compares the numbers of kept traces, of one run each.
func (b *bench) refineryKept() string {
	kept := map[string]keptSet{}
	for _, k := range b.kept {
		if k.spec.Kind == scenario.Proxy {
			kept[k.spec.Engine] = k
		}
	}
	theirs, ours := kept[engineRefinery], kept[engineOurs]
	return fmt.Sprintf("In the last run Refinery kept %s traces and ours %s, of about %s. They differ because Refinery draws the 2 %% by random number, ours and contrib by trace id; a difference that chance does not explain (more than %.0f traces) fails the run.",
		report.Number(float64(theirs.kept.Traces)), report.Number(float64(ours.kept.Traces)), report.Number(theirs.traces()), theirs.tolerance())
}
