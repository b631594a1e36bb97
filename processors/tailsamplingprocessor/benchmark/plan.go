package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/refinery"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/rig"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/scenario"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/traffic"
)

const (
	// forever outlasts every filling; nothing is decided before the sampler is shut down.
	forever = time.Hour
	// senders are the connections of the paced measurements.
	senders = 4
	// settle is what a sampler gets beyond its wait until decisions come steadily: contrib decides on the second of its
	// ticks, one a second, after the wait at the latest.
	settle = 2 * time.Second
	// httpWait is the decision wait behind the receiver.
	httpWait = 2 * time.Second
	// tooLate is the lateness of the last requests from which a rate counts as not held: three times the longest tick
	// seen of contrib at 100,000 open traces, so that one pause at the end is no overload.
	tooLate = 500 * time.Millisecond
	// largest is the size from which one run must do: contrib alone takes minutes.
	largest = 300_000
)

// A cell is one thing measured of one engine.
type cell struct {
	kind       scenario.Kind
	unrepeated bool
	open       int
	engine     string
}

// A bench runs a plan and collects figures.
type bench struct {
	opts     options
	samplers []string
	measure  func(scenario.Spec) (scenario.Result, error)
	log      io.Writer // progress
	results  map[cell][]scenario.Figures
	kept     []keptSet
	speed    map[string]float64 // spans per second of one core, as last measured
	paced    int                // the rate that every engine held
}

// A keptSet is what an engine kept of the spans of a spec.
type keptSet struct {
	spec scenario.Spec
	kept rig.Kept
}

func newBench(o options) *bench {
	return &bench{
		opts:     o,
		samplers: strings.Split(o.engines, ","),
		measure:  launcher{o.refinery}.measure,
		log:      os.Stdout,
		results:  map[cell][]scenario.Figures{},
		// First guesses, to choose the first decision waits with.
		speed: map[string]float64{engineNone: 600_000, engineContrib: 120_000, engineOurs: 350_000},
		paced: o.rate,
	}
}

// run measures everything.
func (b *bench) run() error {
	for _, e := range b.samplers {
		if _, err := engineNamed(e); err != nil {
			return err
		}
	}
	smallest, all := b.opts.open[0], append([]string{engineNone}, b.samplers...)
	steps := []func() error{func() error { return b.closed(smallest, false, all) }}
	if !b.opts.rough {
		steps = append(steps, func() error { return b.closed(smallest, true, all) })
	}
	for _, open := range b.opts.open {
		if open != smallest {
			steps = append(steps, func() error { return b.closed(open, false, b.samplers) })
		}
		steps = append(steps, func() error { return b.hold(open, false) })
		if open < largest {
			steps = append(steps, func() error { return b.hold(open, true) })
		}
	}
	for _, step := range append(steps, b.atSteadyRate, b.overHTTP, b.besideRefinery) {
		if err := step(); err != nil {
			return err
		}
	}
	return b.sameSpansKept()
}

// closed chooses each engine's wait so that about as many traces are open: as many as come in during the wait at the
// engine's own speed. All engines get the same number of spans, enough for the slowest decision to become due.
func (b *bench) closed(open int, unrepeated bool, engines []string) error {
	waits, warm := map[string]time.Duration{}, 0.0
	for _, e := range engines {
		seconds := max(1, math.Round(float64(open)*traffic.SpansPerTrace/b.speed[e]))
		waits[e] = time.Duration(seconds) * time.Second
		if e != engineNone {
			warm = max(warm, (seconds+1)*b.speed[e])
		}
	}
	return b.interleave(open, engines, func(e string) scenario.Spec {
		return scenario.Spec{
			Kind: scenario.Closed, Engine: e, Seed: b.opts.seed, Unrepeated: unrepeated,
			Wait: waits[e], Open: max(open, int((waits[e]+settle).Seconds()*b.speed[e]/traffic.SpansPerTrace)),
			Warm: requests(warm), Measured: requests(float64(b.opts.measured)),
		}
	})
}

func (b *bench) hold(open int, unrepeated bool) error {
	return b.interleave(open, b.samplers, func(e string) scenario.Spec {
		return scenario.Spec{
			Kind: scenario.Hold, Engine: e, Seed: b.opts.seed, Unrepeated: unrepeated,
			Wait: forever, Open: open, Measured: requests(float64(open) * traffic.SpansPerTrace),
		}
	})
}

// interleave runs a, b, a, b, … so that what disturbs the machine for a while disturbs all.
func (b *bench) interleave(open int, engines []string, spec func(engine string) scenario.Spec) error {
	runs := b.opts.runs
	if open >= largest {
		runs = 1
	}
	for run := range runs {
		for _, e := range engines {
			if _, err := b.once(run, open, spec(e)); err != nil {
				return err
			}
		}
	}
	return nil
}

// once measures, says so, and remembers.
func (b *bench) once(run, open int, s scenario.Spec) (scenario.Figures, error) {
	start := time.Now()
	result, err := b.measure(s)
	if err != nil {
		return nil, err
	}
	f := result.Figures
	c := cell{s.Kind, s.Unrepeated, open, s.Engine}
	b.results[c] = append(b.results[c], f)
	if s.Engine != engineNone {
		b.kept = append(b.kept, keptSet{s, result.Kept})
	}
	if speed, ok := f[scenario.SpansPerSec]; ok {
		b.speed[s.Engine] = speed
		f[openTraces] = speed * s.Wait.Seconds() / traffic.SpansPerTrace
	}
	b.progress(run, c, f, time.Since(start))
	return f, nil
}

// openTraces is a figure of the closed loop: how many traces were open at the speed that came out.
const openTraces = "open_traces"

// atSteadyRate starts at the rate asked for and takes a lower one, for all engines, when one cannot hold it.
func (b *bench) atSteadyRate() error {
	for {
		held, err := b.pacedAt(b.paced)
		if held || err != nil {
			return err
		}
		lower := b.paced * 7 / 10
		fmt.Fprintf(b.log, "%d spans/s are too many for this machine as loaded: again with %d\n", b.paced, lower)
		if b.paced = lower; b.paced < 1000 {
			return errors.New("the machine cannot hold 1000 spans/s: end what else runs on it")
		}
	}
}

// pacedAt measures all runs at a rate; held is false as soon as an engine falls behind, and the figures are void.
func (b *bench) pacedAt(rate int) (held bool, err error) {
	open := b.opts.pacedOpen
	wait := time.Duration(math.Ceil(float64(open)*traffic.SpansPerTrace/float64(rate))) * time.Second
	keptBefore := len(b.kept)
	for run := range b.opts.runs {
		for _, e := range b.samplers {
			f, err := b.once(run, open, b.steady(scenario.Paced, e, rate, wait, open))
			if err != nil {
				return false, err
			}
			if f[scenario.Late] > float64(tooLate.Milliseconds()) {
				for _, e := range b.samplers {
					delete(b.results, cell{scenario.Paced, false, open, e})
				}
				b.kept = b.kept[:keptBefore]
				return false, nil
			}
		}
	}
	return true, nil
}

func (b *bench) overHTTP() error {
	return b.served(scenario.HTTP, append([]string{engineNone}, b.samplers...))
}

// besideRefinery measures all as what Refinery is: a program that takes spans over HTTP and sends on what it keeps.
func (b *bench) besideRefinery() error {
	if b.opts.refinery == "" {
		return nil
	}
	return b.served(scenario.Proxy, append(slices.Clone(b.samplers), engineRefinery))
}

func (b *bench) served(kind scenario.Kind, engines []string) error {
	// With settle, as in the closed loop: on a busy machine contrib decides as late as that, and would drop the oldest
	// traces of a smaller table undecided.
	open := int(float64(b.opts.httpRate) * (httpWait + settle).Seconds() / traffic.SpansPerTrace)
	return b.interleave(0, engines, func(e string) scenario.Spec {
		return b.steady(kind, e, b.opts.httpRate, httpWait, open)
	})
}

func (b *bench) steady(kind scenario.Kind, engine string, rate int, wait time.Duration, open int) scenario.Spec {
	warm := requests(float64(rate) * (wait + settle).Seconds())
	measured := requests(float64(rate) * b.opts.seconds.Seconds())
	// Up to a whole round, so that every trace gets its root: Refinery would wait a minute for those that do not.
	const round = scenario.RequestsPerRound
	measured += round - 1 - (warm+measured-1)%round
	return scenario.Spec{
		Kind: kind, Engine: engine, Seed: b.opts.seed, Wait: wait, Open: open, Rate: rate, Senders: senders,
		Warm: warm, Measured: measured,
	}
}

func requests(spans float64) int { return int(math.Ceil(spans / traffic.SpansPerRequest)) }

// sameSpansKept compares what was kept of equal traffic, by all engines and in all runs. Refinery draws by random number,
// so that only the number of its traces can be compared.
func (b *bench) sameSpansKept() error {
	first := map[scenario.Spec]keptSet{}
	var errs []error
	for _, k := range b.kept {
		f, seen := first[k.sent()]
		switch {
		case !seen:
			first[k.sent()] = k
		case k.spec.Engine == engineRefinery && k.near(f):
		case f.kept != k.kept:
			errs = append(errs, fmt.Errorf("%s: %s kept %d traces of %d spans, %s kept %d of %d, of the same traffic (%+v)",
				k.spec.Kind, f.spec.Engine, f.kept.Traces, f.kept.Spans, k.spec.Engine, k.kept.Traces, k.kept.Spans, k.sent()))
		}
	}
	return errors.Join(errs...)
}

// sent is what decides the traffic of a spec.
func (k keptSet) sent() scenario.Spec {
	sent := k.spec
	sent.Engine, sent.Wait, sent.Open = "", 0, 0
	return sent
}

// traces is about how many were sent.
func (k keptSet) traces() float64 {
	return float64((k.spec.Warm+k.spec.Measured)*traffic.SpansPerRequest) / traffic.SpansPerTrace
}

// tolerance is how many kept traces two draws of the same share may differ by. Each of n traces is drawn with p = 1/50, of
// which the standard deviation is sqrt(n p (1-p)), and sqrt 2 of it for the difference of two draws. Beyond five
// deviations chance is one in two million: 317 of 6,000 kept traces at the usual rate and time.
func (k keptSet) tolerance() float64 {
	const p = 1.0 / refinery.Drawn
	return 5 * math.Sqrt(2*k.traces()*p*(1-p))
}

// near says whether the draw explains the difference.
func (k keptSet) near(other keptSet) bool {
	return math.Abs(float64(k.kept.Traces)-float64(other.kept.Traces)) <= k.tolerance()
}
