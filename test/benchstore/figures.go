package main

import (
	"fmt"

	"github.com/tailgate-otel/tailgate/internal/testkit/report"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/measure"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/payload"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/ways"
)

// A figure is read from a result.
type figure func(measure.Result) float64

func collector(r measure.Result) float64 { return perSample(r.Collector, r) }
func server(r measure.Result) float64    { return perSample(r.Server, r) }
func total(r measure.Result) float64     { return perSample(r.Collector+r.Server, r) }
func allocations(r measure.Result) float64 {
	return float64(r.Allocations) / float64(r.Samples)
}
func exemplars(r measure.Result) float64 { return float64(r.Exemplars) / float64(r.Exported) }
func memory(r measure.Result) float64    { return float64(r.CollectorRSS + r.ServerRSS) }

// of is the median of a figure.
func (b *bench) of(c cell, f figure) (float64, bool) { return median(b.results[c], f) }

// titles name the ways for readers.
func titles() map[string]string {
	return map[string]string{
		ways.Store:          "**prometheusstore, embedded**",
		ways.Converter:      "Prometheus' converter and database, in process",
		ways.OTLPPlain:      "otlp_http, not compressed, to Prometheus",
		ways.OTLPGzip:       "otlp_http, gzip (its default), to Prometheus",
		ways.Write2:         "**our remote write 2.0** to Prometheus",
		ways.Write1:         "**our remote write 1.0** to Prometheus",
		ways.ContribWrite2:  "contrib remote write 2.0 to Prometheus",
		ways.ContribWrite1:  "contrib remote write 1.0 to Prometheus",
		ways.PageRaw:        "**our page**, not compressed, scraped by Prometheus",
		ways.Page:           "**our page**, gzip, scraped by Prometheus",
		ways.ContribPageRaw: "contrib's page, not compressed, scraped by Prometheus",
		ways.ContribPage:    "contrib's page, gzip, scraped by Prometheus",
	}
}

// A claim is that ours is so many times cheaper than a peer.
type claim struct {
	text       string
	ours, peer string
	figure     figure
	goal       map[cell]float64 // by size and kind, without a way
}

// claims lists what is compared. Goals are for classic histograms at 5k and 50k series unless told otherwise.
func claims() []claim {
	goals := func(at5k, at50k float64) map[cell]float64 {
		return map[cell]float64{{10, payload.Classic, ""}: at5k, {100, payload.Classic, ""}: at50k}
	}
	pages := goals(4, 4)
	pages[cell{10, payload.Exponential, ""}], pages[cell{100, payload.Exponential, ""}] = 10, 10
	return []claim{
		{"embedded, to Prometheus' converter in process", ways.Store, ways.Converter, total, goals(3, 3)},
		{"embedded, to otlp_http not compressed", ways.Store, ways.OTLPPlain, total, goals(10, 5)},
		{"embedded, to otlp_http gzip", ways.Store, ways.OTLPGzip, total, goals(10, 5)},
		{"embedded, to contrib remote write 2.0", ways.Store, ways.ContribWrite2, total, goals(15, 15)},
		{"embedded, to contrib remote write 1.0", ways.Store, ways.ContribWrite1, total, goals(25, 25)},
		{"embedded, to contrib's page scraped", ways.Store, ways.ContribPage, total, goals(20, 20)},
		{"remote write 2.0, collector only", ways.Write2, ways.ContribWrite2, collector, goals(8, 8)},
		{"remote write 2.0, both processes", ways.Write2, ways.ContribWrite2, total, goals(2.5, 2.5)},
		{"remote write 1.0, collector only", ways.Write1, ways.ContribWrite1, collector, nil},
		{"remote write 1.0, both processes", ways.Write1, ways.ContribWrite1, total, nil},
		{"page, both gzip, collector only", ways.Page, ways.ContribPage, collector, pages},
		{"page, neither compressed, collector only", ways.PageRaw, ways.ContribPageRaw, collector, goals(4, 4)},
		{"page, each as by default on one machine, collector only", ways.PageRaw, ways.ContribPage, collector, goals(10, 10)},
	}
}

// costs is the table of what was measured of a size and kind.
func (b *bench) costs(instances int, kind payload.Kind) report.Table {
	t := report.Table{Header: []string{"", "collector", "server", "both", "samples/s of a core", "allocations", "exemplars stored", "memory, both"}}
	names := titles()
	for _, way := range b.waysFor(kind) {
		c := cell{instances, kind, way.Name}
		if err := b.failed[c]; err != nil {
			t.Rows = append(t.Rows, []string{names[way.Name], "**failed**"})
			continue
		}
		both, ok := b.of(c, total)
		if !ok {
			continue
		}
		row := []string{names[way.Name]}
		for _, f := range []struct {
			figure figure
			format func(float64) string
		}{
			{collector, nanos}, {server, nanos}, {total, nanos},
		} {
			v, _ := b.of(c, f.figure)
			row = append(row, f.format(v))
		}
		a, _ := b.of(c, allocations)
		x, _ := b.of(c, exemplars)
		m, _ := b.of(c, memory)
		t.Rows = append(t.Rows, append(row, report.Number(1e9/both), report.Number(max(a, 0)), report.Percent(x), report.MiB(m)))
	}
	return t
}

func nanos(v float64) string { return fmt.Sprintf("%.0f ns", v) }

// verdicts is the table of claims; those that were not measured are left out.
func (b *bench) verdicts(instances int, kind payload.Kind) report.Table {
	t := report.Table{Header: []string{"ours is cheaper", "ours", "peer", "times", "goal", "met"}}
	for _, c := range claims() {
		ours, okO := b.of(cell{instances, kind, c.ours}, c.figure)
		peer, okP := b.of(cell{instances, kind, c.peer}, c.figure)
		if !okO || !okP {
			continue
		}
		row := []string{c.text, nanos(ours), nanos(peer), report.Number(peer/ours) + " x"}
		if goal := c.goal[cell{instances, kind, ""}]; goal > 0 {
			row = append(row, ">= "+report.Number(goal)+" x", yesNo(peer/ours >= goal))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func yesNo(met bool) string {
	if met {
		return "yes"
	}
	return "**no**"
}
