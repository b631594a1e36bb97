package otlpwire_test

import (
	"bytes"
	"fmt"
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
	for rs := req.ResourceSpans(); rs.Next(); n++ {
		if n >= td.ResourceSpans().Len() {
			return append(d.found, "too many resource spans")
		}
		p := td.ResourceSpans().At(n)
		d.check("schema URL", string(rs.SchemaURL), p.SchemaUrl())
		d.check("resource dropped", droppedOfResource(rs.Resource), p.Resource().DroppedAttributesCount())
		d.attributes("resource", otlpwire.ReadAttributes(otlpwire.ResourceAttributes, rs.Resource), p.Resource().Attributes())
		d.scopes(rs.Scopes(), p.ScopeSpans())
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

func (d *differ) scopes(ss otlpwire.ScopeSpansIter, p ptrace.ScopeSpansSlice) {
	n := 0
	var scope otlpwire.Scope
	for ; ss.Next() && n < p.Len(); n++ {
		p := p.At(n)
		scope.Decode(ss.Scope)
		d.check("scope schema URL", string(ss.SchemaURL), p.SchemaUrl())
		d.check("scope name", string(scope.Name), p.Scope().Name())
		d.check("scope version", string(scope.Version), p.Scope().Version())
		d.check("scope dropped", scope.DroppedAttributes, p.Scope().DroppedAttributesCount())
		d.attributes("scope", scope.Attributes(), p.Scope().Attributes())
		spans := 0
		var s otlpwire.Span
		for it := ss.Spans(); it.Next() && spans < p.Spans().Len(); spans++ {
			s.Decode(it.Raw)
			d.span(&s, p.Spans().At(spans))
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
	for it := s.Events(); it.Next() && n < p.Events().Len(); n++ {
		e.Decode(it.Raw)
		d.event(&e, p.Events().At(n))
	}
	d.check("events", n, p.Events().Len())
	n = 0
	var l otlpwire.Link
	for it := s.Links(); it.Next() && n < p.Links().Len(); n++ {
		l.Decode(it.Raw)
		d.link(&l, p.Links().At(n))
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

func (d *differ) attributes(of string, it otlpwire.KeyValues, p pcommon.Map) {
	n := 0
	for key, v := range p.All() {
		if !it.Next() {
			break
		}
		n++
		d.check(of+" key", string(it.Key), key)
		d.value(of+" "+key, &it.Value, v)
	}
	d.check("attributes of "+of, n, p.Len())
	d.check("attributes of "+of+" beyond pdata's", it.Next(), false)
}

func (d *differ) value(of string, v *otlpwire.Value, p pcommon.Value) {
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
		for it := v.Slice(); it.Next() && n < p.Slice().Len(); n++ {
			e := otlpwire.ReadValue(it.Raw)
			d.value(of, &e, p.Slice().At(n))
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
