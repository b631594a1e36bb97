package defs

import (
	"time"

	"github.com/tailgate-otel/tailgate/dashboards/query"
	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/upstream"
)

// Attribute keys of the tail sampling processor.
var (
	keyPolicy   = upstream.AttrPolicy.Key
	keyDecision = upstream.AttrDecision.Key
	keySampled  = upstream.AttrSampled.Key
)

// lastPolicy is the policy that sees exactly the traces that no other kept. With sample_on_first_match the policies are
// asked in order until one keeps the trace, so a trace is dropped when, and only when, the last one says not_sampled;
// counting that one policy counts every dropped trace once. config/quickstart.yaml names its last policy so.
const lastPolicy = "rest"

// decidedWithin is how old a span can be and still wait for its decision with good reason: longer than decision_wait of
// the shipped configurations and two export intervals together. What is older and neither kept nor dropped is lost.
const decidedWithin = time.Minute

// spanBalance does the sum in = kept + dropped + held for spans, from metrics that contrib's processor has. Spans that
// come after the decision are answered by the decision cache and counted there.
type spanBalance struct{ scope query.Scope }

// account reads one side of the balance: query.Scope.Rate for spans per second, query.Scope.Total for all so far.
type account func(m telemetry.Metric, where ...query.Where) query.Expr

func (b spanBalance) received(read account, by ...string) query.Expr {
	return read(upstream.ReceiverAcceptedSpans).SumBy(by...)
}

func (b spanBalance) kept(read account, by ...string) query.Expr {
	return b.decided(read, by, query.Is(keyDecision, "sampled")).Plus(b.late(read, by, "true"))
}

func (b spanBalance) dropped(read account, by ...string) query.Expr {
	rest := b.decided(read, by, query.Is(keyPolicy, lastPolicy), query.Is(keyDecision, "not_sampled"))
	return rest.Plus(b.late(read, by, "false"))
}

// decided counts spans by decision. The processor makes a series with the first such decision only, so that before it
// there is 0, as long as there is any decision at all.
func (b spanBalance) decided(read account, by []string, where ...query.Where) query.Expr {
	m := upstream.TailSamplingCountSpansSampled
	return read(m, where...).SumBy(by...).OrZeroOf(read(m).SumBy(by...))
}

func (b spanBalance) late(read account, by []string, sampled string) query.Expr {
	return read(upstream.TailSamplingEarlyReleases, query.Is(keySampled, sampled)).SumBy(by...).
		OrZeroOf(read(upstream.TailSamplingNewTraceID).SumBy(by...))
}

// held is the number of spans not decided yet, lost ones included.
func (b spanBalance) held() query.Expr {
	return b.rest(b.received(b.scope.Total, query.LabelInstance)).Sum()
}

// unexplained is the number of spans that certainly should have been decided by now and are not. It is a lower bound, as
// spans decided within the last minute stand in for older ones that are lost: a slow leak shows in held first, which then
// climbs at an even load, and here once more is lost than comes in within decidedWithin. The processor's metrics allow no
// closer one without false alarms.
func (b spanBalance) unexplained() query.Expr {
	before := func(m telemetry.Metric, where ...query.Where) query.Expr {
		return b.scope.TotalBefore(m, decidedWithin, where...)
	}
	return b.rest(b.received(before, query.LabelInstance)).Sum().OrZeroWith(b.scope.Total(upstream.ProcessUptime))
}

// rest is what of in is neither kept nor dropped. It is done per instance, so that a program that has just stopped or
// started is in none or in all of the terms.
func (b spanBalance) rest(in query.Expr) query.Expr {
	by := query.LabelInstance
	return in.Minus(b.kept(b.scope.Total, by).Plus(b.dropped(b.scope.Total, by))).AtLeast(0)
}
