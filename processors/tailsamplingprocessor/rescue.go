package tailsamplingprocessor

import (
	"sort"

	"github.com/tailgate-otel/tailgate/internal/tracelog"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/internal/engine"
)

// rescued returns all records of a trace that the log holds up to the decision to keep it after all: those that came
// late, and those that it left when it was dropped. Later ones follow with decisions of their own.
func (s *sender) rescued(view tracelog.View, d *engine.Decision) []tracelog.Pos {
	found := view.Find(d.ID)
	found = found[:sort.Search(len(found), func(i int) bool { return found[i] > d.Head })]
	if back := len(found) - int(d.Spans); back > 0 {
		s.lane.rescued.Add(uint64(back))
	}
	return found
}
