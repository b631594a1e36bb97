// Package families remembers type, help and unit of each metric family that was written to the store. Prometheus keeps
// these per scrape target; pushed metrics have no target, so a stock server answers /api/v1/metadata with nothing for
// them. A Table stands in for the target.
//
// It starts no goroutine and is safe for concurrent use. It is bounded in bytes: when full, families that are already
// known are still updated, new ones are refused and counted. Nothing is forgotten before the process ends; after a
// restart the next export fills it again.
package families

import (
	"strings"
	"sync"

	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/scrape"
)

// entryOverhead is what a family costs besides its strings: 4 string headers of 16 bytes and about 48 bytes of map.
const entryOverhead = 112

// Table maps a metric family to its metadata. It implements scrape.MetricMetadataStore.
type Table struct {
	limitBytes int64

	mu      sync.RWMutex // guards the fields below
	byName  map[string]metadata.Metadata
	bytes   int64
	refused uint64
}

var _ scrape.MetricMetadataStore = (*Table)(nil)

// NewTable returns an empty table that holds at most limitBytes.
func NewTable(limitBytes int64) *Table {
	return &Table{limitBytes: limitBytes, byName: map[string]metadata.Metadata{}}
}

// Record stores the newest metadata of a family. It copies what it keeps: name may be reused by the caller.
func (t *Table) Record(name string, m metadata.Metadata) {
	t.mu.RLock()
	old, known := t.byName[name]
	t.mu.RUnlock()
	if known && old == m {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.record(name, m)
}

// record: mu held.
func (t *Table) record(name string, m metadata.Metadata) {
	old, known := t.byName[name]
	grown := size(name, m)
	if known {
		grown -= size(name, old)
	}
	if grown > 0 && t.bytes+grown > t.limitBytes {
		t.refused++
		return
	}
	t.bytes += grown
	// Cloned, because a help text may be a piece of a whole export request, which it would keep in memory.
	t.byName[strings.Clone(name)] = metadata.Metadata{
		Type: m.Type,
		Unit: strings.Clone(m.Unit),
		Help: strings.Clone(m.Help),
	}
}

func size(name string, m metadata.Metadata) int64 {
	return int64(len(name)+len(m.Help)+len(m.Unit)) + entryOverhead
}

// ListMetadata implements scrape.MetricMetadataStore.
func (t *Table) ListMetadata() []scrape.MetricMetadata {
	t.mu.RLock()
	defer t.mu.RUnlock()
	list := make([]scrape.MetricMetadata, 0, len(t.byName))
	for name, m := range t.byName {
		list = append(list, scraped(name, m))
	}
	return list
}

// GetMetadata implements scrape.MetricMetadataStore.
func (t *Table) GetMetadata(name string) (scrape.MetricMetadata, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	m, ok := t.byName[name]
	return scraped(name, m), ok
}

func scraped(name string, m metadata.Metadata) scrape.MetricMetadata {
	return scrape.MetricMetadata{MetricFamily: name, Type: m.Type, Help: m.Help, Unit: m.Unit}
}

// SizeMetadata implements scrape.MetricMetadataStore: the bytes held, the map's own included.
func (t *Table) SizeMetadata() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return int(t.bytes)
}

// LengthMetadata implements scrape.MetricMetadataStore: the number of families.
func (t *Table) LengthMetadata() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.byName)
}

// Refused is how often a family was not recorded because the table was full.
func (t *Table) Refused() uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.refused
}
