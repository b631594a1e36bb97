package defs

import (
	"github.com/tailgate-otel/tailgate/dashboards/query"
	"github.com/tailgate-otel/tailgate/telemetry"
)

// spanBalance does the sum received + recovered + rescued = kept + dropped + failed + held for the spans of the tail
// sampler. It counts all seven at one moment, so the sum holds at every point and not only in the long run.
type spanBalance struct{ scope query.Scope }

// account reads one side of the balance: query.Scope.Rate for spans per second, query.Scope.Total for all so far.
type account func(m telemetry.Metric, where ...query.Where) query.Expr

// in is what the sampler has to decide about: what came in, and what came back from storage or from the dropped.
func (b spanBalance) in(read account, by ...string) query.Expr {
	return b.counted(read, telemetry.SamplingSpansReceived, by).Plus(b.back(read, by...))
}

func (b spanBalance) back(read account, by ...string) query.Expr {
	return b.counted(read, telemetry.SamplingSpansRecovered, by).Plus(b.counted(read, telemetry.SamplingSpansRescued, by))
}

func (b spanBalance) kept(read account, by ...string) query.Expr {
	return b.counted(read, telemetry.SamplingSpansKept, by)
}

func (b spanBalance) dropped(read account, by ...string) query.Expr {
	return b.counted(read, telemetry.SamplingSpansDropped, by)
}

func (b spanBalance) failed(read account, by ...string) query.Expr {
	return b.counted(read, telemetry.SamplingSpansFailed, by)
}

// held is the number of spans that wait for a decision, or for the next consumer.
func (b spanBalance) held(by ...string) query.Expr {
	return b.scope.Value(telemetry.SamplingSpansHeld).SumBy(by...).OrZeroOf(b.alive(by))
}

// unexplained is by how many spans the sum fails, done per instance, so that one that has just stopped or started is in
// none or in all of the terms, and so that too many here never make up for too few there.
func (b spanBalance) unexplained() query.Expr {
	by, total := query.LabelInstance, b.scope.Total
	out := b.kept(total, by).Plus(b.dropped(total, by)).Plus(b.failed(total, by)).Plus(b.held(by))
	return b.in(total, by).Minus(out).Abs().Sum()
}

// counted reads a counter that is 0, and not absent, before its first span.
func (b spanBalance) counted(read account, m telemetry.Metric, by []string) query.Expr {
	return read(m).SumBy(by...).OrZeroOf(b.alive(by))
}

// alive is there as long as the sampler is.
func (b spanBalance) alive(by []string) query.Expr {
	return b.scope.Value(telemetry.SamplingTracesOpen).SumBy(by...)
}
