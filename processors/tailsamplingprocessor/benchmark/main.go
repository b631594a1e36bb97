// Program benchmark measures our tail_sampling beside contrib's, and beside Refinery where that is at hand, on the same
// machine, in the same run and on the same traffic, and writes the comparison into docs/benchmarks.md. Every measurement
// runs in a child process of its own (this program, started again), so that CPU and memory are those of one engine;
// engines take turns and the median of the runs counts. It fails when the engines do not keep the same spans.
//
// Refinery is no Go module that could be linked: who has built it (go build ./cmd/refinery in a checkout of
// github.com/honeycombio/refinery) gives the program with -refinery, and it is measured over OTLP/HTTP beside the others.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/refinery"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/scenario"
)

// options are what the user chose.
type options struct {
	runs      int
	open      []int // sizes of the memory and scaling measurements, in open traces
	pacedOpen int
	rate      int // spans per second, paced
	httpRate  int
	measured  int // spans measured in the closed loop
	seconds   time.Duration
	seed      uint64
	out       string
	engines   string
	rough     bool // leave out what takes long and seldom surprises

	refinery        string // path of the program, empty to leave it out
	refineryVersion string // what the program says of itself
}

func main() {
	child := flag.String("child", "", "internal: measure one engine as described by this JSON and print the result")
	quick := flag.Bool("quick", false, "a rough look in about a minute: one run, 10,000 open traces")
	full := flag.Bool("full", false, "measure 500,000 open traces too; contrib needs about 11 GB for them")
	o := options{}
	flag.IntVar(&o.runs, "runs", 3, "runs of each measurement; the median counts")
	sizes := flag.String("open", "10000,100000", "numbers of open traces to measure memory and scaling at")
	flag.IntVar(&o.pacedOpen, "paced-open", 100_000, "open traces of the paced measurement")
	flag.IntVar(&o.rate, "rate", 70_000, "spans per second of the paced measurement")
	flag.IntVar(&o.httpRate, "http-rate", 41_600, "spans per second over OTLP/HTTP")
	flag.IntVar(&o.measured, "spans", 2_000_000, "spans to measure in the closed loop, after warming up")
	flag.DurationVar(&o.seconds, "time", 30*time.Second, "how long to measure at a steady rate, after warming up")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the traffic")
	flag.StringVar(&o.out, "out", "docs/benchmarks.md", "file to write the comparison into besides printing it; -quick only prints")
	flag.StringVar(&o.engines, "engines", "contrib,ours", "samplers to compare")
	flag.StringVar(&o.refinery, "refinery", "", "path of a built Refinery, to measure it over OTLP/HTTP beside the others")
	flag.Parse()

	if *child != "" {
		exit(runChild(*child, o.refinery))
	}
	var err error
	if o.open, err = parseSizes(*sizes); err != nil {
		exit(err)
	}
	if *full {
		o.open = append(o.open, 500_000)
	}
	if *quick {
		o.quick()
	}
	if o.refinery != "" {
		if o.refineryVersion, err = refinery.Version(o.refinery); err != nil {
			exit(err)
		}
	}
	exit(compare(o))
}

// quick shrinks everything to what shows that the benchmark works and where the figures roughly are. Such figures do not
// replace those of a whole run.
func (o *options) quick() {
	o.runs, o.open, o.pacedOpen, o.rough = 1, []int{10_000}, 10_000, true
	o.measured, o.seconds = 400_000, 4*time.Second
	o.out = ""
}

func parseSizes(list string) ([]int, error) {
	var sizes []int
	for word := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-open: %q is not a number of traces; give numbers such as 10000,100000", word)
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}

// runChild measures and prints the result as the last line.
func runChild(spec, program string) error {
	var s scenario.Spec
	if err := json.Unmarshal([]byte(spec), &s); err != nil {
		return fmt.Errorf("-child: %w", err)
	}
	result, err := run(s, program)
	if err != nil {
		return fmt.Errorf("%s of %s: %w", s.Kind, s.Engine, err)
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// run measures an engine in this process, or Refinery from this process.
func run(s scenario.Spec, program string) (scenario.Result, error) {
	if s.Engine == engineRefinery {
		p, err := refinery.Start(program, s.Wait)
		if err != nil {
			return scenario.Result{}, err
		}
		return scenario.Serve(s, p, os.Stdin, os.Stdout)
	}
	e, err := engineNamed(s.Engine)
	if err != nil {
		return scenario.Result{}, err
	}
	return scenario.Run(s, e, os.Stdin, os.Stdout)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchmark:", err)
		os.Exit(1)
	}
	os.Exit(0)
}
