package differential

import (
	"context"
	"errors"
	"testing"

	contrib "github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// A harness is worth what it notices. Each breakage wraps contrib's processor and does one thing wrong, only for traces
// whose id ends in a zero bit, so that it is not enough to look at totals.
type breakage struct {
	output  func(ptrace.Traces) // spoils what comes out
	input   func(ptrace.Traces) // spoils what goes in, in a copy
	intake  func(ptrace.Traces) // spoils the caller's data
	counter string              // counts one too many
	refuses bool
	reuses  bool // empties what it has handed on
	want    string
}

var breakages = map[string]breakage{
	"nothing":              {want: ""},
	"a trace is lost":      {want: "trace", output: func(td ptrace.Traces) { removeSpans(td, chosen) }},
	"an arriving trace":    {want: "trace", input: func(td ptrace.Traces) { removeSpans(td, chosen) }},
	"a span is lost":       {want: "span", output: loseOneSpan},
	"a span is doubled":    {want: "span", output: chosenSpans(func(ss ptrace.ScopeSpans, s ptrace.Span) { s.CopyTo(ss.Spans().AppendEmpty()) })},
	"an attribute changes": {want: "span", output: chosenSpans(func(_ ptrace.ScopeSpans, s ptrace.Span) { s.Attributes().PutStr("str", "other") })},
	"attributes swap":      {want: "span", output: swapAttributes},
	"a tracestate changes": {want: "span", output: chosenSpans(func(_ ptrace.ScopeSpans, s ptrace.Span) { s.TraceState().FromRaw(s.TraceState().AsRaw() + " ") })},
	"a time changes":       {want: "span", output: chosenSpans(func(_ ptrace.ScopeSpans, s ptrace.Span) { s.SetEndTimestamp(s.EndTimestamp() ^ 1) })},
	"a scope changes":      {want: "span", output: chosenSpans(func(ss ptrace.ScopeSpans, _ ptrace.Span) { ss.Scope().SetVersion("2") })},
	"a recorded policy":    {want: "span", output: chosenSpans(func(ss ptrace.ScopeSpans, _ ptrace.Span) { ss.Scope().Attributes().PutStr("tailsampling.policy", "p0") })},
	"a resource changes":   {want: "span", output: func(td ptrace.Traces) { td.ResourceSpans().At(0).Resource().SetDroppedAttributesCount(9) }},
	"the input is changed": {want: "fault", intake: func(td ptrace.Traces) {
		chosenSpans(func(_ ptrace.ScopeSpans, s ptrace.Span) { s.SetName("mine now") })(td)
	}},
	"a configuration is bad": {want: "refused", refuses: true},
	"a trace is miscounted":  {want: "metric", counter: "count_traces_sampled"},
	"a new trace is counted": {want: "metric", counter: "new_trace_id_received"},
	"an error is counted":    {want: "metric", counter: "sampling_policy_evaluation_error"},
	"spans are miscounted":   {want: "metric", counter: "count_spans_sampled"},
	"bytes are miscounted":   {want: "metric", counter: "count_bytes_sampled"},
	"a decision is counted":  {want: "metric", counter: "global_count_traces_sampled"},
	"a cache hit is counted": {want: "metric", counter: "early_releases_from_cache_decision"},
	"a large trace":          {want: "metric", counter: "traces_dropped_too_large"},
	"a broken tracestate":    {want: "metric", counter: "count_spans_with_unparseable_tracestate"},
	"memory is used again":   {want: "trace", reuses: true},
}

func TestNoticesEveryBreakage(t *testing.T) {
	reference := contrib.NewFactory()
	for name, b := range breakages {
		t.Run(name, func(t *testing.T) {
			subject := b.wrap(reference)
			for i := range 60 {
				c := seeded(t, uint64(i))
				found := differences(t, reference, subject, c)
				if len(found) == 0 {
					continue
				}
				if b.want == "" {
					t.Fatalf("nothing is broken but %v\n%s", found, c)
				}
				if found[0].kind != b.want {
					t.Fatalf("want a difference of kind %s first, got %v", b.want, found)
				}
				return
			}
			if b.want != "" {
				t.Error("60 cases do not notice it")
			}
		})
	}
}

func TestShrinksToLittle(t *testing.T) {
	reference := contrib.NewFactory()
	subject := breakages["an attribute changes"].wrap(reference)
	for i := range uint64(60) {
		c := seeded(t, i)
		if len(c.requests) < 4 || len(c.policies()) < 2 || len(differences(t, reference, subject, c)) == 0 {
			continue
		}
		small := shrink(c, func(c *testCase) bool { return len(differences(t, reference, subject, c)) > 0 })
		count := 0
		for _, r := range small.requests {
			count += r.traces().SpanCount()
		}
		if err := small.sound(); err != nil || count != 1 || len(small.policies()) != 1 || len(small.config) != 2 {
			t.Errorf("one span and one policy are enough, got %d spans (%v)\n%s", count, err, small)
		}
		if len(differences(t, reference, subject, small)) == 0 {
			t.Errorf("the shrunk case differs no more\n%s", small)
		}
		return
	}
	t.Error("no case to shrink among 60")
}

// chosen are half of the traces.
func chosen(s ptrace.Span) bool { return s.TraceID()[15]&1 == 0 }

func chosenSpans(f func(ptrace.ScopeSpans, ptrace.Span)) func(ptrace.Traces) {
	return func(td ptrace.Traces) {
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for i := range ss.Spans().Len() {
					if s := ss.Spans().At(i); chosen(s) {
						f(ss, s)
					}
				}
			}
		}
	}
}

// loseOneSpan leaves the trace with the rest, so that only its spans differ.
func loseOneSpan(td ptrace.Traces) {
	left := td.SpanCount() - 1
	removeSpans(td, func(s ptrace.Span) bool {
		lose := left > 0 && chosen(s)
		left = min(left, 0)
		return lose
	})
}

// swapAttributes changes nothing but the order.
func swapAttributes(td ptrace.Traces) {
	chosenSpans(func(_ ptrace.ScopeSpans, s ptrace.Span) {
		reversed := pcommon.NewMap()
		var keys []string
		for k := range s.Attributes().All() {
			keys = append([]string{k}, keys...)
		}
		for _, k := range keys {
			v, _ := s.Attributes().Get(k)
			v.CopyTo(reversed.PutEmpty(k))
		}
		reversed.CopyTo(s.Attributes())
	})(td)
}

func (b breakage) wrap(f processor.Factory) processor.Factory {
	create := func(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Traces) (processor.Traces, error) {
		if b.refuses {
			return nil, errors.New("policies: too many")
		}
		spoiled, err := consumer.NewTraces(func(ctx context.Context, td ptrace.Traces) error {
			if b.output != nil {
				b.output(td)
			}
			if err := next.ConsumeTraces(ctx, td); err != nil || !b.reuses {
				return err
			}
			ptrace.NewTraces().CopyTo(td) // it is the next consumer's now
			return nil
		})
		if err != nil {
			return nil, err
		}
		inner, err := f.CreateTraces(ctx, set, cfg, spoiled)
		return &brokenProcessor{inner, b, set}, err
	}
	return processor.NewFactory(f.Type(), f.CreateDefaultConfig, processor.WithTraces(create, f.TracesStability()))
}

type brokenProcessor struct {
	processor.Traces
	breakage
	set processor.Settings
}

// Capabilities promises what the breakage does not keep.
func (p *brokenProcessor) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: false}
}

func (p *brokenProcessor) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	if p.counter != "" {
		attrs := attribute.NewSet(attribute.String("policy", "p1"))
		c, err := p.set.MeterProvider.Meter("broken").Int64Counter("otelcol_processor_tail_sampling_" + p.counter)
		if err != nil {
			return err
		}
		c.Add(ctx, 1, metric.WithAttributeSet(attrs))
	}
	if p.intake != nil {
		p.intake(td)
	}
	if p.input != nil {
		spoiled := ptrace.NewTraces()
		td.CopyTo(spoiled)
		p.input(spoiled)
		td = spoiled
	}
	return p.Traces.ConsumeTraces(ctx, td)
}
