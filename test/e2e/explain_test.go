package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"testing"
)

// explanation is what the debug endpoint says of a trace.
type explanation struct {
	State       string
	Policy      string
	Explanation string
	CanRescue   bool `json:"can_be_rescued"`
}

// explained asks the debug endpoint about a trace that had to be kept and one that was dropped, and has the dropped one
// brought back.
func explained(t *testing.T, s *stack, tr *traffic) {
	file := filepath.Join(s.data, "traces.jsonl")
	for id, what := range tr.failed {
		if got := s.explain(t, id); got.State != "kept" || got.Policy != "errors" || got.CanRescue {
			t.Fatalf("trace %s (%s): %+v, want it kept by the policy errors", id, what, got)
		}
		break
	}
	kept, dropped := readTraces(t, file), ""
	for id := range tr.fine {
		if len(kept[id]) == 0 {
			dropped = id
			break
		}
	}
	if got := s.explain(t, dropped); got.State != "dropped" || !got.CanRescue {
		t.Fatalf("trace %s (%s): %+v, want it dropped and not gone", dropped, tr.fine[dropped], got)
	}
	resp, err := http.Post(s.debug+"?trace_id="+dropped, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("rescue of %s: %s: %s (%v)", dropped, resp.Status, answer, err)
	}
	eventually(t, exported, func() error {
		if len(readTraces(t, file)[dropped]) == 0 {
			return fmt.Errorf("the rescued trace %s was not written", dropped)
		}
		b := s.spans(t)
		if b.rescued == 0 {
			return fmt.Errorf("no rescued span is counted: %+v", b)
		}
		return b.settled()
	})
	if got := s.explain(t, dropped); got.State != "kept" {
		t.Errorf("rescued trace %s: %+v", dropped, got)
	}
	// The files must hold whole traces still, the rescued one too.
	keptTraces(t, s, tr)
}

func (s *stack) explain(t *testing.T, id string) explanation {
	t.Helper()
	resp, err := http.Get(s.debug + "?trace_id=" + id)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ Trace explanation }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatalf("explain %s: %s: %v", id, resp.Status, err)
	}
	return answer.Trace
}
