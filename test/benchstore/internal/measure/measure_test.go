package measure

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/internal/testkit/promserver"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/payload"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/ways"
)

// Run fails when one sample is missing, so that this holds for each way: all of a payload arrives. Of exemplars, ours must
// deliver all too.
func TestEveryWayStoresWhatItIsGiven(t *testing.T) {
	prometheus := promserver.Binary(t, "PROMETHEUS")
	own := map[string]bool{ways.Store: true, ways.Write1: true, ways.Write2: true, ways.Page: true, ways.PageRaw: true}
	for _, way := range ways.All() {
		for _, kind := range way.Kinds {
			t.Run(way.Name+"/"+string(kind), func(t *testing.T) {
				spec := Spec{Way: way.Name, Kind: kind, Instances: 2, Warm: 1, Exports: 3, ScrapeEvery: time.Second}
				var r Result
				var err error
				for range 3 { // a busy machine misses the beat of scrapes
					r, err = Run(spec, prometheus, shortDir(t))
					if err == nil || !way.Scraped {
						break
					}
				}
				if err != nil {
					t.Fatal(err)
				}
				if r.Samples != 3*payload.Samples(kind, 2) || r.Exported != 3*payload.Exemplars(2) {
					t.Errorf("%+v", r)
				}
				if own[way.Name] && r.Exemplars != r.Exported {
					t.Errorf("%d of %d exemplars were stored", r.Exemplars, r.Exported)
				}
				inside := way.Name == ways.Store || way.Name == ways.Converter
				if r.Collector <= 0 || r.CollectorRSS <= 0 || inside != (r.ServerRSS == 0) || inside && r.Server != 0 {
					t.Errorf("costs of both processes: %+v", r)
				}
			})
		}
	}
}

// The figures are void when the server does not hold what was exported: here because it is asked for more.
func TestAMissingSampleIsAnError(t *testing.T) {
	way, err := ways.Named(ways.Converter)
	if err != nil {
		t.Fatal(err)
	}
	r, err := way.Start(ways.Options{Kind: payload.Classic, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	}()
	m := &measurement{spec: Spec{Way: ways.Converter, Kind: payload.Classic, Instances: 1, Exports: 2}, running: r}
	if err := m.pushed(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.spec.Exports = 3
	if err := m.end(time.Now().Add(-time.Hour), time.Now()); err == nil || !strings.Contains(err.Error(), "are 1494 samples, and 996 were stored") {
		t.Errorf("%v", err)
	}
}

func TestThreadCPUCountsWork(t *testing.T) {
	before := threadCPU()
	f := payload.New(payload.Classic, 20, time.Now())
	if used := threadCPU() - before; used <= 0 || len(f.Next(time.Now()).ResourceMetrics().At(19).Resource().Attributes().AsRaw()) == 0 {
		t.Errorf("making 20 instances took %s", used)
	}
}

// shortDir is for sockets, whose addresses t.TempDir is too long for.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "b")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
