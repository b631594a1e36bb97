package cell

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/tailgate-otel/tailgate/telemetry"
)

// Registry holds the instruments of one scope. It is safe for concurrent use.
type Registry struct {
	scope instrumentation.Scope
	now   func() time.Time

	mu          sync.Mutex // guards instruments
	instruments []instrument
}

var _ sdkmetric.Producer = (*Registry)(nil)

// instrument is one metric with its cells.
type instrument interface {
	// collect returns the metric at the time now, and whether it has data.
	collect(now time.Time) (metricdata.Metrics, bool)
}

// NewRegistry returns a registry; now is time.Now but in tests.
func NewRegistry(scope instrumentation.Scope, now func() time.Time) *Registry {
	return &Registry{scope: scope, now: now}
}

// Produce returns all instruments that have measured anything, in the order in which they were made.
func (r *Registry) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	r.mu.Lock()
	instruments := slices.Clone(r.instruments)
	r.mu.Unlock()
	sm := metricdata.ScopeMetrics{Scope: r.scope}
	now := r.now()
	for _, i := range instruments {
		if m, ok := i.collect(now); ok {
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

// cells are the cells of one instrument, one per attribute set.
type cells[C any] struct {
	metric telemetry.Metric
	start  time.Time
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

func (c *cells[C]) describe(data metricdata.Aggregation) metricdata.Metrics {
	return metricdata.Metrics{Name: c.metric.Name, Description: c.metric.Description, Unit: c.metric.Unit, Data: data}
}

// wrongKind is a mistake of the program, not of its user, and of the kind that no test of the caller can miss.
func wrongKind(m telemetry.Metric, made string) string {
	return fmt.Sprintf("cell: the contract says that %s is a %s, not %s", m.Name, m.Kind, made)
}
