package tracelog

import (
	"hash/maphash"
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/xpdata/entity"
)

// Resource is one ResourceSpans of a request, prepared once and then used with the logs of all shards.
type Resource struct {
	spans ptrace.ResourceSpans
	sum   sum
	proto []byte // the whole resource as protobuf, if it has more than attributes
	Size  int    // of the Resource message, bytes
}

// Scope is one ScopeSpans of a request below its Resource.
type Scope struct {
	resource *Resource
	spans    ptrace.ScopeSpans
	sum      sum
	Size     int // of the InstrumentationScope message, bytes
}

// Sums tells resources and scopes apart. They are compared by 128 bits of two keyed hashes, because they are long and
// come with every request: a collision would need 2^64 different ones.
type Sums struct{ a, b maphash.Seed }

type sum struct{ a, b uint64 }

// NewSums returns hashes with seeds of their own.
func NewSums() *Sums { return &Sums{maphash.MakeSeed(), maphash.MakeSeed()} }

func (h *Sums) string(s sum, text string) sum {
	return sum{mix(s.a, maphash.String(h.a, text)), mix(s.b, maphash.String(h.b, text))}
}

func (h *Sums) number(s sum, n uint64) sum {
	return sum{mix(s.a+1, n), mix(s.b+2, n^0x5bd1e9955bd1e995)}
}

func (h *Sums) attributes(s sum, m pcommon.Map) sum {
	for k, v := range m.All() {
		s = h.value(h.string(s, k), v)
	}
	return h.number(s, uint64(m.Len()))
}

func (h *Sums) value(s sum, v pcommon.Value) sum {
	s = h.number(s, uint64(v.Type())+1)
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return h.string(s, v.Str())
	case pcommon.ValueTypeInt:
		return h.number(s, uint64(v.Int()))
	case pcommon.ValueTypeDouble:
		return h.number(s, math.Float64bits(v.Double()))
	case pcommon.ValueTypeBool:
		if v.Bool() {
			return h.number(s, 1)
		}
		return h.number(s, 0)
	case pcommon.ValueTypeBytes:
		return h.string(s, string(v.Bytes().AsRaw()))
	case pcommon.ValueTypeMap:
		return h.attributes(s, v.Map())
	case pcommon.ValueTypeSlice:
		for _, item := range v.Slice().All() {
			s = h.value(s, item)
		}
		return h.number(s, uint64(v.Slice().Len()))
	}
	return s
}

// Resource prepares rs. It is valid as long as rs is.
func (h *Sums) Resource(rs ptrace.ResourceSpans) Resource {
	res := rs.Resource()
	r := Resource{spans: rs}
	r.sum = h.attributes(sum{}, res.Attributes())
	r.sum = h.number(r.sum, uint64(res.DroppedAttributesCount()))
	r.sum = h.string(r.sum, rs.SchemaUrl())
	r.Size = attributesSize(res.Attributes()) + count(uint64(res.DroppedAttributesCount()))
	if entity.ResourceEntityRefs(res).Len() > 0 {
		r.proto = resourceProto(rs)
		r.sum = h.string(r.sum, view(r.proto))
		r.Size = resourceSize(res)
	}
	return r
}

// Scope prepares ss below r.
func (h *Sums) Scope(r *Resource, ss ptrace.ScopeSpans) Scope {
	s := Scope{resource: r, spans: ss}
	scope := ss.Scope()
	s.sum = h.string(h.string(r.sum, scope.Name()), scope.Version())
	s.sum = h.attributes(s.sum, scope.Attributes())
	s.sum = h.string(h.number(s.sum, uint64(scope.DroppedAttributesCount())), ss.SchemaUrl())
	s.Size = text(scope.Name()) + text(scope.Version()) + attributesSize(scope.Attributes()) +
		count(uint64(scope.DroppedAttributesCount()))
	return s
}

// resourceProto is rs without its spans.
func resourceProto(rs ptrace.ResourceSpans) []byte {
	td := ptrace.NewTraces()
	only := td.ResourceSpans().AppendEmpty()
	rs.Resource().CopyTo(only.Resource())
	only.SetSchemaUrl(rs.SchemaUrl())
	b, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	if err != nil {
		panic(err) // the marshaler has no failure: it measures, allocates and writes
	}
	return b
}

func resourceSize(res pcommon.Resource) int {
	td := ptrace.NewTraces()
	only := td.ResourceSpans().AppendEmpty()
	res.CopyTo(only.Resource())
	n := (&ptrace.ProtoMarshaler{}).ResourceSpansSize(only) // field(size), for a ResourceSpans with nothing else
	for size := n - 2; ; size-- {
		if field(size) == n {
			return size
		}
	}
}

func attributesSize(m pcommon.Map) (size int) {
	for k, v := range m.All() {
		n := field(valueSize(v))
		if len(k) > 0 {
			n += field(len(k))
		}
		size += field(n)
	}
	return size
}

func valueSize(v pcommon.Value) (size int) {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return field(len(v.Str()))
	case pcommon.ValueTypeBool:
		return 2
	case pcommon.ValueTypeInt:
		return 1 + sov(uint64(v.Int()))
	case pcommon.ValueTypeDouble:
		return 9
	case pcommon.ValueTypeBytes:
		return field(v.Bytes().Len())
	case pcommon.ValueTypeMap:
		return field(attributesSize(v.Map()))
	case pcommon.ValueTypeSlice:
		for _, item := range v.Slice().All() {
			size += field(valueSize(item))
		}
		return field(size)
	}
	return 0
}

// resource writes the body of a resource record.
func (e *encoder) resource(r *Resource) {
	if r.proto != nil {
		if e.room(len(r.proto) + 12) {
			e.byte(1)
			e.text(view(r.proto))
		}
		return
	}
	if !e.room(12) {
		return
	}
	e.byte(0)
	e.uvarint(uint64(r.spans.Resource().DroppedAttributesCount()))
	e.string(r.spans.SchemaUrl())
	if !e.full {
		e.attributes(r.spans.Resource().Attributes(), false)
	}
}

// scope writes the body of a scope record.
func (e *encoder) scope(s *Scope, resource int) {
	if !e.room(24) {
		return
	}
	scope := s.spans.Scope()
	e.uvarint(uint64(resource))
	e.uvarint(uint64(scope.DroppedAttributesCount()))
	for _, text := range []string{scope.Name(), scope.Version(), s.spans.SchemaUrl()} {
		if e.string(text); e.full {
			return
		}
	}
	e.attributes(scope.Attributes(), false)
}
