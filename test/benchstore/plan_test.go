package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/test/benchstore/internal/measure"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/payload"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/ways"
)

// cost is a result of so many nanoseconds per sample in the collector and in the server.
func cost(s measure.Spec, collector, server int) measure.Result {
	n := s.Exports * payload.Samples(s.Kind, s.Instances)
	return measure.Result{
		Samples: n, Collector: time.Duration(n * collector), Server: time.Duration(n * server), Exported: 10, Exemplars: 10, Allocations: n / 4,
	}
}

// newTestBench measures nothing: f says what would have come out.
func newTestBench(f func(measure.Spec) (measure.Result, error)) *bench {
	b := newBench(options{runs: 3, instances: []int{10}, kinds: []payload.Kind{payload.Classic}, share: 100, version: "3.14.0"})
	b.measure, b.log = f, io.Discard
	return b
}

func TestWaysTakeTurns(t *testing.T) {
	var order []string
	b := newTestBench(func(s measure.Spec) (measure.Result, error) {
		order = append(order, s.Way)
		return cost(s, 1, 1), nil
	})
	b.opts.ways = []string{ways.Store, ways.OTLPGzip}
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(order), "[store otlp-gzip store otlp-gzip store otlp-gzip]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestTheMedianDecides(t *testing.T) {
	costs := map[string][]int{ways.Store: {900, 100, 200}, ways.Converter: {1000, 600, 10}}
	b := newTestBench(func(s measure.Spec) (measure.Result, error) {
		next := costs[s.Way][0]
		costs[s.Way] = costs[s.Way][1:]
		return cost(s, next, 0), nil
	})
	b.opts.ways = []string{ways.Store, ways.Converter}
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	table := b.verdicts(10, payload.Classic).String()
	if row := "| embedded, to Prometheus' converter in process | 200 ns | 600 ns | 3.00 x | >= 3.00 x | yes |"; !strings.Contains(squeeze(table), row) {
		t.Errorf("there is no row\n%s\nin\n%s", row, table)
	}
}

func TestAGoalThatIsMissedIsSaid(t *testing.T) {
	b := newTestBench(func(s measure.Spec) (measure.Result, error) {
		if s.Way == ways.Write2 {
			return cost(s, 500, 1500), nil
		}
		return cost(s, 3900, 2600), nil
	})
	b.opts.ways = []string{ways.Write2, ways.ContribWrite2}
	if err := b.run(); err != nil {
		t.Fatal(err)
	}
	table := squeeze(b.verdicts(10, payload.Classic).String())
	for _, row := range []string{
		"| remote write 2.0, collector only | 500 ns | 3900 ns | 7.80 x | >= 8.00 x | **no** |",
		"| remote write 2.0, both processes | 2000 ns | 6500 ns | 3.25 x | >= 2.50 x | yes |",
	} {
		if !strings.Contains(table, row) {
			t.Errorf("there is no row\n%s\nin\n%s", row, table)
		}
	}
}

// What lost samples has no figures, not even those of the runs before, and the run fails.
func TestAWayThatLosesSamplesHasNoFigures(t *testing.T) {
	calls := 0
	b := newTestBench(func(s measure.Spec) (measure.Result, error) {
		if s.Way == ways.OTLPGzip {
			if calls++; calls == 2 {
				return measure.Result{}, errors.New("1 of 2 samples was stored")
			}
		}
		return cost(s, 100, 0), nil
	})
	b.opts.ways = []string{ways.Store, ways.OTLPGzip}
	err := b.run()
	if err == nil || !strings.Contains(err.Error(), "10 instances, classic, otlp-gzip: 1 of 2 samples") {
		t.Fatalf("%v", err)
	}
	if calls != 2 {
		t.Errorf("measured %d times, want no more after the second", calls)
	}
	text := squeeze(b.markdown(time.Now(), "0.10", err))
	for _, part := range []string{"| otlp_http, gzip (its default), to Prometheus | **failed** |", "- 10 instances, classic, otlp-gzip: 1 of 2 samples was stored", "| **prometheusstore, embedded** | 100 ns |"} {
		if !strings.Contains(text, part) {
			t.Errorf("the report does not say %s:\n%s", part, text)
		}
	}
	if strings.Contains(text, "embedded, to otlp_http gzip") {
		t.Error("a comparison with what failed")
	}
}

func TestAMissedBeatIsTriedAgain(t *testing.T) {
	for failures, fails := range map[int]bool{2: false, 3: true} {
		calls := 0
		b := newTestBench(func(s measure.Spec) (measure.Result, error) {
			if calls++; calls <= failures {
				return measure.Result{}, errors.New("missed")
			}
			return cost(s, 1, 1), nil
		})
		b.opts.runs, b.opts.ways = 1, []string{ways.Page}
		if err := b.run(); (err != nil) != fails || calls != 3 {
			t.Errorf("%d failures: %d calls, %v", failures, calls, err)
		}
	}
}

func TestTheLargestSizeIsOneRunOfClassic(t *testing.T) {
	calls := map[payload.Kind]int{}
	b := newTestBench(func(s measure.Spec) (measure.Result, error) {
		calls[s.Kind]++
		return cost(s, 1, 1), nil
	})
	b.opts.instances, b.opts.ways = []int{largest}, []string{ways.Store}
	b.opts.kinds = []payload.Kind{payload.Classic, payload.NHCB}
	if err := b.run(); err != nil || fmt.Sprint(calls) != "map[classic:1]" {
		t.Errorf("%v, %v", calls, err)
	}
	if title := b.title(largest, payload.Classic); title != "199,200 series, classic histograms, one run" {
		t.Error(title)
	}
}

// A head that spans three hours is compacted, which would be on the bill of the way that was on when it happened.
func TestNoMeasurementReachesTheNextBlock(t *testing.T) {
	b := newTestBench(nil)
	for _, kind := range []payload.Kind{payload.Classic, payload.NHCB} {
		for _, instances := range []int{1, 10, 100, largest} {
			s := b.spec(cell{instances, kind, ways.Store}, false)
			if span := time.Duration(s.Warm+s.Exports) * measure.Interval; span > 2*time.Hour {
				t.Errorf("%d instances, %s: %s of data", instances, kind, span)
			}
			if n := s.Exports * payload.Samples(kind, instances); instances > 1 && n < 400_000 {
				t.Errorf("%d instances, %s: %d samples are too few to measure", instances, kind, n)
			}
		}
	}
}

func TestEveryWayHasATitleAndEveryClaimTwoWays(t *testing.T) {
	for _, w := range ways.All() {
		if titles()[w.Name] == "" {
			t.Errorf("%s has no title", w.Name)
		}
	}
	for _, c := range claims() {
		for _, name := range []string{c.ours, c.peer} {
			if _, err := ways.Named(name); err != nil {
				t.Errorf("%s: %v", c.text, err)
			}
		}
	}
	b := newTestBench(nil)
	b.opts.ways = []string{"nosuch"}
	if err := b.run(); err == nil || !strings.Contains(err.Error(), `no way of the name "nosuch"`) {
		t.Errorf("%v", err)
	}
}

func TestParseSizes(t *testing.T) {
	if got, err := parseSizes("10, 100"); err != nil || fmt.Sprint(got) != "[10 100]" {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "10,", "0", "x"} {
		if _, err := parseSizes(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// squeeze takes out the padding of tables.
func squeeze(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.Join(strings.Fields(line), " ")
	}
	return strings.Join(lines, "\n")
}
