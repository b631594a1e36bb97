package e2e

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// keptSpan is what the test wants to know of a span in the trace files.
type keptSpan struct {
	name, service string
	parent        pcommon.SpanID
}

// keptTraces reads the trace files: each trace in them must be whole, and every trace that failed or was slow in them.
func keptTraces(t *testing.T, s *stack, tr *traffic) {
	var traces map[string]map[pcommon.SpanID]keptSpan
	eventually(t, exported, func() error {
		traces = readTraces(t, filepath.Join(s.data, "traces.jsonl"))
		for id, what := range tr.failed {
			if len(traces[id]) == 0 {
				return fmt.Errorf("trace %s of a failed request (%s) was not kept", id, what)
			}
		}
		for id, what := range tr.slow {
			if len(traces[id]) == 0 {
				return fmt.Errorf("trace %s of a slow request (%s) was not kept", id, what)
			}
		}
		return nil
	})
	for id, spans := range traces {
		roots := 0
		for spanID, span := range spans {
			_, inTrace := spans[span.parent]
			switch {
			case span.parent.IsEmpty() || tr.parents[span.parent.String()]:
				roots++
			case !inTrace:
				t.Errorf("trace %s: span %s (%s, %s) has a parent %s that was not kept", id, spanID, span.service, span.name, span.parent)
			}
		}
		if roots != 1 {
			t.Errorf("trace %s has %d roots", id, roots)
		}
	}
	if total := len(tr.failed) + len(tr.slow); len(traces) < total {
		t.Errorf("%d traces kept, %d had to be", len(traces), total)
	}
	longest := 0
	for _, spans := range traces {
		longest = max(longest, len(spans))
	}
	// An order that fails at the payment crosses gateway, checkout, cart and payment.
	if longest < 6 {
		t.Errorf("the longest trace kept has %d spans: context is lost between the services", longest)
	}
}

// readTraces returns the spans of each trace in the file exporter's output; the last line may still be being written.
func readTraces(t *testing.T, path string) map[string]map[pcommon.SpanID]keptSpan {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	traces := map[string]map[pcommon.SpanID]keptSpan{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(lines.Bytes())
		if err != nil {
			continue // a torn last line; the caller reads again
		}
		for _, rs := range td.ResourceSpans().All() {
			service, _ := rs.Resource().Attributes().Get("service.name")
			for _, ss := range rs.ScopeSpans().All() {
				for _, span := range ss.Spans().All() {
					id := span.TraceID().String()
					if traces[id] == nil {
						traces[id] = map[pcommon.SpanID]keptSpan{}
					}
					traces[id][span.SpanID()] = keptSpan{span.Name(), service.Str(), span.ParentSpanID()}
				}
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return traces
}
