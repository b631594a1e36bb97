package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tailgate-otel/tailgate/internal/testkit/report"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/measure"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/payload"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/ways"
)

// largest is 200k series. It is measured once, with classic histograms only: its table shows whether a sample costs more
// where there are more series, and takes as long as all others.
const largest = 400

// A cell is one thing measured.
type cell struct {
	instances int
	kind      payload.Kind
	way       string
}

// A bench runs a plan and collects results.
type bench struct {
	opts    options
	measure func(measure.Spec) (measure.Result, error)
	log     io.Writer // progress
	results map[cell][]measure.Result
	failed  map[cell]error // the first error; such a cell has no figures
	weights weights
}

func newBench(o options) *bench {
	return &bench{
		opts: o, measure: o.inChild, log: os.Stdout,
		results: map[cell][]measure.Result{}, failed: map[cell]error{},
	}
}

// run measures everything, a, b, a, b, … so that what disturbs the machine for a while disturbs all. What fails is left
// out of the further runs and reported at the end.
func (b *bench) run() error {
	for _, name := range b.opts.ways {
		if _, err := ways.Named(name); err != nil {
			return fmt.Errorf("-ways: %w", err)
		}
	}
	for _, instances := range b.opts.instances {
		for _, kind := range b.kindsAt(instances) {
			for run := range b.runsAt(instances) {
				for _, way := range b.waysFor(kind) {
					b.once(run, cell{instances, kind, way.Name}, way.Scraped)
				}
			}
		}
	}
	var errs []error
	for c, err := range b.failed {
		errs = append(errs, fmt.Errorf("%d instances, %s, %s: %w", c.instances, c.kind, c.way, err))
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

func (b *bench) kindsAt(instances int) []payload.Kind {
	if instances >= largest {
		return []payload.Kind{payload.Classic}
	}
	return b.opts.kinds
}

func (b *bench) runsAt(instances int) int {
	if instances >= largest {
		return 1
	}
	return b.opts.runs
}

func (b *bench) waysFor(kind payload.Kind) []ways.Way {
	return slices.DeleteFunc(ways.All(), func(w ways.Way) bool {
		chosen := len(b.opts.ways) == 0 || slices.Contains(b.opts.ways, w.Name)
		return !chosen || !slices.Contains(w.Kinds, kind)
	})
}

// attempts is how often a page is measured until the server's beat was met. On a machine that does much else it is missed
// now and then, which says nothing about the way. Of what is pushed, one sample too few is a failure at once.
const attempts = 3

// once measures, says so, and remembers.
func (b *bench) once(run int, c cell, scraped bool) {
	if b.failed[c] != nil {
		return
	}
	var result measure.Result
	var err error
	for attempt := range attempts {
		start := time.Now()
		result, err = b.measure(b.spec(c, scraped))
		prefix := fmt.Sprintf("run %d %4d instances %-11s %-18s %5.1fs", run+1, c.instances, c.kind, c.way, time.Since(start).Seconds())
		if err == nil {
			fmt.Fprintf(b.log, "%s %6.0f + %5.0f ns/sample, %s samples, %.3f allocations, %d of %d exemplars\n", prefix,
				collector(result), server(result), report.Number(float64(result.Samples)), allocations(result), result.Exemplars, result.Exported)
			b.results[c] = append(b.results[c], result)
			return
		}
		fmt.Fprintf(b.log, "%s FAILED: %v\n", prefix, err)
		if !scraped || attempt == attempts-1 {
			break
		}
	}
	b.failed[c] = err
	delete(b.results, c)
}

// spec chooses how much is exported. A million classic samples take the cheapest way 0.2 s of CPU, twenty ticks of the clock
// by which another process is read. 400 exports are 1.7 hours of data, far from the 3 at which a head is compacted.
func (b *bench) spec(c cell, scraped bool) measure.Spec {
	s := measure.Spec{Way: c.way, Kind: c.kind, Instances: c.instances, Warm: 4}
	switch {
	case scraped:
		// Contrib's exporter and the server need 10 µs per sample, 5 ms per instance and scrape, and a quarter of the
		// interval must be enough on a machine that does something else as well.
		s.ScrapeEvery = time.Duration(max(c.instances, 10)) * 40 * time.Millisecond
		s.Warm, s.Exports = 2, clamp(1000/c.instances, 5, 40)
	case c.kind == payload.Classic:
		s.Exports = clamp(4000/c.instances, 10, 200)
	default: // a quarter of the samples
		s.Exports = clamp(8000/c.instances, 10, 400)
	}
	s.Exports = max(2, s.Exports*b.opts.share/100)
	return s
}

func clamp(n, least, most int) int { return min(max(n, least), most) }

func perSample(d time.Duration, r measure.Result) float64 {
	return float64(d.Nanoseconds()) / float64(r.Samples)
}
