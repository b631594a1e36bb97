package policy

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlspan"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlspanevent"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/ottlfuncs"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
)

type (
	spanContext     = *ottlspan.TransformContext
	eventContext    = *ottlspanevent.TransformContext
	spanConditions  = ottl.ConditionSequence[spanContext]
	eventConditions = ottl.ConditionSequence[eventContext]
)

// ottlPredicate asks OTTL conditions of spans and their events until one holds or fails; then its answer stands.
type ottlPredicate struct {
	span   *spanConditions  // nil: none
	event  *eventConditions // nil: none
	match  bit
	failed bit
	err    atomic.Pointer[error] // the newest failure of any trace
}

// ottlIdentity names a predicate for layout: conditions and error mode.
func ottlIdentity(c *OTTLConditionConfig) string {
	return fmt.Sprintf("ottl %q %q %q", c.ErrorMode, c.SpanConditions, c.SpanEventConditions)
}

func newOTTLPredicate(c *OTTLConditionConfig, set component.TelemetrySettings) (*ottlPredicate, error) {
	p := &ottlPredicate{}
	var err error
	if len(c.SpanConditions) > 0 {
		if p.span, err = spanSequence(c.SpanConditions, c.ErrorMode, set); err != nil {
			return nil, err
		}
	}
	if len(c.SpanEventConditions) > 0 {
		if p.event, err = eventSequence(c.SpanEventConditions, c.ErrorMode, set); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func spanSequence(conditions []string, mode ottl.ErrorMode, set component.TelemetrySettings) (*spanConditions, error) {
	functions := ottlfuncs.StandardConverters[spanContext]()
	isRoot := ottlfuncs.NewIsRootSpanFactory()
	functions[isRoot.Name()] = isRoot
	parser, err := ottlspan.NewParser(functions, set, ottlspan.EnablePathContextNames())
	if err != nil {
		return nil, err
	}
	return sequence(ottlspan.ContextName, parser, conditions, set, func(parsed []*ottl.Condition[spanContext]) spanConditions {
		return ottlspan.NewConditionSequence(parsed, set, ottlspan.WithConditionSequenceErrorMode(mode))
	})
}

func eventSequence(conditions []string, mode ottl.ErrorMode, set component.TelemetrySettings) (*eventConditions, error) {
	functions := ottlfuncs.StandardConverters[eventContext]()
	parser, err := ottlspanevent.NewParser(functions, set, ottlspanevent.EnablePathContextNames())
	if err != nil {
		return nil, err
	}
	return sequence(ottlspanevent.ContextName, parser, conditions, set, func(parsed []*ottl.Condition[eventContext]) eventConditions {
		return ottlspanevent.NewConditionSequence(parsed, set, ottlspanevent.WithConditionSequenceErrorMode(mode))
	})
}

// sequence parses conditions through a collection of one parser: that is where OTTL completes paths without a context
// (`attributes["x"]`) to ones with it (`span.attributes["x"]`), so that both forms are understood.
func sequence[K any](
	contextName string, parser ottl.Parser[K], conditions []string, set component.TelemetrySettings,
	build func([]*ottl.Condition[K]) ottl.ConditionSequence[K],
) (*ottl.ConditionSequence[K], error) {
	type result = *ottl.ConditionSequence[K]
	converter := func(_ *ottl.ParserCollection[result], _ ottl.ConditionsGetter, parsed []*ottl.Condition[K]) (result, error) {
		s := build(parsed)
		return &s, nil
	}
	collection, err := ottl.NewParserCollection(set,
		ottl.EnableParserCollectionModifiedPathsLogging[result](true),
		ottl.WithParserCollectionContext(contextName, &parser, ottl.WithConditionConverter(converter)))
	if err != nil {
		return nil, err
	}
	return collection.ParseConditionsWithContext(contextName, ottl.NewConditionsGetter(conditions), true)
}

// quiet is what conditions are parsed with when only their syntax is wanted.
func quiet() component.TelemetrySettings {
	return component.TelemetrySettings{Logger: zap.NewNop()}
}

// NeedsSpan reports whether FoldOTTL must be called for each span.
func (p *Program) NeedsSpan() bool { return len(p.ottl) > 0 }

// FoldOTTL asks the OTTL conditions that have not been answered for this trace yet. Spans must come in order of arrival:
// the first match or error of a policy stands.
func (p *Program) FoldOTTL(ctx context.Context, bits []uint64, rs ptrace.ResourceSpans, ss ptrace.ScopeSpans, span ptrace.Span) {
	for _, o := range p.ottl {
		if o.match.in(bits) || o.failed.in(bits) {
			continue
		}
		ok, err := o.holds(ctx, rs, ss, span)
		switch {
		case err != nil:
			o.err.Store(&err)
			o.failed.set(bits)
		case ok:
			o.match.set(bits)
		}
	}
}

func (o *ottlPredicate) holds(ctx context.Context, rs ptrace.ResourceSpans, ss ptrace.ScopeSpans, span ptrace.Span) (bool, error) {
	if o.span != nil {
		tc := ottlspan.NewTransformContext(rs, ss, span)
		ok, err := o.span.Eval(ctx, tc)
		tc.Close()
		if ok || err != nil {
			return ok, err
		}
	}
	if o.event == nil {
		return false, nil
	}
	for _, event := range span.Events().All() {
		tc := ottlspanevent.NewTransformContext(rs, ss, span, event)
		ok, err := o.event.Eval(ctx, tc)
		tc.Close()
		if ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}
