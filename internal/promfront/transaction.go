package promfront

import (
	"errors"
	"fmt"

	"github.com/prometheus/prometheus/storage"
)

// appender returns the open transaction, or opens one.
func (w *writer) appender() storage.AppenderV2 {
	if w.app == nil {
		w.app = w.front.sink.AppenderV2(w.ctx)
		w.tx = w.front.ids.Add(1)
		w.appended = 0
	}
	return w.app
}

func (w *writer) commit() {
	if w.app == nil {
		return
	}
	err := w.app.Commit()
	w.app = nil
	if err != nil {
		w.err = fmt.Errorf("commit: %w", err)
		w.undo()
	}
	w.reset()
}

// end commits, or rolls back after an error.
func (w *writer) end() {
	if w.err == nil {
		w.commit()
		return
	}
	if w.app != nil {
		if err := w.app.Rollback(); err != nil {
			w.err = errors.Join(w.err, fmt.Errorf("roll back: %w", err))
		}
		w.app = nil
	}
	w.undo()
	w.reset()
}

// touch notes that the start of s changes in this transaction.
func (w *writer) touch(s *stream) {
	w.appender()
	w.started = append(w.started, s)
}

// undo takes back what the failed transaction did to running totals, so that the same points can be written again.
func (w *writer) undo() {
	for _, s := range w.started {
		s.start = 0 // as if it were new: another zero sample does no harm
	}
	for _, t := range w.totals {
		t.undo(w.tx)
	}
	for _, r := range w.replaced {
		r.info.stale, r.replaced = false, false // Sweep will end it
	}
}

func (w *writer) reset() {
	clear(w.started)
	clear(w.totals)
	clear(w.replaced)
	w.started, w.totals, w.replaced = w.started[:0], w.totals[:0], w.replaced[:0]
	w.appended = 0
}
