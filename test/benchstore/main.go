// Program benchstore measures what it costs to bring OTLP metrics into a Prometheus: into the embedded one, and by the
// ways that there were before, into a stock server beside the collector. It counts the CPU of both processes, per sample
// stored, in the same run and for the same payload, and writes the comparison into docs/benchmarks.md.
//
// Every measurement runs in a child process of its own (this program, started again), which plays the collector and, if
// need be, starts a stock server; ways take turns and the median of the runs counts. A measurement after which the
// database does not hold exactly what was exported has no figures, and fails the run.
//
// The stock server is what PROMETHEUS names, or what `make test-peers` has installed.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/tailgate-otel/tailgate/test/benchstore/internal/measure"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/payload"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/stock"
)

// options are what the user chose.
type options struct {
	runs      int
	instances []int // sizes, in instances of 498 classic series
	kinds     []payload.Kind
	ways      []string // empty: all
	share     int      // of the exports, in percent: 100 unless -quick
	footprint bool
	dir       string
	out       string

	prometheus string // path of the stock server
	version    string // what it says of itself
}

func main() {
	child := flag.String("child", "", "internal: measure what this JSON describes and print the result")
	quick := flag.Bool("quick", false, "a rough look in two minutes: 5k series, one run, a third of the exports; prints only")
	full := flag.Bool("full", false, "measure 200k series too, and build and start a collector with and without the store")
	o := options{share: 100}
	flag.IntVar(&o.runs, "runs", 3, "runs of each measurement; the median counts")
	sizes := flag.String("instances", "10,100", "numbers of instances, of 498 classic series each")
	kinds := flag.String("kinds", "classic,exponential,nhcb", "kinds of histograms")
	only := flag.String("ways", "", "measure these ways only, for example store,otlp-gzip")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "where databases are made, and removed again")
	flag.StringVar(&o.out, "out", "docs/benchmarks.md", "file to write the comparison into besides printing it; empty only prints")
	flag.Parse()

	var err error
	if o.prometheus, err = stock.Binary(); err != nil {
		exit(err)
	}
	if *child != "" {
		exit(runChild(*child, o))
	}
	if o.version, err = stock.Version(o.prometheus); err != nil {
		exit(err)
	}
	if o.instances, err = parseSizes(*sizes); err != nil {
		exit(err)
	}
	for word := range strings.SplitSeq(*kinds, ",") {
		o.kinds = append(o.kinds, payload.Kind(strings.TrimSpace(word)))
	}
	if *only != "" {
		o.ways = strings.Split(*only, ",")
	}
	if *full {
		o.instances, o.footprint = append(o.instances, largest), true
	}
	if *quick {
		o.runs, o.instances, o.share, o.out = 1, []int{10}, 33, ""
	}
	exit(compare(o))
}

func parseSizes(list string) ([]int, error) {
	var sizes []int
	for word := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-instances: %q is not a number of instances; give numbers such as 10,100", word)
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}

// runChild measures and prints the result.
func runChild(spec string, o options) error {
	var s measure.Spec
	if err := json.Unmarshal([]byte(spec), &s); err != nil {
		return fmt.Errorf("-child: %w", err)
	}
	result, err := measure.Run(s, o.prometheus, o.dir)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchstore:", err)
		os.Exit(1)
	}
	os.Exit(0)
}
