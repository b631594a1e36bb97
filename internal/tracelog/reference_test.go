package tracelog

import (
	"encoding/binary"
	"testing"

	"github.com/tailgate-otel/tailgate/internal/otlpwire"
)

// References and values that no encoder writes are refused, wherever they point.
func TestReferences(t *testing.T) {
	const (
		text      = 70  // "abc"
		attribute = 80  // k = "v"
		twin      = 100 // of attribute
		long      = 120 // a text that claims to be longer than the segment
		wild      = 140 // an attribute whose key is behind it
		record    = 200 // the one that is read
	)
	segment := make([]byte, 300)
	copy(segment[text:], "\x03abc")
	copy(segment[attribute:], []byte{0, 1, 'k', kindString, 1, 'v'})
	copy(segment[twin:], uvarints(attribute<<1|1))
	copy(segment[long:], uvarints(1000))
	copy(segment[wild:], uvarints((wild+1)<<1))
	asString := func(r *reader) []byte { return r.string() }
	asAttribute := func(r *reader) []byte { return r.attribute(nil, otlpwire.SpanAttributes) }
	asAttributes := func(r *reader) []byte { return r.attributes(nil, otlpwire.SpanAttributes) }
	for _, c := range []struct {
		name string
		read func(*reader) []byte
		body []byte
		good bool
	}{
		{"a text of its own", asString, []byte("\x00\x02xy"), true},
		{"an earlier text", asString, uvarints(text), true},
		{"a text in the header", asString, uvarints(segmentHeader - 1), false},
		{"the reference itself", asString, uvarints(record), false},
		{"a later text", asString, uvarints(record + 50), false},
		{"a text beyond the segment", asString, uvarints(1 << 40), false},
		{"a text that is too long", asString, uvarints(long), false},
		{"a text longer than the record", asString, []byte("\x00\x7fxy"), false},
		{"nothing", asString, nil, false},
		{"a number without end", asString, []byte{0x80, 0x80, 0x80}, false},
		{"a number of more than 64 bits", asString, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, false},
		{"an attribute of its own", asAttribute, []byte{0, 1, 'k', kindInt, 2}, true},
		{"an earlier attribute", asAttribute, uvarints(attribute<<1 | 1), true},
		{"an earlier key", asAttribute, append(uvarints(text<<1), kindTrue), true},
		{"the twin of a twin", asAttribute, uvarints(twin<<1 | 1), false},
		{"an attribute with a wild key", asAttribute, uvarints(wild<<1 | 1), false},
		{"a later key", asAttribute, append(uvarints((record+9)<<1), kindTrue), false},
		{"an attribute in the header", asAttribute, uvarints(8<<1 | 1), false},
		{"an unknown kind of value", asAttribute, []byte{0, 1, 'k', kindMap + 1}, false},
		{"half a double", asAttribute, []byte{0, 1, 'k', kindDouble, 1, 2, 3}, false},
		{"no value", asAttribute, []byte{0, 1, 'k'}, false},
		{"an array of more than there is", asAttribute, []byte{0, 1, 'k', kindNested, 2, kindArray, 100}, false},
		{"a nested value that is none", asAttribute, []byte{0, 1, 'k', kindNested, 2, kindInt, 1}, false},
		{"no attributes", asAttributes, []byte{0}, true},
		{"more attributes than bytes", asAttributes, uvarints(1 << 60), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			copy(segment[record:], c.body)
			r := reader{mem: segment, p: record, end: record + len(c.body)}
			c.read(&r)
			if r.bad == c.good {
				t.Errorf("refused: %v, want %v", r.bad, !c.good)
			}
			if c.good && r.p != r.end {
				t.Errorf("%d bytes are left", r.end-r.p)
			}
		})
	}
}

func uvarints(all ...uint64) (b []byte) {
	for _, v := range all {
		b = binary.AppendUvarint(b, v)
	}
	return b
}
