package main

import (
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/rig"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/scenario"
)

// A fakeMachine answers specs instead of child processes.
type fakeMachine struct {
	specs []scenario.Spec
	// holds is the highest rate that contrib holds.
	holds int
	// differs makes ours keep one trace less.
	differs bool
	// drawn is how many traces Refinery keeps, of others each time.
	drawn uint64
}

func (m *fakeMachine) measure(s scenario.Spec) (scenario.Result, error) {
	m.specs = append(m.specs, s)
	r := scenario.Result{Figures: scenario.Figures{}, Kept: rig.Kept{Traces: 60, Spans: 840, Digest: 7}}
	factor := 1.0
	if s.Engine == engineOurs {
		factor = 0.2
		if m.differs {
			r.Kept.Traces--
		}
	}
	switch s.Kind {
	case scenario.Closed:
		r.Figures[scenario.CPUPerSpan] = map[string]float64{engineNone: 1.6, engineContrib: 7.6, engineOurs: 2.6}[s.Engine]
		r.Figures[scenario.SpansPerSec] = 1e6 / r.Figures[scenario.CPUPerSpan]
		r.Figures[scenario.WirePerSpan] = 490
	case scenario.Hold:
		r.Figures[scenario.HeldPerSpan], r.Figures[scenario.WirePerSpan] = 1700*factor, 490
	case scenario.Paced:
		r.Figures[scenario.RSSAverage], r.Figures[scenario.Cores] = 4e9*factor, 0.8*factor
		r.Figures[scenario.Pause] = map[string]float64{engineContrib: 143, engineOurs: 0}[s.Engine]
		if s.Rate > m.holds && s.Engine == engineContrib {
			r.Figures[scenario.Late] = 3000
			r.Kept = rig.Kept{} // overloaded: void, must not be compared
		}
	case scenario.HTTP:
		r.Figures[scenario.CPUPerSpan] = 12 * factor
	case scenario.Proxy:
		r.Figures[scenario.CPUPerSpan] = map[string]float64{engineContrib: 14, engineRefinery: 12, engineOurs: 9}[s.Engine]
		if r.Kept.Traces = 280; s.Engine == engineRefinery {
			r.Kept = rig.Kept{Traces: m.drawn, Spans: m.drawn * 14, Digest: rand.Uint64()}
		}
	}
	return r, nil
}

func newFake(m *fakeMachine) *bench {
	b := newBench(options{
		runs: 2, open: []int{1000, 500_000}, pacedOpen: 1000, rate: 50_000, httpRate: 10_000,
		measured: 10_000, seconds: time.Second, seed: 1, engines: "contrib,ours",
	})
	b.measure, b.log = m.measure, io.Discard
	return b
}

func TestEnginesTakeTurns(t *testing.T) {
	m := &fakeMachine{holds: 100_000}
	if err := newFake(m).run(); err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, s := range m.specs {
		if s.Kind == scenario.HTTP {
			order = append(order, s.Engine)
		}
	}
	if want := strings.Fields("none contrib ours none contrib ours"); !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
}

// Engines of different speed get waits of different length and the same spans.
func TestClosedLoopOpensAboutAsManyTraces(t *testing.T) {
	m := &fakeMachine{holds: 100_000}
	if err := newFake(m).run(); err != nil {
		t.Fatal(err)
	}
	waits, sent := map[string]time.Duration{}, map[int]bool{}
	for _, s := range m.specs {
		if s.Kind == scenario.Closed && s.Open >= 500_000 {
			waits[s.Engine] = s.Wait
			sent[s.Warm+s.Measured] = true
		}
	}
	// 500,000 x 13.9 spans at 131,579 and at 384,615 spans/s.
	if waits[engineContrib] != 53*time.Second || waits[engineOurs] != 18*time.Second {
		t.Errorf("waits %v", waits)
	}
	if len(sent) != 1 {
		t.Errorf("engines were sent different numbers of requests: %v", sent)
	}
}

func TestRateIsLoweredForAllWhenOneCannotHoldIt(t *testing.T) {
	m := &fakeMachine{holds: 30_000}
	b := newFake(m)
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	if b.paced != 24_500 { // 50,000 x 0.7 x 0.7
		t.Errorf("measured at %d spans/s", b.paced)
	}
	for _, e := range b.samplers {
		if n := len(b.results[cell{scenario.Paced, false, 1000, e}]); n != 2 {
			t.Errorf("%s has %d paced runs, want 2 at the lower rate", e, n)
		}
	}
	if text := b.markdown(time.Now(), "0.1", nil); !strings.Contains(text, "**50,000 spans/s were asked for") {
		t.Errorf("the report does not say that the rate was lowered:\n%s", text)
	}
}

func TestDifferentKeptSetsFailTheRun(t *testing.T) {
	b := newFake(&fakeMachine{holds: 100_000, differs: true})
	err := b.run()
	if err == nil || !strings.Contains(err.Error(), "ours kept 59 of 840") {
		t.Fatalf("error %v", err)
	}
	if text := b.markdown(time.Now(), "0.1", err); !strings.Contains(text, "**The run failed") || strings.Contains(text, "kept the same spans") {
		t.Errorf("the report hides the failure:\n%s", text)
	}
}

func TestAFailedChildEndsTheRun(t *testing.T) {
	b := newFake(&fakeMachine{})
	b.measure = func(scenario.Spec) (scenario.Result, error) { return scenario.Result{}, errors.New("out of memory") }
	if err := b.run(); err == nil || !strings.Contains(err.Error(), "out of memory") {
		t.Errorf("error %v", err)
	}
}

func TestReportJudgesGoals(t *testing.T) {
	b := newFake(&fakeMachine{holds: 100_000})
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	text := b.markdown(time.Now(), "0.1", nil)
	for _, want := range []struct{ row, contrib, ours, ratio, goal, met string }{
		{"CPU per span of the sampler alone", "6.00 µs", "1.00 µs", "0.17 x", "<= 0.25 x", "yes"},
		{"spans per second of CPU", "131,579", "384,615", "2.92 x", ">= 330,000", "yes"},
		{"1,000 open: held per span", "1,700 B", "340 B", "0.20 x", "<= 0.12 x", "**no**"},
		{"1,000 open: held, as share of the wire", "3.47 x", "0.69 x", "0.20 x", "<= 0.40 x", "**no**"},
		{"longest pause for decisions", "143 ms", "< 1 ms", "0.00 x", "< 1 ms", "yes"},
		{"GC share of CPU", "", "", "", "", ""}, // measured by neither: left out
		{"RSS average", "3,815 MiB", "763 MiB", "0.20 x", "<= 0.12 x", "**no**"},
		{"CPU per span, receiver included", "12.0 µs", "2.40 µs", "0.20 x", "<= 0.50 x", "yes"},
	} {
		got := rowOf(text, want.row)
		if want.contrib == "" {
			if got != nil {
				t.Errorf("%s: not measured, and still in the report: %v", want.row, got)
			}
			continue
		}
		if cells := []string{want.contrib, want.ours, want.ratio, want.goal, want.met}; got == nil || !slices.Equal(got[2:], cells) {
			t.Errorf("%s: %q, want %q", want.row, got, cells)
		}
	}
}

// rowOf returns the cells of the first table row of that name.
func rowOf(text, name string) []string {
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if cells[0] == name {
			return cells
		}
	}
	return nil
}

// withRefinery is a small plan with the program at hand. 5 s of 10,000 spans/s are 256 requests with whole rounds, of
// 4,714 traces, and two draws of 2 % of them may differ by 5 x sqrt(2 x 4714 x 0.02 x 0.98) = 68.0.
func withRefinery(m *fakeMachine) *bench {
	b := newFake(m)
	b.opts.refinery, b.opts.refineryVersion = "/path/to/refinery", "3.2.2"
	return b
}

func TestRefineryTakesTurnsAndIsJudged(t *testing.T) {
	m := &fakeMachine{holds: 100_000, drawn: 284}
	b := withRefinery(m)
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, s := range m.specs {
		if s.Kind == scenario.Proxy {
			order = append(order, s.Engine)
			if sent := s.Warm + s.Measured; sent%scenario.RequestsPerRound != 0 {
				t.Errorf("%d requests cut a round, and traces with it", sent)
			}
		} else if s.Engine == engineRefinery {
			t.Errorf("Refinery was to do what it cannot: %+v", s)
		}
	}
	if want := strings.Fields("contrib ours refinery contrib ours refinery"); !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	text := b.markdown(time.Now(), "0.1", nil)
	want := []string{"14.0 µs", "12.0 µs", "9.00 µs", "0.75 x", "<= 0.60 x", "**no**"}
	if got := rowOf(text, "CPU per span, from receiving to sending"); got == nil || !slices.Equal(got[1:], want) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, said := range []string{"| Refinery 3.2.2 |", "ours / refinery", "Refinery kept 284 traces and ours 280"} {
		if !strings.Contains(text, said) {
			t.Errorf("%q is not in the report:\n%s", said, text)
		}
	}
}

// Refinery draws other traces each time: their number must be what chance explains, no more and no less.
func TestRefineryMayKeepAsManyAsChanceAllows(t *testing.T) {
	for drawn, ok := range map[uint64]bool{280: true, 280 + 67: true, 280 - 67: true, 280 + 68: false, 280 - 68: false} {
		err := withRefinery(&fakeMachine{holds: 100_000, drawn: drawn}).run()
		if (err == nil) != ok {
			t.Errorf("%d traces: %v", drawn, err)
		}
	}
}

func TestWithoutRefineryTheReportSaysHowToGetIt(t *testing.T) {
	b := newFake(&fakeMachine{holds: 100_000})
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	if text := b.markdown(time.Now(), "0.1", nil); !strings.Contains(text, "Refinery was not run") || !strings.Contains(text, "-refinery /path/to/refinery") {
		t.Errorf("the report does not say why Refinery is missing:\n%s", text)
	}
}

func TestSizes(t *testing.T) {
	if got, err := parseSizes("10000, 500000"); err != nil || !slices.Equal(got, []int{10_000, 500_000}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "10k", "0", "1,,2"} {
		if _, err := parseSizes(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
