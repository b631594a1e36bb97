// Package measure says what one way costs: CPU of this process, which plays the collector, and of the server, per sample
// that was stored in between. Making the payload is taken off by the clock of the thread that makes it.
//
// A measurement is valid only if what was exported is what can be queried afterwards, sample by sample; anything else is
// an error. It runs on the caller's goroutine.
package measure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/tailgate-otel/tailgate/internal/testkit/procstat"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/payload"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/ways"
)

// Spec is one measurement.
type Spec struct {
	Way       string
	Kind      payload.Kind
	Instances int
	Warm      int // exports before: the series are created
	Exports   int
	// ScrapeEvery is the interval of ways that are scraped; a scrape must take less than a quarter of it.
	ScrapeEvery time.Duration
}

// Result is what came out.
type Result struct {
	Collector, Server time.Duration // CPU
	Samples           int           // stored, of the payload: target_info and what a scrape adds are left out
	Exported          int           // exemplars that were exported
	Exemplars         int           // and stored
	Allocations       int           // heap objects of this process, those of the payload left out
	Wall              time.Duration
	CollectorRSS      int64
	ServerRSS         int64
}

// Interval is the time of the data between two exports, which are made as fast as they are taken.
const Interval = 15 * time.Second

// allowed is how long one measurement may take. The slowest way needs half a minute for the largest size.
const allowed = 10 * time.Minute

// Run starts the way, measures and stops it. The stock server's program is at the path; what is stored goes below dir.
func Run(s Spec, prometheus, dir string) (result Result, err error) {
	way, err := ways.Named(s.Way)
	if err != nil {
		return result, err
	}
	r, err := way.Start(ways.Options{Kind: s.Kind, Prometheus: prometheus, Dir: dir, ScrapeEvery: s.ScrapeEvery})
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, r.Stop()) }()
	ctx, cancel := context.WithTimeout(context.Background(), allowed)
	defer cancel()
	m := &measurement{spec: s, running: r}
	if way.Scraped {
		err = m.scraped(ctx)
	} else {
		err = m.pushed(ctx)
	}
	if err != nil {
		return result, fmt.Errorf("%s: %w", s.Way, err)
	}
	return m.result, nil
}

// measurement is one under way.
type measurement struct {
	spec    Spec
	running *ways.Running
	fleet   *payload.Fleet
	making  time.Duration // CPU of the payload
	result  Result

	before reading
	began  time.Time
}

// reading is what had been used and stored at a moment.
type reading struct {
	collector, server, making time.Duration
	mallocs                   uint64
	exemplars                 float64
}

// pushed exports as fast as the way takes it. The data ends now, and is far from the 3 hours after which a database
// compacts its head.
func (m *measurement) pushed(ctx context.Context) error {
	at := time.Now().Truncate(time.Millisecond).Add(-time.Duration(m.spec.Warm+m.spec.Exports) * Interval)
	m.fleet = payload.New(m.spec.Kind, m.spec.Instances, at.Add(-time.Hour))
	push := func(n int) error {
		for range n {
			at = at.Add(Interval)
			if err := m.running.Export(ctx, m.next(at)); err != nil {
				return fmt.Errorf("export: %w", err)
			}
		}
		return m.running.Flush(ctx)
	}
	if err := push(m.spec.Warm); err != nil {
		return err
	}
	from := at
	if err := m.begin(); err != nil {
		return err
	}
	if err := push(m.spec.Exports); err != nil {
		return err
	}
	return m.end(from, at)
}

// next makes an export, at its own expense.
func (m *measurement) next(at time.Time) pmetric.Metrics {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := threadCPU()
	md := m.fleet.Next(at)
	m.making += threadCPU() - before
	return md
}

func (m *measurement) begin() (err error) {
	runtime.GC() // what starting left behind
	m.began = time.Now()
	m.before, err = m.read()
	return err
}

func (m *measurement) read() (r reading, err error) {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	r = reading{making: m.making, mallocs: mem.Mallocs}
	counters, err := m.running.Stored.Counters("prometheus_tsdb_exemplar_exemplars_appended_total")
	if err != nil {
		return r, err
	}
	r.exemplars = counters[0]
	if m.running.Server != nil {
		if r.server, err = m.running.Server.CPU(); err != nil {
			return r, err
		}
	}
	r.collector = procstat.CPU()
	return r, nil
}

// end takes the difference, and checks that what was exported is there.
func (m *measurement) end(from, to time.Time) error {
	wall := time.Since(m.began)
	after, err := m.read()
	if err != nil {
		return err
	}
	s := m.spec
	m.result = Result{
		Collector:   after.collector - m.before.collector - (after.making - m.before.making),
		Server:      after.server - m.before.server,
		Exported:    s.Exports * payload.Exemplars(s.Instances),
		Exemplars:   int(after.exemplars - m.before.exemplars),
		Allocations: int(after.mallocs-m.before.mallocs) - s.Exports*payload.Allocations(s.Instances),
		Wall:        wall,
	}
	if m.result.CollectorRSS, err = procstat.Process(os.Getpid()).RSS(); err != nil {
		return err
	}
	if m.running.Server != nil {
		if m.result.ServerRSS, err = m.running.Server.RSS(); err != nil {
			return err
		}
	}
	if m.result.Samples, err = m.running.Stored.Count(payload.Names(), from, to); err != nil {
		return err
	}
	if want := s.Exports * payload.Samples(s.Kind, s.Instances); m.result.Samples != want {
		return fmt.Errorf("%d exports of %d instances are %d samples, and %d were stored: the figures are void",
			s.Exports, s.Instances, want, m.result.Samples)
	}
	return nil
}
