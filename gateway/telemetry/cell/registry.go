package cell

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/tailgate-otel/tailgate/telemetry"
)

// Registry holds the instruments of one scope. It is safe for concurrent use.
type Registry struct {
	scope       instrumentation.Scope
	temporality metricdata.Temporality
	now         func() time.Time

	collecting sync.Mutex // one collection at a time; taken before mu

	mu          sync.Mutex // guards instruments
	instruments []instrument
}

var _ sdkmetric.Producer = (*Registry)(nil)

// instrument is one metric with its cells.
type instrument interface {
	// collect returns the metric as r reads it, and whether it has data.
	collect(r reader) (metricdata.Metrics, bool)
}

// NewRegistry returns a registry. temporality is what its one reader wants of counters and histograms; the SDK does not
// tell producers. Anything but delta means cumulative. now is time.Now but in tests.
func NewRegistry(scope instrumentation.Scope, temporality metricdata.Temporality, now func() time.Time) *Registry {
	if temporality != metricdata.DeltaTemporality {
		temporality = metricdata.CumulativeTemporality
	}
	return &Registry{scope: scope, temporality: temporality, now: now}
}

// Produce returns all instruments that have measured anything, in the order in which they were made.
func (r *Registry) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	r.collecting.Lock()
	defer r.collecting.Unlock()
	r.mu.Lock()
	instruments := slices.Clone(r.instruments)
	r.mu.Unlock()
	sm := metricdata.ScopeMetrics{Scope: r.scope}
	read := reader{temporality: r.temporality, now: r.now()}
	for _, i := range instruments {
		if m, ok := i.collect(read); ok {
			sm.Metrics = append(sm.Metrics, m)
		}
	}
	if len(sm.Metrics) == 0 {
		return nil, nil
	}
	return []metricdata.ScopeMetrics{sm}, nil
}

func (r *Registry) add(i instrument) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.instruments = append(r.instruments, i)
}

// reader reads the numbers of one collection. Where only what is new is wanted, it takes away what it read, so that each
// addition is in exactly one collection.
type reader struct {
	temporality metricdata.Temporality
	now         time.Time
}

func (r reader) delta() bool { return r.temporality == metricdata.DeltaTemporality }

func (r reader) count(n *atomic.Uint64) uint64 {
	if r.delta() {
		return n.Swap(0)
	}
	return n.Load()
}

// number reads n, whose value before anything is measured is empty.
func (r reader) number(n *atomic.Int64, empty int64) int64 {
	if r.delta() {
		return n.Swap(empty)
	}
	return n.Load()
}

// cells are the cells of one instrument, one per attribute set.
type cells[C any] struct {
	metric telemetry.Metric
	start  time.Time // of the interval that the next collection covers; only collect reads and writes it
	make   func(attribute.Set) *C

	mu    sync.Mutex // guards the two below
	bySet map[attribute.Distinct]*C
	all   []*C
}

func newCells[C any](m telemetry.Metric, start time.Time, build func(attribute.Set) *C) cells[C] {
	return cells[C]{metric: m, start: start, make: build, bySet: map[attribute.Distinct]*C{}}
}

// Cell returns the cell of an attribute set, the same for equal sets. It is meant for Table, not for every measurement.
func (c *cells[C]) Cell(set attribute.Set) *C {
	c.mu.Lock()
	defer c.mu.Unlock()
	cell, ok := c.bySet[set.Equivalent()]
	if !ok {
		cell = c.make(set)
		c.bySet[set.Equivalent()] = cell
		c.all = append(c.all, cell)
	}
	return cell
}

func (c *cells[C]) snapshot() []*C {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all)
}

// interval returns the start of what r reads, and begins the next one.
func (c *cells[C]) interval(r reader) time.Time {
	start := c.start
	if r.delta() {
		c.start = r.now
	}
	return start
}

func (c *cells[C]) describe(data metricdata.Aggregation) metricdata.Metrics {
	return metricdata.Metrics{Name: c.metric.Name, Description: c.metric.Description, Unit: c.metric.Unit, Data: data}
}

// wrongKind is a mistake of the program, not of its user, and of the kind that no test of the caller can miss.
func wrongKind(m telemetry.Metric, made string) string {
	return fmt.Sprintf("cell: the contract says that %s is a %s, not %s", m.Name, m.Kind, made)
}
