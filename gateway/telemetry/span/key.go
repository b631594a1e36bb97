package span

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tailgate-otel/tailgate/internal/otlpwire"
)

// Key is the key of an attribute in the form in which it stands in a KeyValue message, made once per program.
type Key struct{ name, field string }

// NewKey encodes a key.
func NewKey(name string) Key {
	return Key{name, string(otlpwire.AppendBytes([]byte(nil), otlpwire.KeyValueKey, name))}
}

// valid returns s with what is not UTF-8 replaced. Paths, hosts and user agents are whatever bytes clients send, and a
// receiver that decodes strictly refuses a whole request for one such string; the SDK's exporter cannot even encode it.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// maxShort is the greatest length of a message that takes one byte.
const maxShort = 127

// appendStr appends a string attribute of a span. While the whole is at most 127 bytes long, as nearly all are, every
// length is one byte at a place that is known: BenchmarkRequest took 460 ns with otlpwire.AppendStr, which computes sizes,
// and 360 with this.
func (k Key) appendStr(dst []byte, value string) []byte {
	value = valid(value)
	n := len(k.field) + 4 + len(value)
	if n > maxShort {
		return otlpwire.AppendStr(dst, otlpwire.SpanAttributes, k.name, value)
	}
	end := len(dst) + 2 + n
	if end > cap(dst) {
		dst = slices.Grow(dst, 2+n)
	}
	b := dst[len(dst):end]
	b[0], b[1] = byte(otlpwire.SpanAttributes), byte(n)
	b = b[2+copy(b[2:], k.field):]
	b[0], b[1], b[2], b[3] = byte(otlpwire.KeyValueValue), byte(2+len(value)), byte(otlpwire.ValueStr), byte(len(value))
	copy(b[4:], value)
	return dst[:end]
}

// appendJoined appends a string attribute of a span whose value is all parts together.
func (k Key) appendJoined(dst []byte, parts []string) []byte {
	n := 0
	for _, p := range parts {
		if !utf8.ValidString(p) {
			return k.appendStr(dst, strings.Join(parts, ""))
		}
		n += len(p)
	}
	inValue := otlpwire.SizeBytes(otlpwire.ValueStr, n)
	dst = otlpwire.AppendHeader(dst, otlpwire.SpanAttributes, len(k.field)+otlpwire.SizeBytes(otlpwire.KeyValueValue, inValue))
	dst = append(dst, k.field...)
	dst = otlpwire.AppendHeader(dst, otlpwire.KeyValueValue, inValue)
	dst = otlpwire.AppendHeader(dst, otlpwire.ValueStr, n)
	for _, p := range parts {
		dst = append(dst, p...)
	}
	return dst
}

// appendInt appends an integer attribute of a span.
func (k Key) appendInt(dst []byte, value int64) []byte {
	width := otlpwire.SizeUvarint(uint64(value))
	n := len(k.field) + 3 + width
	if n > maxShort {
		return otlpwire.AppendInt(dst, otlpwire.SpanAttributes, k.name, value)
	}
	dst = append(dst, byte(otlpwire.SpanAttributes), byte(n))
	dst = append(dst, k.field...)
	dst = append(dst, byte(otlpwire.KeyValueValue), byte(1+width), byte(otlpwire.ValueInt))
	return binary.AppendUvarint(dst, uint64(value))
}
