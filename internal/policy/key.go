package policy

import (
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/dynsample"
	"github.com/tailgate-otel/tailgate/internal/probability"
)

// adaptive keeps what passes the threshold that a sampler has for the key of the trace.
type adaptive struct {
	sampler dynsample.Sampler
	rare    *dynsample.Rare // set if the key is the trace's signature
	passOn  bool            // a trace of which the sampler keeps nothing is left to the next rule
	fields  []field
	wanted  map[string][]int // indices of fields, by the attribute they read
}

// field is one part of a key.
type field struct {
	root bool // only of the root span and its resource
}

const rootPrefix = "root."

func newAdaptive(s dynsample.Sampler, fields []string) *adaptive {
	a := &adaptive{sampler: s, wanted: map[string][]int{}}
	for i, name := range fields {
		name, root := strings.CutPrefix(name, rootPrefix)
		a.fields = append(a.fields, field{root})
		a.wanted[name] = append(a.wanted[name], i)
	}
	return a
}

func (a *adaptive) decide(ev *evaluation) answer {
	th := a.threshold(ev)
	if a.passOn && th == probability.Never {
		return answer{vote: abstain}
	}
	return chance(th).ask(&ev.trace)
}

func (*adaptive) foresee(*Trace) (answer, bool) { return answer{}, false }

func (a *adaptive) threshold(ev *evaluation) probability.Threshold {
	f := ev.trace.Facts
	weight := max(1, float64(f.Weight))
	if a.rare != nil {
		return a.rare.ThresholdSignature(ev.now, signature(ev.decode()), weight)
	}
	return a.sampler.Threshold(ev.now, a.key(ev), weight, int(f.Spans))
}

// maxFieldValues is how many values of one field make up a key: the alphabetically first, so that the order of spans does
// not matter. A field with more is unfit for a key anyway.
const maxFieldValues = 16

// key puts the values of the fields together: different values of one field with commas, fields with bullets, as Refinery
// writes them.
func (a *adaptive) key(ev *evaluation) string {
	values := make([][]string, len(a.fields))
	walk := ev.trace.Fields
	if walk == nil {
		walk = fieldsOf(ev.decode())
	}
	walk(func(isRoot, _ bool, key string, v Value) {
		for _, i := range a.wanted[key] {
			if isRoot || !a.fields[i].root {
				values[i] = addValue(values[i], v)
			}
		}
	})
	var b strings.Builder
	for i, list := range values {
		if i > 0 {
			b.WriteString("•")
		}
		b.WriteString(strings.Join(list, ","))
	}
	return b.String()
}

// addValue inserts a value into the sorted list.
func addValue(list []string, v Value) []string {
	text := v.text()
	i, found := slices.BinarySearch(list, text)
	if found || i == maxFieldValues {
		return list
	}
	list = slices.Insert(list, i, strings.Clone(text))
	return list[:min(len(list), maxFieldValues)]
}

func (v Value) text() string {
	switch v.Kind {
	case KindStr:
		return v.Str
	case KindInt:
		return strconv.FormatInt(v.Int, 10)
	case KindBool:
		return strconv.FormatBool(v.Int != 0)
	}
	return ""
}

// fieldsOf is Trace.Fields of decoded spans.
func fieldsOf(td ptrace.Traces) func(func(isRoot, resource bool, key string, v Value)) {
	return func(yield func(bool, bool, string, Value)) {
		for _, rs := range td.ResourceSpans().All() {
			rootHere := false
			for _, ss := range rs.ScopeSpans().All() {
				for _, span := range ss.Spans().All() {
					isRoot := span.ParentSpanID().IsEmpty()
					rootHere = rootHere || isRoot
					yield(isRoot, false, SpanName, Value{Kind: KindStr, Str: span.Name()})
					yield(isRoot, false, SpanStatus, Value{Kind: KindInt, Int: int64(span.Status().Code())})
					for key, v := range span.Attributes().All() {
						yield(isRoot, false, key, readValue(v))
					}
				}
			}
			for key, v := range rs.Resource().Attributes().All() {
				yield(rootHere, true, key, readValue(v))
			}
		}
	}
}

func readValue(v pcommon.Value) Value {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return Value{Kind: KindStr, Str: v.Str()}
	case pcommon.ValueTypeInt:
		return Value{Kind: KindInt, Int: v.Int()}
	case pcommon.ValueTypeBool:
		b := Value{Kind: KindBool}
		if v.Bool() {
			b.Int = 1
		}
		return b
	}
	return Value{}
}

// signature is a hash of which services have spans of which names and status codes in the trace, however many.
func signature(td ptrace.Traces) uint64 {
	var kinds []uint64
	for _, rs := range td.ResourceSpans().All() {
		service := fnvOffset
		if v, ok := rs.Resource().Attributes().Get("service.name"); ok {
			service = fnv1a(service, []byte(v.Str()))
		}
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				kind := fnv1a(service, []byte{0, byte(span.Status().Code())})
				kinds = append(kinds, fnv1a(kind, []byte(span.Name())))
			}
		}
	}
	slices.Sort(kinds)
	sum := fnvOffset
	for _, kind := range slices.Compact(kinds) {
		sum = (sum ^ kind) * fnvPrime
	}
	return sum
}
