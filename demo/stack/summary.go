package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Summary is what the end of a run tells.
type Summary struct {
	Ran      time.Duration
	Snapshot Snapshot
	Panels   *Panels // nil: not checked
	Losses   []string
	Peaks    []ChildMemory
	Data     string // the data directory
	// Problems make the run a failure.
	Problems []string
}

// judge adds the problems that the numbers show.
func (s *Summary) judge(traffic bool) {
	switch b := s.Snapshot.Spans; {
	case !b.Balanced():
		s.Problems = append(s.Problems, "the spans do not balance")
	case traffic && b.In == 0:
		s.Problems = append(s.Problems, "no span arrived at the collector")
	}
	if traffic && s.Snapshot.Requests == 0 {
		s.Problems = append(s.Problems, "no request shows in the metrics of the gateway")
	}
}

// String is the summary for a reader.
func (s *Summary) String() string {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "\nRan for %s\n", age(s.Ran))
	n := s.Snapshot
	row("requests", "%s through the gateway, %s of them failed with 5xx (%s)", thousands(n.Requests), thousands(n.Errors), percent(n.Errors, n.Requests))
	row("spans", "%s", n.Spans)
	row("traces", "%s kept, %s dropped", thousands(n.TracesKept), thousands(n.TracesDropped))
	row("samples", "%s stored, %s series", thousands(n.Samples), thousands(n.Series))
	if s.Panels != nil {
		row("panels", "%d with data, %d without", s.Panels.WithData, s.Panels.Panels-s.Panels.WithData)
		for _, e := range s.Panels.Empty {
			row("", "no data: %s / %s: %s", e.Dashboard, e.Panel, e.Reason)
		}
	}
	losses := "nothing"
	if len(s.Losses) > 0 {
		losses = strings.Join(s.Losses, ", ")
	}
	row("lost", "%s", losses)
	row("peak memory", "%s", Status{Memory: s.Peaks}.memory())
	row("kept traces", "%s", keptTraces(s.Data))
	for _, p := range s.Problems {
		row("PROBLEM", "%s", p)
	}
	return b.String()
}

// keptTraces says where the traces are and how much there is; traces.jsonl is rotated to traces-<time>.jsonl.
func keptTraces(data string) string {
	files, err := filepath.Glob(filepath.Join(data, "traces*.jsonl"))
	if err != nil || len(files) == 0 {
		return "none in " + data
	}
	var size int64
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			size += info.Size()
		}
	}
	return fmt.Sprintf("%s (files: %d, %.1f MiB with those of earlier runs; OTLP JSON, one request a line)",
		filepath.Join(data, "traces*.jsonl"), len(files), float64(size)/(1<<20))
}
