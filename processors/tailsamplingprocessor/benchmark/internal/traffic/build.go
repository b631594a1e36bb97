package traffic

import (
	"math/rand/v2"
	"strings"
)

// epoch is where the clock of all traffic starts: 2026-01-01. Decisions must not depend on when the benchmark runs.
const epoch = 1_767_225_600_000_000_000

// Fields of opentelemetry-proto 1.x: trace/v1/trace.proto, common/v1/common.proto, resource/v1/resource.proto.
const (
	fieldResourceSpans = 1 // ExportTraceServiceRequest

	fieldResource   = 1 // ResourceSpans
	fieldScopeSpans = 2
	fieldSchemaURL  = 3

	fieldResourceAttributes = 1 // Resource

	fieldScope = 1 // ScopeSpans
	fieldSpans = 2

	fieldScopeName    = 1 // InstrumentationScope
	fieldScopeVersion = 2

	fieldTraceID    = 1 // Span
	fieldSpanID     = 2
	fieldParentID   = 4
	fieldName       = 5
	fieldKind       = 6
	fieldStart      = 7
	fieldEnd        = 8
	fieldAttributes = 9
	fieldStatus     = 15
	fieldFlags      = 16

	fieldStatusMessage = 2 // Status
	fieldStatusCode    = 3

	fieldKey   = 1 // KeyValue
	fieldValue = 2

	fieldStringValue = 1 // AnyValue
	fieldBoolValue   = 2
	fieldIntValue    = 3
)

const (
	statusError = 2
	// flagsSampled with "the parent is not remote", as SDKs fill it in: SpanFlags in trace.proto.
	flagsSampled = 0x101

	schemaURL = "https://opentelemetry.io/schemas/1.34.0"
)

// A builder writes one request.
type builder struct {
	w          writer
	rand       *rand.Rand
	unrepeated bool
}

// request writes the spans as sent by a node: those of a trace go round the node's pods, as calls do.
func (b *builder) request(node int, spans []plannedSpan) {
	var pods [podsPerNode][]plannedSpan
	for _, s := range spans {
		pod := (s.trace.seed + uint64(s.index)) % podsPerNode
		pods[pod] = append(pods[pod], s)
	}
	for i, sent := range pods {
		b.w.message(fieldResourceSpans, func() {
			b.w.message(fieldResource, func() {
				for _, a := range resource(node*podsPerNode + i) {
					b.attribute(fieldResourceAttributes, a)
				}
			})
			b.w.message(fieldScopeSpans, func() {
				b.w.message(fieldScope, func() {
					b.w.str(fieldScopeName, "shop/telemetry")
					b.w.str(fieldScopeVersion, "1.9.0")
				})
				for _, s := range sent {
					b.w.message(fieldSpans, func() { b.span(s) })
				}
			})
			b.w.str(fieldSchemaURL, schemaURL)
		})
	}
}

func (b *builder) span(s plannedSpan) {
	sh := shape(b.rand, s.index == 0, s.trace.tenant)
	b.w.id(fieldTraceID, 16, s.trace.seed)
	b.w.id(fieldSpanID, 8, spanSeed(s.trace, s.index))
	if s.parent >= 0 {
		b.w.id(fieldParentID, 8, spanSeed(s.trace, s.parent))
	}
	b.text(fieldName, sh.name)
	b.w.varint(fieldKind, sh.kind)
	b.w.time(fieldStart, epoch+uint64(s.start))
	b.w.time(fieldEnd, epoch+uint64(s.start+s.duration))
	for _, a := range sh.attributes {
		if b.unrepeated {
			a = unrepeated(a)
		}
		b.attribute(fieldAttributes, a)
	}
	if s.failed {
		b.w.message(fieldStatus, func() {
			b.w.str(fieldStatusMessage, "upstream connect error")
			b.w.varint(fieldStatusCode, statusError)
		})
	}
	b.w.fixed32(fieldFlags, flagsSampled)
}

func spanSeed(t *plannedTrace, index int) uint64 { return mix(t.seed, uint64(index)) }

func (b *builder) attribute(field int, a attribute) {
	b.w.message(field, func() {
		b.w.str(fieldKey, a.key)
		b.w.message(fieldValue, func() {
			switch {
			case a.kind == boolValue:
				b.w.varint(fieldBoolValue, uint64(a.num))
			case a.kind == intValue && a.token > 0:
				b.w.varint(fieldIntValue, 1<<(7*a.token-1)) // placeholder of a.token bytes
				b.w.mark(markVarint, a.token, b.rand.Uint64())
			case a.kind == intValue:
				b.w.varint(fieldIntValue, uint64(a.num))
			default:
				b.w.str(fieldStringValue, a.text+strings.Repeat("0", a.token))
				if a.token > 0 {
					b.w.mark(markHex, a.token, b.rand.Uint64())
				}
			}
		})
	})
}

// text writes a span name.
func (b *builder) text(field int, s string) {
	if !b.unrepeated {
		b.w.str(field, s)
		return
	}
	width := max(len(s), minToken)
	b.w.str(field, strings.Repeat("0", width))
	b.w.mark(markHex, width, b.rand.Uint64())
}

const (
	minToken    = 12 // 48 bits: values do not meet by chance
	varintToken = 6  // bytes, 41 free bits
)

// unrepeated makes the value of a span attribute new each round, as long as it was where that leaves room to be unique.
func unrepeated(a attribute) attribute {
	switch {
	case a.kind == boolValue, a.key == TenantKey && a.text == WatchedTenant:
	case a.kind == intValue:
		a.token = varintToken
	default:
		a.token, a.text = min(max(len(a.text)+a.token, minToken), 255), ""
	}
	return a
}
