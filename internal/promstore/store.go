// Package promstore is the border between a component that owns a Prometheus storage (an extension) and the
// components that write to it (exporters). It holds the interface, the errors that writers branch on and the look-up
// by component id; it opens nothing and starts no goroutine.
//
// Ownership: the extension opens the storage in Start and closes it in Shutdown. The collector starts extensions
// before pipelines and stops them after, so a store that Find returned in an exporter's Start stays usable until that
// exporter's Shutdown has returned. Writers own the appenders they ask for: each ends with exactly one Commit or
// Rollback, and an appender is never shared between goroutines.
//
// Overload: a store has no queue. Append and Commit run on the caller's goroutine and take as long as they take; that
// is the back-pressure.
package promstore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/storage"
	"go.opentelemetry.io/collector/component"
)

// Store is a Prometheus storage that takes samples from other components. It is safe for concurrent use.
//
// Type, help and unit travel with the samples: what a writer puts into AppendV2Options.Metadata and MetricFamilyName
// is what the store's metadata API serves, so there is no second call that could be forgotten or come out of step.
type Store interface {
	// AppenderV2 starts one batch. Besides storage's own errors, Append returns ErrTooFarAhead and ErrNotOpen. The
	// batch counts as a user of the store until Commit or Rollback; Shutdown of the store waits for it.
	storage.AppendableV2

	// LookbackDelta is how far an instant query of this store looks back for a sample. A series that is written more
	// rarely than this has gaps; target_info is repeated at half of it.
	LookbackDelta() time.Duration

	// Bounds are the times outside which the store refuses every sample, as of now. Writers that derive samples from a
	// range of times, as Prometheus' OTLP converter does for target_info, must look first: one point without a time
	// (1970) would make 11 million of them.
	Bounds() (oldest, newest time.Time)
}

var (
	// ErrNotOpen is returned by every call on an appender that was taken before the store started or after it stopped.
	// The samples were not looked at: retry them.
	ErrNotOpen = errors.New("the Prometheus store is not open")

	// ErrTooFarAhead refuses a sample that lies so far in the future that storing it would move the head of the
	// database and make every honest sample too old.
	ErrTooFarAhead = errors.New("sample is too far in the future")
)

// Find returns the store that is configured under id. Its error names the stores that do exist.
func Find(host component.Host, id component.ID) (Store, error) {
	extensions := host.GetExtensions()
	ext, ok := extensions[id]
	if !ok {
		return nil, fmt.Errorf("store: there is no extension %q; %s", id, advice(extensions))
	}
	store, ok := ext.(Store)
	if !ok {
		return nil, fmt.Errorf("store: extension %q is no Prometheus store; %s", id, advice(extensions))
	}
	return store, nil
}

func advice(extensions map[component.ID]component.Component) string {
	var stores []string
	for id, ext := range extensions {
		if _, ok := ext.(Store); ok {
			stores = append(stores, fmt.Sprintf("%q", id))
		}
	}
	if len(stores) == 0 {
		return "configure one (type prometheusstore) under extensions and list it in service::extensions"
	}
	slices.Sort(stores)
	return "did you mean " + strings.Join(stores, " or ") + "?"
}
