package policy

import (
	"context"
	"fmt"
	"sync"

	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor/pkg/samplingpolicy"
)

// external asks an evaluator that an extension provides. Evaluators are promised one caller at a time. They see a copy of
// the spans: what they change in it does not leave with the trace.
type external struct {
	id string

	mu        sync.Mutex // guards the evaluator's state
	evaluator samplingpolicy.ThresholdEvaluator
}

func (e *external) eval(ev *evaluation) answer {
	data := &samplingpolicy.TraceData{
		SpanCount:       int64(ev.trace.Facts.Spans),
		SizeBytes:       ev.trace.Facts.Bytes,
		ReceivedBatches: ev.decode(),
	}
	e.mu.Lock()
	decision, th, err := e.evaluator.EvaluateWithThreshold(context.Background(), ev.trace.ID, data)
	e.mu.Unlock()
	if err != nil {
		return answer{vote: failed, err: err}
	}
	vote, ok := votesOf[decision]
	if !ok {
		return answer{vote: failed, err: fmt.Errorf("extension %s: decided %q, which is no decision", e.id, decision)}
	}
	return answer{vote: vote, threshold: th.Unsigned()}
}

var votesOf = map[samplingpolicy.Decision]vote{
	samplingpolicy.Sampled:          yes,
	samplingpolicy.NotSampled:       no,
	samplingpolicy.Dropped:          drop,
	samplingpolicy.InvertSampled:    invertedYes, //nolint:staticcheck // SA1019: an extension may still return it
	samplingpolicy.InvertNotSampled: invertedNo,  //nolint:staticcheck // SA1019: an extension may still return it
}

func (*external) possible(*Trace) votes { return mayYes | mayNo | mayFail | mayOther }
func (*external) exact() bool           { return false }
