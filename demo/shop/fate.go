package shop

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/baggage"

	"github.com/tailgate-otel/tailgate/demo/fault"
)

// fate finds out what shall happen to a request: what the header asks for, else what the baggage of an earlier service
// asks for, else what the odds say. The context returned carries the directives on to the services that are called.
func (s *service) fate(r *http.Request, route string) (context.Context, fault.Outcome, error) {
	ctx := r.Context()
	bag := baggage.FromContext(ctx)
	if text := r.Header.Get(fault.Header); text != "" {
		directives, err := fault.ParseDirectives(text, s.known)
		if err != nil {
			return ctx, fault.Outcome{}, err
		}
		member, err := baggage.NewMemberRaw(fault.BaggageKey, text)
		if err != nil {
			return ctx, fault.Outcome{}, err
		}
		if bag, err = bag.SetMember(member); err != nil {
			return ctx, fault.Outcome{}, err
		}
		return baggage.ContextWithBaggage(ctx, bag), directives[s.name], nil
	}
	if text := bag.Member(fault.BaggageKey).Value(); text != "" {
		directives, err := fault.ParseDirectives(text, s.known)
		if err == nil {
			return ctx, directives[s.name], nil
		}
		s.log.WarnContext(ctx, "baggage is not understood and ignored", "key", fault.BaggageKey, "error", err.Error())
	}
	return ctx, s.faults.Decide(s.name, route), nil
}
