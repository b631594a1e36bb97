package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tailgate-otel/tailgate/internal/testkit/report"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/measure"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/payload"
)

const section = "bench-store"

// compare measures, prints the comparison, and writes it into the file.
func compare(o options) error {
	started, load := time.Now(), report.Load()
	fmt.Printf("%s; load average %s; Prometheus %s\n", report.Machine(), load, o.version)
	b := newBench(o)
	measuring := b.run()
	if o.footprint {
		weighed, err := weigh(o)
		b.weights, measuring = weighed, errors.Join(measuring, err)
	}
	if len(b.results) == 0 {
		return measuring
	}
	text := b.markdown(started, load, measuring)
	fmt.Println("\n" + text)
	if o.out == "" {
		return measuring
	}
	return errors.Join(measuring, report.Update(o.out, section, "# Benchmarks\n", text))
}

// markdown writes the section.
func (b *bench) markdown(started time.Time, load string, failed error) string {
	var sb strings.Builder
	fmt.Fprintf(&sb, "## Ways into a Prometheus\n\n")
	fmt.Fprintf(&sb, "%s, %s. Load average at the start %s, runs of each measurement %d, Prometheus %s, %.0f minutes in all.\n\n",
		started.UTC().Format("2 January 2006"), report.Machine(), load, b.opts.runs, b.opts.version, time.Since(started).Minutes())
	for _, condition := range b.conditions() {
		fmt.Fprintf(&sb, "- %s\n", condition)
	}
	if failed != nil {
		fmt.Fprintf(&sb, "\n**Some measurements failed and have no figures:**\n\n")
		for line := range strings.Lines(failed.Error()) {
			fmt.Fprintf(&sb, "- %s\n", strings.TrimSpace(line))
		}
	}
	for _, instances := range b.opts.instances {
		for _, kind := range b.kindsAt(instances) {
			costs := b.costs(instances, kind)
			if len(costs.Rows) == 0 {
				continue
			}
			fmt.Fprintf(&sb, "\n### %s\n\n%s\n%s", b.title(instances, kind), costs, b.verdicts(instances, kind))
		}
	}
	if table := b.weights.table(); len(table.Rows) > 0 {
		fmt.Fprintf(&sb, "\n### What the store adds to a collector\n\n%s", table)
	}
	return sb.String()
}

func (b *bench) title(instances int, kind payload.Kind) string {
	histograms := map[payload.Kind]string{
		payload.Classic: "classic histograms", payload.Exponential: "exponential histograms", payload.NHCB: "histograms with custom buckets (NHCB)",
	}[kind]
	title := fmt.Sprintf("%s series, %s", report.Number(float64(payload.Samples(kind, instances))), histograms)
	if b.runsAt(instances) < b.opts.runs {
		title += ", one run"
	}
	return title
}

// conditions say what a reader must know to measure the same.
func (b *bench) conditions() []string {
	return []string{
		fmt.Sprintf("Payload: instances of a service with 12 resource attributes, %d points of http.server.request.duration (%d bounds or 60 exponential buckets, 7 to 8 attributes, 2 exemplars on every fourth point), %d counters and %d gauges. Every way gets the same exports; each moves time on by %s and changes every value.", payload.Histograms, payload.Bounds, payload.Counters, payload.Gauges, measure.Interval),
		"Figures are CPU, user and system, per sample stored. The collector is the real component, made by its factory, in a process of its own, which makes the payload too: that is taken off by the clock of its thread. Decoding OTLP at a receiver, which all have, is not in. The server is a stock one on the loopback.",
		"Exports follow one another without queues before the component, one at a time; ours for remote write has its own, on disk, and is measured until the server has all of it. Pages are exported to once before each scrape, at a steady beat. Stale markers, rules and the store's own metrics are off: a stock server has none of them for pushed metrics.",
		"Write-ahead logs are on and compressed, the out-of-order window is 10 minutes, and there is room for 100,000 exemplars, on both sides. No scope labels.",
		"After each run the samples are counted by a query. Every one that was exported was stored, or the run has failed. target_info is not counted.",
		"A histogram with exponential or custom buckets is one sample, and costs more than a number. Memory is resident memory of both processes at the end.",
	}
}
