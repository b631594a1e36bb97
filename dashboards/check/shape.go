package check

import (
	"maps"
	"slices"
)

// shape is what is known of the result of an expression without running it.
type shape struct {
	scalar bool
	// open means that anything may be there, after something the rules do not know; then nothing is concluded.
	open   bool
	labels map[string]bool // labels that series of the result may bear
	// kind is nativeSeries or bucketSeries as long as the values are distributions, else gaugeSeries.
	kind seriesKind
	// raw names the counter whose total since the start of its program the value still is.
	raw string
}

func (s shape) has(label string) bool { return s.open || s.labels[label] }

func (s shape) sorted() []string { return slices.Sorted(maps.Keys(s.labels)) }

// without returns the shape with labels taken away.
func (s shape) without(labels ...string) shape {
	s.labels = maps.Clone(s.labels)
	for _, l := range labels {
		delete(s.labels, l)
	}
	return s
}

// with returns the shape with labels added.
func (s shape) with(labels ...string) shape {
	s.labels = maps.Clone(s.labels)
	if s.labels == nil {
		s.labels = map[string]bool{}
	}
	for _, l := range labels {
		s.labels[l] = true
	}
	return s
}

// number returns the shape of plain values that no longer are a counter's total or a distribution.
func (s shape) number() shape {
	s.kind, s.raw = gaugeSeries, ""
	return s
}

// sameLabels ignores the metric's name, which operators drop.
func sameLabels(a, b shape) bool {
	return a.open || b.open || maps.Equal(a.without(labelName).labels, b.without(labelName).labels)
}
