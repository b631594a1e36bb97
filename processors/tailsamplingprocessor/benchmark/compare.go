package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tailgate-otel/tailgate/internal/testkit/report"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/scenario"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/traffic"
)

const (
	section = "bench-tailsampling"
	intro   = `# Benchmarks

Each section is written by the program that measured it, with the conditions it measured under. How to read them:

- Ratios hold on other machines, absolute figures do not. Ratios come from one run on one machine, engines taking turns.
- A figure is the median of the runs. A high load average at the start means that others used the machine: run it again.
- A goal stands beside the figure it is for, with whether it was met *in this run*. A goal that was missed stays here.
- CPU is user and system time of the whole process, from the kernel; memory is what the process holds, not what the heap
  profile shows.
`
)

// compare measures, prints the comparison, and writes it into the file.
func compare(o options) error {
	started, load := time.Now(), report.Load()
	fmt.Printf("%s; load average %s\n", report.Machine(), load)
	b := newBench(o)
	measuring := b.run()
	if len(b.results) == 0 {
		return measuring
	}
	text := b.markdown(started, load, measuring)
	fmt.Println("\n" + text)
	if o.out == "" {
		return measuring
	}
	return errors.Join(measuring, report.Update(o.out, section, intro, text))
}

// progress is one line per run.
func (b *bench) progress(run int, c cell, f scenario.Figures, took time.Duration) {
	var words []string
	for _, name := range []string{
		scenario.CPUPerSpan, scenario.SpansPerSec, scenario.HeldPerSpan, scenario.FullGC, scenario.Cores,
		scenario.DecodedP99, scenario.DecodedMax, scenario.Pause, scenario.GCShare,
	} {
		if v, ok := f[name]; ok {
			words = append(words, name+"="+report.Number(v))
		}
	}
	values := "as in life"
	if c.unrepeated {
		values = "unrepeated"
	}
	fmt.Fprintf(b.log, "run %d %-6s %-10s open=%-7d %-8s %5.1fs  %s\n", run+1, c.kind, values, c.open, c.engine, took.Seconds(), strings.Join(words, " "))
}

// markdown writes the section.
func (b *bench) markdown(started time.Time, load string, failed error) string {
	var sb strings.Builder
	fmt.Fprintf(&sb, "## tail_sampling beside contrib and Refinery\n\n")
	fmt.Fprintf(&sb, "%s, %s. Load average at the start %s, runs of each measurement %d, seed %d, %.0f minutes in all.\n\n",
		started.UTC().Format("2 January 2006"), report.Machine(), load, b.opts.runs, b.opts.seed, time.Since(started).Minutes())
	for _, condition := range b.conditions() {
		fmt.Fprintf(&sb, "- %s\n", condition)
	}
	if failed != nil {
		fmt.Fprintf(&sb, "\n**The run failed, figures are of what came before:** %v\n", failed)
	} else {
		fmt.Fprintf(&sb, "- contrib and ours kept the same spans in every run: %s.\n", b.keptShare())
	}
	for _, t := range []struct {
		title string
		rows  []row
	}{
		{"One core, as fast as it goes", b.closedRows(false)},
		{"The same where no value repeats", b.closedRows(true)},
		{"More open traces", b.scalingRows()},
		{"Memory", b.holdRows(false)},
		{"Memory where no value repeats", b.holdRows(true)},
		{fmt.Sprintf("At %s spans/s with %s traces open", report.Number(float64(b.paced)), report.Number(float64(b.opts.pacedOpen))), b.pacedRows()},
		{fmt.Sprintf("Over OTLP/HTTP at %s spans/s", report.Number(float64(b.opts.httpRate))), b.httpRows()},
	} {
		if table := b.table(t.rows, besideContrib()); len(table.Rows) > 0 {
			fmt.Fprintf(&sb, "\n### %s\n\n%s", t.title, table)
		}
	}
	fmt.Fprintf(&sb, "\n### Beside Refinery: OTLP/HTTP in, what is kept out, at %s spans/s\n\n%s", report.Number(float64(b.opts.httpRate)), b.refinerySection())
	return sb.String()
}

// conditions say what a reader must know to measure the same.
func (b *bench) conditions() []string {
	wire, _ := b.of(scenario.Closed, false, b.opts.open[0], scenario.WirePerSpan)(engineNone)
	unrepeated, known := b.of(scenario.Closed, true, b.opts.open[0], scenario.WirePerSpan)(engineNone)
	onWire := fmt.Sprintf("%.0f bytes per span on the wire", wire)
	if known {
		onWire += fmt.Sprintf(" (%.0f where no value repeats)", unrepeated)
	}
	c := []string{
		fmt.Sprintf("Traffic: %.1f spans per trace, %s, 9.6 attributes per span, 12 resource attributes; requests of 256 spans in 4 ResourceSpans that touch about 28 traces. Ids, times and high-cardinality values are new in each request; the cost of making them is subtracted.", traffic.SpansPerTrace, onWire),
		"Policies: status ERROR, latency above 1 s, one value of a string attribute, 2 % probabilistic.",
		"Each measurement has a process of its own. Requests are decoded from protobuf into fresh pdata; metrics are on, logs off; the sink counts. Beside policies, wait and num_traces each engine has its defaults: ours remembers decisions and a history of dropped traces, contrib neither.",
		"\"Sampler alone\" is less what the same process without a sampler uses. \"Held\" is the live Go heap after two collections plus resident memory outside of it (VmRSS less what the runtime has from the system), less what was there before the sampler was made; accurate to a few MiB, so read it at the larger sizes.",
		"One core is GOMAXPROCS=1, all other measurements run on all cores. GOMEMLIMIT is 80 % of the machine's memory; it matters to contrib at 500,000 open traces only. RSS includes about 40 MiB of program, traffic and decoding.",
		"Over HTTP: the Collector's otlp receiver on the loopback, 4 connections, no compression, decision wait 2 s; the load comes from another process.",
	}
	if b.paced != b.opts.rate {
		c = append(c, fmt.Sprintf("**%s spans/s were asked for and not held by every engine on this machine as loaded;** the steady rate was lowered to %s for all.",
			report.Number(float64(b.opts.rate)), report.Number(float64(b.paced))))
	}
	return c
}

// keptShare is about the run with the most spans, of those whose spans are compared.
func (b *bench) keptShare() string {
	var most keptSet
	for _, k := range b.kept {
		if k.spec.Engine != engineRefinery && k.kept.Spans > most.kept.Spans {
			most = k
		}
	}
	if most.kept.Spans == 0 {
		return "no run"
	}
	sent := float64((most.spec.Warm + most.spec.Measured) * traffic.SpansPerRequest)
	return fmt.Sprintf("for example %s traces and %s spans, %s of what was sent",
		report.Number(float64(most.kept.Traces)), report.Number(float64(most.kept.Spans)), report.Percent(float64(most.kept.Spans)/sent))
}

// A comparison says which engines a table shows, in columns, and which of them ours is judged by.
type comparison struct {
	columns []column
	peer    string
}

type column struct{ engine, title string }

func besideContrib() comparison {
	return comparison{
		columns: []column{{engineNone, "no sampler"}, {engineContrib, "contrib " + contribVersion()}, {engineOurs, "ours"}},
		peer:    engineContrib,
	}
}

// table writes rows; those that no engine has a value for are left out.
func (b *bench) table(rows []row, c comparison) report.Table {
	t := report.Table{Header: []string{""}}
	for _, col := range c.columns {
		t.Header = append(t.Header, col.title)
	}
	t.Header = append(t.Header, "ours / "+c.peer, "goal", "met")
	for _, r := range rows {
		line, any := []string{r.name}, false
		for _, col := range c.columns {
			v, ok := r.value(col.engine)
			line, any = append(line, show(v, ok, r.format)), any || ok
		}
		if any {
			t.Rows = append(t.Rows, append(line, verdict(r, c.peer)...))
		}
	}
	return t
}

// verdict is the ratio to the peer, the goal, and whether it was met.
func verdict(r row, peer string) []string {
	theirs, okT := r.value(peer)
	ours, okO := r.value(engineOurs)
	v := []string{"", "", ""}
	if okT && okO && theirs > 0 {
		v[0] = times(ours / theirs)
	}
	if r.goal == nil {
		return v
	}
	v[1] = r.goal.text
	switch {
	case !okO || !okT:
		v[2] = "not measured"
	case r.goal.met(ours, theirs):
		v[2] = "yes"
	default:
		v[2] = "**no**"
	}
	return v
}

func show(v float64, ok bool, format func(float64) string) string {
	if !ok {
		return ""
	}
	return format(v)
}
