// Package tracefate lets components of one process ask samplers what became of a trace, and have it kept: whoever shows
// a trace id to somebody, an exemplar for example, makes sure that it leads somewhere.
//
// Processors cannot be found through the host, as extensions can, so that samplers enter themselves in a list of the
// process while they run. The package owns no goroutine; a sampler answers on the caller's.
package tracefate

import (
	"slices"
	"sync"
)

// Fate is what becomes of a trace.
type Fate uint8

// From least to most known.
const (
	Unknown Fate = iota // never seen, or forgotten
	Dropped
	Open // not decided yet
	Kept
)

func (f Fate) String() string { return [...]string{"unknown", "dropped", "open", "kept"}[f] }

// A Sampler decides about traces.
type Sampler interface {
	// Fate says what is known of the trace.
	Fate(id [16]byte) Fate
	// Keep keeps the trace whatever policies say, a dropped one as far as its spans are still there. It reports whether
	// the trace is, or will be, kept.
	Keep(id [16]byte) bool
}

var running struct {
	sync.RWMutex // guards samplers; not held while one is asked
	samplers     []Sampler
}

// Enter puts s on the list until leave is called.
func Enter(s Sampler) (leave func()) {
	running.Lock()
	defer running.Unlock()
	running.samplers = append(slices.Clip(running.samplers), s)
	return func() {
		running.Lock()
		defer running.Unlock()
		if i := slices.Index(running.samplers, s); i >= 0 {
			running.samplers = slices.Delete(slices.Clone(running.samplers), i, i+1)
		}
	}
}

func samplers() []Sampler {
	running.RLock()
	defer running.RUnlock()
	return running.samplers
}

// Of returns the most that any sampler knows of the trace.
func Of(id [16]byte) Fate {
	fate := Unknown
	for _, s := range samplers() {
		fate = max(fate, s.Fate(id))
	}
	return fate
}

// Keep asks all samplers that have seen the trace to keep it and reports whether one does.
func Keep(id [16]byte) bool {
	kept := false
	for _, s := range samplers() {
		if s.Keep(id) {
			kept = true
		}
	}
	return kept
}
