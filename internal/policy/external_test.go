package policy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor/pkg/samplingpolicy"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// An oracle is an extension whose evaluators decide what their configuration says.
type oracle struct{ asked int }

func (o *oracle) NewEvaluator(name string, cfg map[string]any) (samplingpolicy.Evaluator, error) {
	if cfg["says"] == nil {
		return nil, fmt.Errorf("policy %s: says: is missing", name)
	}
	e := &oracleEvaluator{oracle: o, says: samplingpolicy.Decision(cfg["says"].(int)), stateful: cfg["stateful"] == true}
	if cfg["fails"] == true {
		e.err = errors.New("no idea")
	}
	if th, ok := cfg["threshold"].(int); ok {
		e.threshold, _ = sampling.UnsignedToThreshold(uint64(th))
		return e, nil
	}
	return struct{ samplingpolicy.Evaluator }{e}, nil // without EvaluateWithThreshold
}

type oracleEvaluator struct {
	*oracle
	says      samplingpolicy.Decision
	err       error
	stateful  bool
	threshold sampling.Threshold
}

func (e *oracleEvaluator) Evaluate(_ context.Context, id pcommon.TraceID, td *samplingpolicy.TraceData) (samplingpolicy.Decision, error) {
	e.asked++
	if n := td.ReceivedBatches.SpanCount(); int64(n) != td.SpanCount || td.SizeBytes == 0 || id.IsEmpty() {
		return samplingpolicy.Error, fmt.Errorf("bad trace data: %d spans, %+v, id %s", n, td, id)
	}
	return e.says, e.err
}

func (e *oracleEvaluator) EvaluateWithThreshold(ctx context.Context, id pcommon.TraceID, td *samplingpolicy.TraceData) (samplingpolicy.Decision, sampling.Threshold, error) {
	d, err := e.Evaluate(ctx, id, td)
	return d, e.threshold, err
}

func (e *oracleEvaluator) IsStateful() bool { return e.stateful }

func says(d samplingpolicy.Decision) Condition { return saysWith(d, nil) }

func saysWith(d samplingpolicy.Decision, more map[string]any) Condition {
	section := map[string]any{"says": int(d)}
	for k, v := range more {
		section[k] = v
	}
	return Condition{Type: "oracle/x", Extension: map[string]map[string]any{"oracle/x": section}}
}

// oneSpan is a trace with one span.
func oneSpan(p *Program) *held {
	h := newHeld(p, pcommon.TraceID{1})
	td := ptrace.NewTraces()
	td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	h.add(p, td)
	return h
}

func TestExternalVotes(t *testing.T) {
	const (
		sampled    = samplingpolicy.Sampled
		notSampled = samplingpolicy.NotSampled
		dropped    = samplingpolicy.Dropped
		invYes     = samplingpolicy.InvertSampled    //nolint:staticcheck // deprecated, and extensions may still say it
		invNo      = samplingpolicy.InvertNotSampled //nolint:staticcheck // deprecated, and extensions may still say it
	)
	not := func(c Condition) Condition { return Condition{Type: Not, Not: &NotConfig{SubPolicy: c}} }
	and := func(cs ...Condition) Condition { return Condition{Type: And, And: &AndConfig{SubPolicies: cs}} }
	always := Condition{Type: AlwaysSample}
	for _, c := range []struct {
		name     string
		policies []Condition
		want     string
	}{
		{"sampled", []Condition{says(sampled)}, "sampled by 0"},
		{"dropped overrules what came before", []Condition{always, says(dropped), says(sampled)}, "dropped by 1"},
		{"inverted no overrules yes", []Condition{always, says(invNo)}, "not_sampled"},
		{"inverted yes is overruled by no", []Condition{says(invYes), says(notSampled)}, "not_sampled"},
		{"inverted yes alone", []Condition{says(invYes), says(invYes)}, "sampled by 0"},
		{"yes before inverted yes", []Condition{says(invYes), says(sampled)}, "sampled by 1"},
		{"an error is no vote", []Condition{saysWith(sampled, map[string]any{"fails": true}), says(invYes)}, "sampled by 1"},
		{"what is no decision is an error", []Condition{says(samplingpolicy.Pending)}, "not_sampled"},
		{"and takes inverted no for no", []Condition{and(always, says(invNo))}, "not_sampled"},
		{"and takes inverted yes for yes", []Condition{and(says(invYes), always)}, "sampled by 0"},
		{"and takes dropped for yes", []Condition{and(says(dropped))}, "sampled by 0"},
		{"not passes dropped on", []Condition{always, not(says(dropped))}, "dropped by 1"},
		{"not passes inverted no on", []Condition{always, not(says(invNo))}, "not_sampled"},
		{"not negates", []Condition{not(says(notSampled))}, "sampled by 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &oracle{}
			p := compileOracle(t, o, false, c.policies...)
			h := oneSpan(p)
			if v, ok := p.Certain(h.trace()); ok || o.asked > 0 {
				t.Errorf("certain: %+v, after asking the extension %d times", v, o.asked)
			}
			v := p.Decide(time.Unix(1, 0), h.trace())
			got := v.Outcome.String()
			if v.Policy >= 0 {
				got += " by " + p.Names()[v.Policy]
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func compileOracle(t *testing.T, o *oracle, firstMatch bool, policies ...Condition) *Program {
	set := Settings{
		FirstMatch: firstMatch, UseTraceState: true, RecordPolicy: true,
		Extensions: map[string]samplingpolicy.Extension{"oracle/x": o},
	}
	for i, c := range policies {
		c.Name = fmt.Sprint(i)
		set.Policies = append(set.Policies, Config{Condition: c})
	}
	return mustCompile(t, set)
}

func TestExternalIsNotAskedAfterFirstMatch(t *testing.T) {
	o := &oracle{}
	p := compileOracle(t, o, true, Condition{Type: AlwaysSample}, says(samplingpolicy.Dropped))
	h := oneSpan(p)
	if v, ok := p.Certain(h.trace()); !ok || v.Outcome != Sampled {
		t.Errorf("Certain = %+v, %t: the extension cannot overrule, it is not asked", v, ok)
	}
	if v := p.Decide(time.Unix(1, 0), h.trace()); v.Outcome != Sampled || o.asked > 0 {
		t.Errorf("Decide = %+v after asking the extension %d times", v, o.asked)
	}
}

func TestExternalThreshold(t *testing.T) {
	p := compileOracle(t, &oracle{}, false, saysWith(samplingpolicy.Sampled, map[string]any{"threshold": 0x4000}))
	if v := p.Decide(time.Unix(1, 0), oneSpan(p).trace()); !v.HasThreshold || v.Threshold != 0x4000 {
		t.Errorf("Decide = %+v, want the evaluator's threshold", v)
	}
	p = compileOracle(t, &oracle{}, false, says(samplingpolicy.Sampled))
	if v := p.Decide(time.Unix(1, 0), oneSpan(p).trace()); !v.HasThreshold || v.Threshold != 0 {
		t.Errorf("Decide = %+v, want threshold 0 from an evaluator that has none", v)
	}
}

func TestExternalDecodesOnce(t *testing.T) {
	p := compileOracle(t, &oracle{}, false, says(samplingpolicy.Sampled), says(samplingpolicy.NotSampled))
	h := oneSpan(p)
	decoded := 0
	trace := h.trace()
	trace.Spans = func() ptrace.Traces { decoded++; return h.spans }
	p.Decide(time.Unix(1, 0), trace)
	if decoded != 1 {
		t.Errorf("the trace was decoded %d times for two evaluators", decoded)
	}
}

func TestExternalErrors(t *testing.T) {
	o := &oracle{}
	extensions := map[string]samplingpolicy.Extension{"oracle/x": o}
	stateful := saysWith(samplingpolicy.Sampled, map[string]any{"stateful": true})
	stateful.Name = "a"
	nested := Condition{Name: "b", Type: Not, Not: &NotConfig{SubPolicy: Condition{Type: "oracle/x", Extension: map[string]map[string]any{"oracle/x": {}}}}}
	for _, c := range []struct {
		set  Settings
		want string
	}{
		{Settings{Strategy: SpanIngest, Policies: []Config{{Condition: stateful}}, Extensions: extensions}, `policies[0].type: the evaluator of extension "oracle/x" for policy "a" remembers other traces`},
		{Settings{Policies: []Config{{Condition: nested}}, Extensions: extensions}, "policies[0].not.not_sub_policy.oracle/x: policy : says: is missing"},
	} {
		if _, err := Compile(c.set); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got %v\nwant %s…", err, c.want)
		}
	}

	p := compileOracle(t, o, false, says(samplingpolicy.Pending), saysWith(samplingpolicy.Sampled, map[string]any{"fails": true}))
	p.Decide(time.Unix(1, 0), oneSpan(p).trace())
	var messages []string
	for s := range p.Stats {
		messages = append(messages, fmt.Sprint(s.Errors, " ", s.LastError))
	}
	if got, want := strings.Join(messages, "; "), `1 extension oracle/x: decided "pending", which is no decision; 1 no idea`; got != want {
		t.Errorf("errors: got %s, want %s", got, want)
	}
}
