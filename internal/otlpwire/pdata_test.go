package otlpwire_test

import (
	"bytes"
	"fmt"
	"iter"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/tailgate-otel/tailgate/internal/otlpwire"
)

// decode returns what the Collector's OTLP receiver makes of b.
func decode(b []byte) (ptrace.Traces, error) {
	req := ptraceotlp.NewExportRequest()
	err := req.UnmarshalProto(b)
	return req.Traces(), err
}

// differ collects the places in which two readings of a request disagree.
type differ struct{ found []string }

func (d *differ) check(what string, ours, pdatas any) {
	if ours != pdatas {
		d.found = append(d.found, fmt.Sprintf("%s: ours %v, pdata's %v", what, ours, pdatas))
	}
}

// diff compares every value that pdata's API shows.
func diff(req otlpwire.Request, td ptrace.Traces) []string {
	d := &differ{}
	d.check("spans", req.SpanCount(), td.SpanCount())
	n := 0
	for rs := range req.ResourceSpans() {
		if n >= td.ResourceSpans().Len() {
			return append(d.found, "too many resource spans")
		}
		p := td.ResourceSpans().At(n)
		d.check("schema URL", string(rs.SchemaURL), p.SchemaUrl())
		d.check("resource dropped", droppedOfResource(rs.Resource), p.Resource().DroppedAttributesCount())
		d.attributes("resource", otlpwire.ReadAttributes(otlpwire.ResourceAttributes, rs.Resource), p.Resource().Attributes())
		d.scopes(rs.Scopes(), p.ScopeSpans())
		n++
	}
	d.check("resource spans", n, td.ResourceSpans().Len())
	return d.found
}

func droppedOfResource(raw []byte) (n uint32) {
	for f := otlpwire.ReadFields(raw); f.Next(); {
		if f.Field == otlpwire.ResourceDroppedAttributes {
			n = uint32(f.Num)
		}
	}
	return n
}

func (d *differ) scopes(scopes iter.Seq[otlpwire.ScopeSpans], p ptrace.ScopeSpansSlice) {
	n := 0
	var scope otlpwire.Scope
	for ss := range scopes {
		if n++; n > p.Len() {
			break
		}
		p := p.At(n - 1)
		scope.Decode(ss.Scope)
		d.check("scope schema URL", string(ss.SchemaURL), p.SchemaUrl())
		d.check("scope name", string(scope.Name), p.Scope().Name())
		d.check("scope version", string(scope.Version), p.Scope().Version())
		d.check("scope dropped", scope.DroppedAttributes, p.Scope().DroppedAttributesCount())
		d.attributes("scope", scope.Attributes(), p.Scope().Attributes())
		spans := 0
		var s otlpwire.Span
		for raw := range ss.Spans() {
			if spans++; spans > p.Spans().Len() {
				break
			}
			s.Decode(raw)
			d.span(&s, p.Spans().At(spans-1))
		}
		d.check("spans of scope", spans, p.Spans().Len())
	}
	d.check("scopes", n, p.Len())
}

func (d *differ) span(s *otlpwire.Span, p ptrace.Span) {
	d.check("trace id", pcommon.TraceID(s.TraceID), p.TraceID())
	d.check("span id", pcommon.SpanID(s.SpanID), p.SpanID())
	d.check("parent", pcommon.SpanID(s.ParentID), p.ParentSpanID())
	d.check("trace state", string(s.TraceState), p.TraceState().AsRaw())
	d.check("name", string(s.Name), p.Name())
	d.check("flags", s.Flags, p.Flags())
	d.check("kind", s.Kind, int32(p.Kind()))
	d.check("start", s.Start, uint64(p.StartTimestamp()))
	d.check("end", s.End, uint64(p.EndTimestamp()))
	d.check("status", s.Status, int32(p.Status().Code()))
	d.check("message", string(s.StatusMessage), p.Status().Message())
	d.check("dropped attributes", s.DroppedAttributes, p.DroppedAttributesCount())
	d.check("dropped events", s.DroppedEvents, p.DroppedEventsCount())
	d.check("dropped links", s.DroppedLinks, p.DroppedLinksCount())
	d.check("number of attributes", s.NumAttributes, p.Attributes().Len())
	d.check("number of events", s.NumEvents, p.Events().Len())
	d.check("number of links", s.NumLinks, p.Links().Len())
	d.attributes("span", s.Attributes(), p.Attributes())
	n := 0
	var e otlpwire.Event
	for raw := range s.Events() {
		if n++; n > p.Events().Len() {
			break
		}
		e.Decode(raw)
		d.event(&e, p.Events().At(n-1))
	}
	d.check("events", n, p.Events().Len())
	n = 0
	var l otlpwire.Link
	for raw := range s.Links() {
		if n++; n > p.Links().Len() {
			break
		}
		l.Decode(raw)
		d.link(&l, p.Links().At(n-1))
	}
	d.check("links", n, p.Links().Len())
}

func (d *differ) event(e *otlpwire.Event, p ptrace.SpanEvent) {
	d.check("event time", e.Time, uint64(p.Timestamp()))
	d.check("event name", string(e.Name), p.Name())
	d.check("event dropped", e.DroppedAttributes, p.DroppedAttributesCount())
	d.attributes("event", e.Attributes(), p.Attributes())
}

func (d *differ) link(l *otlpwire.Link, p ptrace.SpanLink) {
	d.check("link trace id", pcommon.TraceID(l.TraceID), p.TraceID())
	d.check("link span id", pcommon.SpanID(l.SpanID), p.SpanID())
	d.check("link trace state", string(l.TraceState), p.TraceState().AsRaw())
	d.check("link flags", l.Flags, p.Flags())
	d.check("link dropped", l.DroppedAttributes, p.DroppedAttributesCount())
	d.attributes("link", l.Attributes(), p.Attributes())
}

func (d *differ) attributes(of string, ours iter.Seq2[[]byte, otlpwire.Value], p pcommon.Map) {
	next, stop := iter.Pull2(p.All())
	defer stop()
	n := 0
	for key, v := range ours {
		n++
		pdataKey, pdataValue, ok := next()
		if !ok {
			break
		}
		d.check(of+" key", string(key), pdataKey)
		d.value(of+" "+pdataKey, v, pdataValue)
	}
	d.check("attributes of "+of, n, p.Len())
}

func (d *differ) value(of string, v otlpwire.Value, p pcommon.Value) {
	typ := v.Type()
	if typ == otlpwire.TypeStrIndex {
		typ = otlpwire.TypeEmpty // pdata's API cannot show it
	}
	d.check(of+" type", pcommon.ValueType(typ), p.Type())
	if pcommon.ValueType(typ) != p.Type() {
		return
	}
	switch p.Type() {
	case pcommon.ValueTypeStr:
		d.check(of, string(v.Str()), p.Str())
	case pcommon.ValueTypeBytes:
		d.check(of, string(v.Str()), string(p.Bytes().AsRaw()))
	case pcommon.ValueTypeInt:
		d.check(of, v.Int(), p.Int())
	case pcommon.ValueTypeDouble: // by its bits, for NaN
		d.check(of, bitsOf(v.Double()), bitsOf(p.Double()))
	case pcommon.ValueTypeBool:
		d.check(of, v.Bool(), p.Bool())
	case pcommon.ValueTypeMap:
		d.attributes(of, v.Map(), p.Map())
	case pcommon.ValueTypeSlice:
		n := 0
		for e := range v.Slice() {
			if n++; n > p.Slice().Len() {
				break
			}
			d.value(of, e, p.Slice().At(n-1))
		}
		d.check(of+" length", n, p.Slice().Len())
	}
}

// compare holds our reading of b to pdata's: the verdict, every value, and the bytes that writing them again gives,
// which shows also what pdata's API hides (entity references, string table indexes).
func compare(t *testing.T, b []byte) {
	t.Helper()
	req, err := otlpwire.Parse(b, otlpwire.Limits{})
	td, pdataErr := decode(b)
	if (err == nil) != (pdataErr == nil) {
		t.Fatalf("Parse says %v, pdata says %v\n%x", err, pdataErr, b)
	}
	if _, plain := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(b); (plain == nil) != (pdataErr == nil) {
		t.Fatalf("pdata's two decoders disagree: %v, %v\n%x", pdataErr, plain, b)
	}
	if err != nil {
		readAll(otlpwire.Trusted(b, 0)) // finds what it finds, and must not panic
		return
	}
	for _, d := range diff(req, td) {
		t.Error(d)
	}
	want, err := ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	if got := rewrite(req); !bytes.Equal(got, want) {
		t.Errorf("written again:\n%x\npdata writes:\n%x", got, want)
	}
	if t.Failed() {
		t.Logf("request: %x", b)
	}
}
