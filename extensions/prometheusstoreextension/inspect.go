package prometheusstoreextension

import (
	"maps"
	"sync"

	"github.com/tailgate-otel/tailgate/internal/promfront"
)

// pushedWriter is the name under which the page shows what comes to the listener as OTLP.
const pushedWriter = "otlp"

var _ promfront.Inspector = (*store)(nil)

// Inspect implements promfront.Inspector.
func (s *store) Inspect(name string, f *promfront.Front) (stop func()) { return s.writers.add(name, f) }

// writers are the fronts that write into the store, for the page about them. The zero value is empty.
type writers struct {
	mu     sync.Mutex // guards fronts
	fronts map[string]*promfront.Front
}

func (w *writers) add(name string, f *promfront.Front) (remove func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fronts == nil {
		w.fronts = map[string]*promfront.Front{}
	}
	w.fronts[name] = f
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.fronts[name] == f {
			delete(w.fronts, name)
		}
	}
}

func (w *writers) all() map[string]*promfront.Front {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.fronts)
}
