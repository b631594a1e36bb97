package otlpwire_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/otlpwire"
)

// TestAppendFromPdata builds requests field by field from pdata, as a processor must, and expects the bytes that pdata
// itself writes.
func TestAppendFromPdata(t *testing.T) {
	for seed := range uint64(1000) {
		td := odd(rand.New(rand.NewPCG(seed, 5)))
		if got, want := appendTraces(nil, td), marshal(t, td); !bytes.Equal(got, want) {
			t.Fatalf("seed %d\ngot  %x\nwant %x", seed, got, want)
		}
	}
	for _, n := range []int{1, 256} { // long messages, whose lengths take three bytes
		td := ordinary(1, n)
		if !bytes.Equal(appendTraces(nil, td), marshal(t, td)) {
			t.Fatalf("a request of %d spans differs", n)
		}
	}
}

func appendTraces(dst []byte, td ptrace.Traces) []byte {
	for _, rs := range td.ResourceSpans().All() {
		var outer, m otlpwire.Mark
		dst, outer = otlpwire.Begin(dst, otlpwire.RequestResourceSpans, 1000)
		dst = otlpwire.AppendText(dst, otlpwire.ResourceSpansSchemaURL, rs.SchemaUrl())
		for _, ss := range rs.ScopeSpans().All() {
			dst = appendScopeSpans(dst, ss)
		}
		dst, m = otlpwire.Begin(dst, otlpwire.ResourceSpansResource, 0)
		dst = otlpwire.AppendUint(dst, otlpwire.ResourceDroppedAttributes, uint64(rs.Resource().DroppedAttributesCount()))
		dst = appendMap(dst, otlpwire.ResourceAttributes, rs.Resource().Attributes())
		dst = otlpwire.End(dst, m)
		dst = otlpwire.End(dst, outer)
	}
	return dst
}

func appendScopeSpans(dst []byte, ss ptrace.ScopeSpans) []byte {
	dst, outer := otlpwire.Begin(dst, otlpwire.ResourceSpansScopes, 1000)
	dst = otlpwire.AppendText(dst, otlpwire.ScopeSpansSchemaURL, ss.SchemaUrl())
	for _, span := range ss.Spans().All() {
		var m otlpwire.Mark
		dst, m = otlpwire.Begin(dst, otlpwire.ScopeSpansSpans, 500)
		dst = otlpwire.End(appendPdataSpan(dst, span), m)
	}
	dst, m := otlpwire.Begin(dst, otlpwire.ScopeSpansScope, 0)
	dst = otlpwire.AppendUint(dst, otlpwire.ScopeDroppedAttributes, uint64(ss.Scope().DroppedAttributesCount()))
	dst = appendMap(dst, otlpwire.ScopeAttributes, ss.Scope().Attributes())
	dst = otlpwire.AppendText(dst, otlpwire.ScopeVersion, ss.Scope().Version())
	dst = otlpwire.AppendText(dst, otlpwire.ScopeName, ss.Scope().Name())
	return otlpwire.End(otlpwire.End(dst, m), outer)
}

func appendPdataSpan(dst []byte, s ptrace.Span) []byte {
	var m otlpwire.Mark
	dst = otlpwire.AppendStatus(dst, int32(s.Status().Code()), s.Status().Message())
	dst = otlpwire.AppendUint(dst, otlpwire.SpanDroppedLinks, uint64(s.DroppedLinksCount()))
	for _, l := range s.Links().All() {
		dst, m = otlpwire.Begin(dst, otlpwire.SpanLinks, 0)
		dst = otlpwire.AppendFixed32(dst, otlpwire.LinkFlags, l.Flags())
		dst = otlpwire.AppendUint(dst, otlpwire.LinkDroppedAttributes, uint64(l.DroppedAttributesCount()))
		dst = appendMap(dst, otlpwire.LinkAttributes, l.Attributes())
		dst = otlpwire.AppendText(dst, otlpwire.LinkTraceState, l.TraceState().AsRaw())
		dst = otlpwire.AppendSpanID(dst, otlpwire.LinkSpanID, otlpwire.SpanID(l.SpanID()))
		dst = otlpwire.AppendTraceID(dst, otlpwire.LinkTraceID, otlpwire.TraceID(l.TraceID()))
		dst = otlpwire.End(dst, m)
	}
	dst = otlpwire.AppendUint(dst, otlpwire.SpanDroppedEvents, uint64(s.DroppedEventsCount()))
	for _, e := range s.Events().All() {
		dst, m = otlpwire.Begin(dst, otlpwire.SpanEvents, 0)
		dst = otlpwire.AppendUint(dst, otlpwire.EventDroppedAttributes, uint64(e.DroppedAttributesCount()))
		dst = appendMap(dst, otlpwire.EventAttributes, e.Attributes())
		dst = otlpwire.AppendText(dst, otlpwire.EventName, e.Name())
		dst = otlpwire.AppendFixed64(dst, otlpwire.EventTime, uint64(e.Timestamp()))
		dst = otlpwire.End(dst, m)
	}
	dst = otlpwire.AppendUint(dst, otlpwire.SpanDroppedAttributes, uint64(s.DroppedAttributesCount()))
	dst = appendMap(dst, otlpwire.SpanAttributes, s.Attributes())
	dst = otlpwire.AppendFixed64(dst, otlpwire.SpanEnd, uint64(s.EndTimestamp()))
	dst = otlpwire.AppendFixed64(dst, otlpwire.SpanStart, uint64(s.StartTimestamp()))
	dst = otlpwire.AppendUint(dst, otlpwire.SpanKind, uint64(s.Kind()))
	dst = otlpwire.AppendText(dst, otlpwire.SpanName, s.Name())
	dst = otlpwire.AppendFixed32(dst, otlpwire.SpanFlags, s.Flags())
	dst = otlpwire.AppendSpanID(dst, otlpwire.SpanParentSpanID, otlpwire.SpanID(s.ParentSpanID()))
	dst = otlpwire.AppendText(dst, otlpwire.SpanTraceState, s.TraceState().AsRaw())
	dst = otlpwire.AppendSpanID(dst, otlpwire.SpanSpanID, otlpwire.SpanID(s.SpanID()))
	return otlpwire.AppendTraceID(dst, otlpwire.SpanTraceID, otlpwire.TraceID(s.TraceID()))
}

func appendMap(dst []byte, f otlpwire.Field, attributes pcommon.Map) []byte {
	for key, v := range attributes.All() {
		switch v.Type() {
		case pcommon.ValueTypeStr:
			dst = otlpwire.AppendStr(dst, f, key, v.Str())
		case pcommon.ValueTypeInt:
			dst = otlpwire.AppendInt(dst, f, key, v.Int())
		case pcommon.ValueTypeDouble:
			dst = otlpwire.AppendDouble(dst, f, key, v.Double())
		case pcommon.ValueTypeBool:
			dst = otlpwire.AppendBool(dst, f, key, v.Bool())
		default:
			var outer, m otlpwire.Mark
			dst, outer = otlpwire.Begin(dst, f, 0)
			dst, m = otlpwire.Begin(dst, otlpwire.KeyValueValue, 0)
			dst = otlpwire.End(appendPdataValue(dst, v), m)
			dst = otlpwire.AppendText(dst, otlpwire.KeyValueKey, key)
			dst = otlpwire.End(dst, outer)
		}
	}
	return dst
}

// appendPdataValue appends the AnyValue message of v. It has scalars only to be elements of lists.
func appendPdataValue(dst []byte, v pcommon.Value) []byte {
	var m otlpwire.Mark
	switch v.Type() {
	case pcommon.ValueTypeEmpty:
	case pcommon.ValueTypeBytes:
		dst = otlpwire.AppendValue(dst, otlpwire.BytesValue(v.Bytes().AsRaw()))
	case pcommon.ValueTypeStr:
		dst = otlpwire.AppendValue(dst, otlpwire.StrValue([]byte(v.Str())))
	case pcommon.ValueTypeMap:
		dst, m = otlpwire.Begin(dst, otlpwire.ValueMap, 0)
		dst = otlpwire.End(appendMap(dst, otlpwire.ListValues, v.Map()), m)
	case pcommon.ValueTypeSlice:
		dst, m = otlpwire.Begin(dst, otlpwire.ValueArray, 0)
		for _, e := range v.Slice().All() {
			var em otlpwire.Mark
			dst, em = otlpwire.Begin(dst, otlpwire.ListValues, 0)
			dst = otlpwire.End(appendPdataValue(dst, e), em)
		}
		dst = otlpwire.End(dst, m)
	default: // numbers: an attribute without a key, less what stands around the value
		one := pcommon.NewMap()
		v.CopyTo(one.PutEmpty(""))
		for f := otlpwire.ReadFields(appendMap(nil, otlpwire.ListValues, one)); f.Next(); {
			inner := otlpwire.ReadFields(f.Bytes)
			inner.Next()
			dst = append(dst, inner.Bytes...)
		}
	}
	return dst
}

// TestSizes: every Size function announces what its Append function appends.
func TestSizes(t *testing.T) {
	same := func(what string, size int, appended []byte) {
		t.Helper()
		if size != len(appended) {
			t.Errorf("%s: size %d, appended %d bytes", what, size, len(appended))
		}
	}
	text := bytes.Repeat([]byte("x"), 1<<15)
	for shift := range 64 {
		v := uint64(1)<<shift | 1
		same("uint", otlpwire.SizeUint(otlpwire.SpanKind, v), otlpwire.AppendUint(nil, otlpwire.SpanKind, v))
		same("wide tag", otlpwire.SizeUint(1000<<3, v), otlpwire.AppendUint(nil, 1000<<3, v))
	}
	same("zero", otlpwire.SizeUint(otlpwire.SpanKind, 0), otlpwire.AppendUint(nil, otlpwire.SpanKind, 0))
	for _, n := range []int{0, 1, 127, 128, 16383, 16384} {
		same("bytes", otlpwire.SizeBytes(otlpwire.SpanName, n), otlpwire.AppendBytes(nil, otlpwire.SpanName, text[:n]))
		same("text", otlpwire.SizeText(otlpwire.SpanName, n), otlpwire.AppendText(nil, otlpwire.SpanName, text[:n]))
		for _, m := range []int{0, 1, 120, 127, 128} {
			kv := otlpwire.KeyValue{Key: text[:m], Value: otlpwire.StrValue(text[:n])}
			whole := otlpwire.AppendKeyValue(nil, otlpwire.SpanAttributes, &kv)
			same("attribute", otlpwire.SizeBytes(otlpwire.SpanAttributes, otlpwire.SizeKeyValue(&kv)), whole)
		}
	}
}

// TestBeginEnd: whatever the guess, the length is written in as few bytes as it takes and the content is unharmed.
func TestBeginEnd(t *testing.T) {
	content := make([]byte, 1<<21+1)
	rnd := rand.New(rand.NewPCG(1, 9))
	for i := range content {
		content[i] = byte(rnd.Uint32())
	}
	for _, n := range []int{0, 1, 127, 128, 16383, 16384, 1<<21 - 1, 1 << 21} {
		want := otlpwire.AppendBytes([]byte("before"), otlpwire.SpanLinks, content[:n])
		for _, guess := range []int{0, 128, 16384, 1 << 21, math.MaxInt32} {
			dst, m := otlpwire.Begin([]byte("before"), otlpwire.SpanLinks, guess)
			if dst = otlpwire.End(append(dst, content[:n]...), m); !bytes.Equal(dst, want) {
				t.Errorf("%d bytes, guess %d: wrong", n, guess)
			}
		}
	}
}

// TestAppendSpan changes one field of a span and keeps the rest.
func TestAppendSpan(t *testing.T) {
	for seed := range uint64(200) {
		p := ptrace.NewSpan()
		oddSpan(rand.New(rand.NewPCG(seed, 6)), p)
		var s otlpwire.Span
		s.Decode(appendPdataSpan(nil, p))
		s.TraceState = []byte("ot=th:8")
		p.TraceState().FromRaw("ot=th:8")
		if got, want := otlpwire.AppendSpan(nil, &s), appendPdataSpan(nil, p); !bytes.Equal(got, want) {
			t.Fatalf("seed %d\ngot  %x\nwant %x", seed, got, want)
		}
	}
}

// TestAllocations: checking, reading all there is to read and writing into a large enough buffer allocate nothing.
func TestAllocations(t *testing.T) {
	everything := ptrace.NewTraces()
	for seed := range uint64(50) {
		odd(rand.New(rand.NewPCG(seed, 8))).ResourceSpans().MoveAndAppendTo(everything.ResourceSpans())
	}
	body := marshal(t, everything)
	dst := make([]byte, 0, 2*len(body))
	seen := 0
	allocs := testing.AllocsPerRun(10, func() {
		req, err := otlpwire.Parse(body, otlpwire.DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		seen = readAll(otlpwire.Trusted(req.Bytes(), req.SpanCount()))
		dst = assemble(dst[:0], req, 0)
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
	if seen < 1000 || !bytes.Equal(dst, body) {
		t.Errorf("read %d things of a large request; written again it is equal: %v", seen, bytes.Equal(dst, body))
	}
}

// readAll walks over everything in req and counts what it sees.
func readAll(req otlpwire.Request) (n int) {
	var scope otlpwire.Scope
	var s otlpwire.Span
	var e otlpwire.Event
	var l otlpwire.Link
	for rs := range req.ResourceSpans() {
		for key, v := range otlpwire.ReadAttributes(otlpwire.ResourceAttributes, rs.Resource) {
			n += len(key) + countValue(v)
		}
		for ss := range rs.Scopes() {
			scope.Decode(ss.Scope)
			for key, v := range scope.Attributes() {
				n += len(key) + countValue(v)
			}
			for raw := range ss.Spans() {
				s.Decode(raw)
				for key, v := range s.Attributes() {
					n += len(key) + countValue(v)
				}
				for raw := range s.Events() {
					e.Decode(raw)
					for key, v := range e.Attributes() {
						n += len(key) + countValue(v)
					}
				}
				for raw := range s.Links() {
					l.Decode(raw)
					for key, v := range l.Attributes() {
						n += len(key) + countValue(v)
					}
				}
			}
		}
	}
	return n
}

func countValue(v otlpwire.Value) int {
	n := 1 + len(v.Str())
	for e := range v.Slice() {
		n += countValue(e)
	}
	for key, e := range v.Map() {
		n += len(key) + countValue(e)
	}
	if v.Int() != 0 || v.Double() != 0 || v.Bool() {
		n++
	}
	return n
}

// BenchmarkAppendFromPdata compares the two ways from pdata to bytes.
func BenchmarkAppendFromPdata(b *testing.B) {
	td := ordinary(4, 256)
	b.Run("by=append", func(b *testing.B) {
		var dst []byte
		measure(b, func() { dst = appendTraces(dst[:0], td) })
	})
	b.Run("by=pdata", func(b *testing.B) {
		measure(b, func() { marshal(b, td) })
	})
}
