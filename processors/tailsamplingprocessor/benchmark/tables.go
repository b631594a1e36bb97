package main

import (
	"fmt"

	"github.com/tailgate-otel/tailgate/internal/testkit/report"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/scenario"
)

// A row compares one figure. value gives it for an engine; ok is false where it was not measured.
type row struct {
	name   string
	value  func(engine string) (v float64, ok bool)
	format func(float64) string
	goal   *goal
}

// A goal is what ours must reach, in words and as a test.
type goal struct {
	text string
	met  func(ours, peer float64) bool
}

func timesPeer(limit float64) *goal {
	return &goal{fmt.Sprintf("<= %.2f x", limit), func(ours, peer float64) bool { return ours <= limit*peer }}
}

func atMost(limit float64, format func(float64) string) *goal {
	return &goal{"<= " + format(limit), func(ours, _ float64) bool { return ours <= limit }}
}

func atLeast(limit float64, format func(float64) string) *goal {
	return &goal{">= " + format(limit), func(ours, _ float64) bool { return ours >= limit }}
}

// of reads the median of a figure.
func (b *bench) of(kind scenario.Kind, unrepeated bool, open int, figure string) func(string) (float64, bool) {
	return func(engine string) (float64, bool) {
		var values []float64
		for _, f := range b.results[cell{kind, unrepeated, open, engine}] {
			if v, ok := f[figure]; ok {
				values = append(values, v)
			}
		}
		return report.Median(values)
	}
}

// beyond subtracts what the work without a sampler costs.
func beyond(value func(string) (float64, bool)) func(string) (float64, bool) {
	return func(engine string) (float64, bool) {
		v, ok := value(engine)
		base, known := value(engineNone)
		return v - base, ok && known
	}
}

// perSecond is the throughput of a core at a cost in microseconds. Spans by wall time would depend on what else runs.
func perSecond(cost func(string) (float64, bool)) func(string) (float64, bool) {
	return func(engine string) (float64, bool) {
		v, ok := cost(engine)
		return 1e6 / v, ok && v > 0
	}
}

// ratio divides one figure by another.
func ratio(a, b func(string) (float64, bool)) func(string) (float64, bool) {
	return func(engine string) (float64, bool) {
		x, okX := a(engine)
		y, okY := b(engine)
		return x / y, okX && okY && y != 0
	}
}

var (
	micros   = report.Unit("µs")
	millisec = report.Unit("ms")
	bytes    = report.Unit("B")
	times    = func(v float64) string { return report.Number(v) + " x" }
)

// wholeMillis is for metrics that count milliseconds cut to whole ones.
func wholeMillis(v float64) string {
	if v < 1 {
		return "< 1 ms"
	}
	return fmt.Sprintf("%.0f ms", v)
}

// closedRows are about one core, as fast as it goes.
func (b *bench) closedRows(unrepeated bool) []row {
	figure := func(name string) func(string) (float64, bool) {
		return b.of(scenario.Closed, unrepeated, b.opts.open[0], name)
	}
	cpu := figure(scenario.CPUPerSpan)
	rows := []row{
		{"CPU per span, decoding included", cpu, micros, nil},
		{"CPU per span of the sampler alone", beyond(cpu), micros, timesPeer(0.25)},
		{"spans per second of CPU", perSecond(cpu), report.Number, atLeast(330_000, report.Number)},
		{"allocations per span, decoding included", figure(scenario.AllocsPerSpan), report.Number, nil},
		{"open traces meanwhile, about", figure(openTraces), report.Number, nil},
	}
	if unrepeated { // goals are for traffic as in life
		for i := range rows {
			rows[i].goal = nil
		}
	}
	return rows
}

// scalingRows show whether a span costs more where more traces are open.
func (b *bench) scalingRows() []row {
	var rows []row
	for _, open := range b.opts.open {
		rows = append(rows,
			row{size(open) + ": CPU per span, decoding included", b.of(scenario.Closed, false, open, scenario.CPUPerSpan), micros, nil},
			row{size(open) + ": open at the speed reached, about", b.of(scenario.Closed, false, open, openTraces), report.Number, nil},
		)
	}
	return rows
}

func (b *bench) holdRows(unrepeated bool) []row {
	var rows []row
	for _, open := range b.opts.open {
		figure := func(name string) func(string) (float64, bool) { return b.of(scenario.Hold, unrepeated, open, name) }
		held, wire := figure(scenario.HeldPerSpan), figure(scenario.WirePerSpan)
		if _, measured := held(engineContrib); !measured {
			continue
		}
		memory, share := timesPeer(0.12), atMost(0.40, times)
		if unrepeated {
			memory, share = nil, atMost(1.1, times)
		}
		rows = append(rows,
			row{size(open) + ": held per span", held, bytes, memory},
			row{size(open) + ": held, as share of the wire", ratio(held, wire), times, share},
			row{size(open) + ": of it in the Go heap", figure(scenario.HeapPerSpan), bytes, nil},
			row{size(open) + ": RSS after filling", figure(scenario.RSSFilled), report.MiB, nil},
			row{size(open) + ": one full GC", figure(scenario.FullGC), millisec, timesPeer(0.01)},
		)
	}
	return rows
}

func (b *bench) pacedRows() []row {
	figure := func(name string) func(string) (float64, bool) {
		return b.of(scenario.Paced, false, b.opts.pacedOpen, name)
	}
	return []row{
		{"cores used, decoding included", figure(scenario.Cores), report.Number, nil},
		{"CPU per span, decoding included", figure(scenario.CPUPerSpan), micros, nil},
		{"ConsumeTraces p50", figure(scenario.ConsumeP50), millisec, nil},
		{"ConsumeTraces p99", figure(scenario.ConsumeP99), millisec, atMost(2, millisec)},
		{"ConsumeTraces p99.9", figure(scenario.ConsumeP999), millisec, nil},
		{"ConsumeTraces max", figure(scenario.ConsumeMax), millisec, atMost(10, millisec)},
		{"decoding + ConsumeTraces p50", figure(scenario.DecodedP50), millisec, nil},
		{"decoding + ConsumeTraces p99", figure(scenario.DecodedP99), millisec, nil},
		{"decoding + ConsumeTraces p99.9", figure(scenario.DecodedP999), millisec, nil},
		{"decoding + ConsumeTraces max", figure(scenario.DecodedMax), millisec, nil},
		{"longest pause for decisions", figure(scenario.Pause), wholeMillis, &goal{"< 1 ms", func(ours, _ float64) bool { return ours < 1 }}},
		{"GC share of CPU", figure(scenario.GCShare), report.Percent, atMost(0.03, report.Percent)},
		{"RSS average", figure(scenario.RSSAverage), report.MiB, timesPeer(0.12)},
		{"RSS max", figure(scenario.RSSMax), report.MiB, nil},
	}
}

func (b *bench) httpRows() []row {
	cpu := b.of(scenario.HTTP, false, 0, scenario.CPUPerSpan)
	return []row{
		{"CPU per span, receiver included", cpu, micros, timesPeer(0.50)},
		{"CPU per span of the sampler alone", beyond(cpu), micros, nil},
		{"RSS average", b.of(scenario.HTTP, false, 0, scenario.RSSAverage), report.MiB, nil},
		{"RSS max", b.of(scenario.HTTP, false, 0, scenario.RSSMax), report.MiB, nil},
	}
}

func size(open int) string { return report.Number(float64(open)) + " open" }
