package tailsamplingprocessor

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/tailgate-otel/tailgate/internal/probability"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/internal/engine"
)

// What contrib's gate recordpolicy leaves on scopes.
const (
	contribPolicy    = "tailsampling.policy"
	contribComposite = "tailsampling.composite_policy"
	contribCached    = "tailsampling.cached_decision"
)

// What record_decision leaves on root spans.
const (
	attrPolicy      = "tailgate.sampling.policy"
	attrRule        = "tailgate.sampling.rule"
	attrProbability = "tailgate.sampling.probability"
)

func traceID(id [16]byte) zap.Field { return zap.Stringer("trace_id", pcommon.TraceID(id)) }

// mark leaves on the ResourceSpans [begin, end) of td, which are of one trace, why it was kept.
func (s *sender) mark(td ptrace.Traces, begin, end int, d *engine.Decision) {
	recordScopes := gateRecordPolicy.enabled() && (d.Reason != engine.ReasonLate || s.cfg.DecisionCache.SampledCacheSize > 0)
	if !recordScopes && !d.HasTh && !s.cfg.RecordDecision {
		return
	}
	for i := begin; i < end; i++ {
		for _, ss := range td.ResourceSpans().At(i).ScopeSpans().All() {
			if recordScopes {
				markScope(ss.Scope().Attributes(), d)
			}
			for _, span := range ss.Spans().All() {
				if d.HasTh {
					s.markThreshold(span, d)
				}
				if s.cfg.RecordDecision && span.ParentSpanID().IsEmpty() {
					s.markRoot(span.Attributes(), d)
				}
			}
		}
	}
}

func markScope(attrs pcommon.Map, d *engine.Decision) {
	if d.SubPolicy >= 0 && d.Reason != engine.ReasonLate {
		attrs.PutStr(contribComposite, d.Program.SubNames()[d.SubPolicy])
	}
	if d.Policy >= 0 {
		attrs.PutStr(contribPolicy, d.Program.Names()[d.Policy])
	}
	if d.Reason == engine.ReasonLate {
		attrs.PutBool(contribCached, true)
	}
}

func (s *sender) markThreshold(span ptrace.Span, d *engine.Decision) {
	out, changed, err := probability.Rewrite(nil, span.TraceState().AsRaw(), probability.Threshold(d.Threshold))
	if err != nil {
		s.telemetry.unparseable.Add(1)
		return
	}
	if changed {
		span.TraceState().FromRaw(string(out))
	}
}

// markRoot names the rule that kept the trace; or the policy, and of a composite the condition that let it pass.
func (s *sender) markRoot(attrs pcommon.Map, d *engine.Decision) {
	if d.Policy >= 0 {
		if d.Program.IsRule(d.Policy) {
			attrs.PutStr(attrRule, d.Program.Names()[d.Policy])
		} else {
			attrs.PutStr(attrPolicy, d.Program.Names()[d.Policy])
		}
	}
	if d.SubPolicy >= 0 {
		attrs.PutStr(attrRule, d.Program.SubNames()[d.SubPolicy])
	}
	if d.HasTh {
		attrs.PutDouble(attrProbability, probability.Threshold(d.Threshold).Probability())
	}
}
