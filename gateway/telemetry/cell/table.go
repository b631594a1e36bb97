package cell

import (
	"maps"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
)

// DefaultLimit is how many combinations a Table knows: that of OpenTelemetry's SDK. 2,000 combinations with three busy
// histograms each are 60 MB, so it is a bound against accidents and not a size to plan for.
const DefaultLimit = 2000

// Table finds what is recorded into for a combination of attributes. K holds the attributes' values; C is a cell, or a
// struct of the cells of several instruments that share the attributes.
type Table[K comparable, C any] struct {
	limit int
	attrs func(K) []attribute.KeyValue
	build func(attribute.Set) *C

	known atomic.Pointer[map[K]*C] // never changed, only replaced
	mu    sync.Mutex               // held to replace known and set overflow
	over  *C
}

// NewTable returns a table. attrs turns a key into attributes, build makes what belongs to an attribute set; both are
// called once per combination. limit 0 stands for DefaultLimit.
func NewTable[K comparable, C any](limit int, attrs func(K) []attribute.KeyValue, build func(attribute.Set) *C) *Table[K, C] {
	if limit <= 0 {
		limit = DefaultLimit
	}
	t := &Table[K, C]{limit: limit, attrs: attrs, build: build}
	t.known.Store(&map[K]*C{})
	return t
}

// Get returns what belongs to key. For a known key it costs a map look-up, 60 ns for six attributes, and allocates nothing.
// The first limit-1 keys are known for ever; all others share what belongs to otel.metric.overflow.
func (t *Table[K, C]) Get(key K) *C {
	if c, ok := (*t.known.Load())[key]; ok {
		return c
	}
	return t.learn(key)
}

// learn copies the map: 2,000 combinations that turn up one by one copy 2 million entries in a program's life, and every
// look-up is free of locks for it.
func (t *Table[K, C]) learn(key K) *C {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := *t.known.Load()
	if c, ok := old[key]; ok {
		return c
	}
	if len(old) >= t.limit-1 {
		if t.over == nil {
			t.over = t.build(attribute.NewSet(attribute.Bool("otel.metric.overflow", true)))
		}
		return t.over
	}
	c := t.build(attribute.NewSet(t.attrs(key)...))
	grown := maps.Clone(old)
	grown[key] = c
	t.known.Store(&grown)
	return c
}
