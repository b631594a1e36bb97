package otlpwire_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tailgate-otel/tailgate/internal/otlpwire"
)

func TestLimits(t *testing.T) {
	body := marshal(t, ordinary(2, 6)) // 6 spans, 12 attributes per resource, 10 per span
	for _, c := range []struct {
		lim  otlpwire.Limits
		want string
	}{
		{otlpwire.Limits{MaxSpans: 6, MaxAttributes: 12, MaxDepth: 1}, ""},
		{otlpwire.Limits{MaxSpans: 5}, "spans"},
		{otlpwire.Limits{MaxAttributes: 11}, "attributes"},
	} {
		_, err := otlpwire.Parse(body, c.lim)
		expectLimit(t, err, c.want)
	}
}

// TestDepth nests lists in lists: a list of plain values has depth 2.
func TestDepth(t *testing.T) {
	v := otlpwire.StrValue([]byte("x"))
	for depth := 1; depth < 10; depth++ {
		kv := otlpwire.KeyValue{Key: []byte("k"), Value: v}
		span := otlpwire.AppendKeyValue(nil, otlpwire.SpanAttributes, &kv)
		expectLimit(t, otlpwire.CheckSpan(span, otlpwire.Limits{MaxDepth: depth}), "")
		if depth > 1 {
			expectLimit(t, otlpwire.CheckSpan(span, otlpwire.Limits{MaxDepth: depth - 1}), "depth")
		}
		if depth%2 == 0 {
			v = otlpwire.MapValue(otlpwire.AppendKeyValue(nil, otlpwire.ListValues, &kv))
			continue
		}
		v = otlpwire.SliceValue(otlpwire.AppendBytes(nil, otlpwire.ListValues, otlpwire.AppendValue(nil, v)))
	}
}

// TestAttributesOfRepeatedResource: attributes count per resource, however many pieces the resource comes in.
func TestAttributesOfRepeatedResource(t *testing.T) {
	piece := `1{ 1{ 1{"k"} } 1{ 1{"k"} } }`
	body := assembleWire(t, `1{`+piece+piece+`}`)
	_, err := otlpwire.Parse(body, otlpwire.Limits{MaxAttributes: 4})
	expectLimit(t, err, "")
	_, err = otlpwire.Parse(body, otlpwire.Limits{MaxAttributes: 3})
	expectLimit(t, err, "attributes")
}

func expectLimit(t *testing.T, err error, want string) {
	t.Helper()
	var limit *otlpwire.LimitError
	if errors.As(err, &limit) != (want != "") || limit != nil && limit.Limit != want {
		t.Errorf("got %v, want the limit %q", err, want)
	}
	if err != nil && !strings.Contains(err.Error(), ": ") {
		t.Errorf("%q does not say what to do", err)
	}
}

// TestCheckParts: a part is well-formed exactly when a request is that holds it.
func TestCheckParts(t *testing.T) {
	for _, c := range []struct {
		kind  string
		check func([]byte, otlpwire.Limits) error
		field otlpwire.Field // in ScopeSpans, or in ResourceSpans for a resource
	}{
		{"span", otlpwire.CheckSpan, otlpwire.ScopeSpansSpans},
		{"scope", otlpwire.CheckScope, otlpwire.ScopeSpansScope},
		{"resource", otlpwire.CheckResource, otlpwire.ResourceSpansResource},
	} {
		verdicts := map[bool]int{}
		for seed := range uint64(1000) {
			part := speaker{Rand: rand.New(rand.NewPCG(seed, 10)), faulty: 100}.message(c.kind, 4)
			b := otlpwire.AppendBytes(nil, c.field, part)
			if c.kind != "resource" {
				b = otlpwire.AppendBytes(nil, otlpwire.ResourceSpansScopes, b)
			}
			_, whole := otlpwire.Parse(otlpwire.AppendBytes(nil, otlpwire.RequestResourceSpans, b), otlpwire.Limits{})
			if err := c.check(part, otlpwire.Limits{}); (err == nil) != (whole == nil) {
				t.Fatalf("%s %x: by itself %v, in a request %v", c.kind, part, err, whole)
			}
			verdicts[whole == nil]++
		}
		if verdicts[true] < 100 || verdicts[false] < 100 {
			t.Errorf("%s: the test has lost its balance: %v", c.kind, verdicts)
		}
	}
}

// TestStoppingEarly: a loop may be left at any time.
func TestStoppingEarly(t *testing.T) {
	list := otlpwire.AppendBytes(nil, otlpwire.ListValues, otlpwire.AppendValue(nil, otlpwire.StrValue([]byte("first"))))
	list = otlpwire.AppendBytes(list, otlpwire.ListValues, "")
	span := otlpwire.AppendStr(nil, otlpwire.SpanAttributes, "a", "first")
	span = otlpwire.AppendStr(span, otlpwire.SpanAttributes, "b", "second")
	span = otlpwire.AppendBytes(span, otlpwire.SpanEvents, "first")
	span = otlpwire.AppendBytes(span, otlpwire.SpanEvents, "second")
	var s otlpwire.Span
	s.Decode(span)
	var seen []string
	for _, v := range s.Attributes() {
		seen = append(seen, string(v.Str()))
		break
	}
	for raw := range s.Events() {
		seen = append(seen, string(raw))
		break
	}
	for v := range otlpwire.SliceValue(list).Slice() {
		seen = append(seen, string(v.Str()))
		break
	}
	if got := strings.Join(seen, " "); got != "first first first" {
		t.Errorf("saw %s", got)
	}
}
