package refinery

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

// Values of every kind in the notation of the specification, each followed by one byte that is not theirs.
func TestSkipPassesOverOneValue(t *testing.T) {
	long := strings.Repeat("x", 300)
	for name, value := range map[string]string{
		"positive fixint": "\x7f", "negative fixint": "\xff", "nil": "\xc0", "false": "\xc2", "true": "\xc3",
		"uint 8": "\xcc\xff", "uint 16": "\xcd\x01\x02", "uint 32": "\xce\x01\x02\x03\x04", "uint 64": "\xcf12345678",
		"int 8": "\xd0\xff", "int 16": "\xd1\x01\x02", "int 32": "\xd2\x01\x02\x03\x04", "int 64": "\xd312345678",
		"float 32": "\xca1234", "float 64": "\xcb12345678",
		"fixstr": "\xa3abc", "empty": "\xa0", "str 8": "\xd9\x03abc", "str 16": "\xda\x01\x2c" + long, "str 32": "\xdb\x00\x00\x01\x2c" + long,
		"bin 8": "\xc4\x02ab", "bin 16": "\xc5\x01\x2c" + long, "bin 32": "\xc6\x00\x00\x01\x2c" + long,
		"fixext 1": "\xd4\xffa", "fixext 2": "\xd5\xffab", "fixext 4": "\xd6\xff1234", "fixext 8": "\xd7\xff12345678",
		"fixext 16": "\xd8\xff1234567812345678", "ext 8": "\xc7\x03\xffabc", "ext 16": "\xc8\x01\x2c\xff" + long, "ext 32": "\xc9\x00\x00\x00\x01\xffa",
		"array": "\x93\x01\xa1a\x90", "array 16": "\xdc\x00\x02\x01\x02", "array 32": "\xdd\x00\x00\x00\x01\xc0",
		"map": "\x82\xa1a\x81\xa1b\x91\x01\xa1c\xc3", "map 16": "\xde\x00\x01\x01\x02", "map 32": "\xdf\x00\x00\x00\x00",
	} {
		s := scanner{rest: []byte(value + "!")}
		if s.skip(); s.err != nil || string(s.rest) != "!" {
			t.Errorf("%s: %q is left, %v", name, s.rest, s.err)
		}
		// Cut anywhere, it is too short, and says so instead of reading on.
		for cut := range value {
			s := scanner{rest: []byte(value[:cut])}
			if s.skip(); s.err == nil {
				t.Errorf("%s: cut after %d of %d bytes and skipped", name, cut, len(value))
			}
		}
	}
	s := scanner{rest: []byte("\xc1")}
	if s.skip(); s.err == nil || !strings.Contains(s.err.Error(), "0xc1") {
		t.Errorf("the byte that begins nothing: %v", s.err)
	}
}

// A length that cannot be true must not be believed: the reader loops over it.
func TestLengthsBeyondTheBatchAreRefused(t *testing.T) {
	for _, lie := range []string{"\xdd\xff\xff\xff\xff\x01", "\xdf\xff\xff\xff\xff\x01", "\xdc\x00\x02\x01"} {
		s := scanner{rest: []byte(lie)}
		if s.skip(); s.err == nil {
			t.Errorf("%q was skipped", lie)
		}
	}
}

// FuzzSkip compares with a reader that calls itself, over whole input.
func FuzzSkip(f *testing.F) {
	for _, seed := range []string{"\x93\x01\xa1a\x90", "\x82\xa1a\x81\xa1b\x91\x01\xa1c\xc3", "\xc7\x03\xffabc", "\xdd\xff\xff\xff\xff", "\xcb1234567"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		if bytes.Count(value, []byte{0x91}) > 1000 {
			t.Skip("too deep for the twin")
		}
		s := scanner{rest: value}
		s.skip()
		rest, ok := twin(value)
		if ok != (s.err == nil) {
			t.Fatalf("error %v, the twin says %v", s.err, ok)
		}
		if ok && !bytes.Equal(s.rest, rest) {
			t.Errorf("%d bytes left, the twin leaves %d", len(s.rest), len(rest))
		}
	})
}

// twin reads one value by the table of formats: how many bytes the length has, how many follow besides, and how many
// values each counted thing is.
func twin(b []byte) (rest []byte, ok bool) {
	if len(b) == 0 {
		return nil, false
	}
	first, b := b[0], b[1:]
	formats := map[byte]struct{ length, extra, values int }{
		0xc0: {}, 0xc2: {}, 0xc3: {},
		0xc4: {1, 0, 0}, 0xc5: {2, 0, 0}, 0xc6: {4, 0, 0}, 0xc7: {1, 1, 0}, 0xc8: {2, 1, 0}, 0xc9: {4, 1, 0},
		0xca: {0, 4, 0}, 0xcb: {0, 8, 0}, 0xcc: {0, 1, 0}, 0xcd: {0, 2, 0}, 0xce: {0, 4, 0}, 0xcf: {0, 8, 0},
		0xd0: {0, 1, 0}, 0xd1: {0, 2, 0}, 0xd2: {0, 4, 0}, 0xd3: {0, 8, 0},
		0xd4: {0, 2, 0}, 0xd5: {0, 3, 0}, 0xd6: {0, 5, 0}, 0xd7: {0, 9, 0}, 0xd8: {0, 17, 0},
		0xd9: {1, 0, 0}, 0xda: {2, 0, 0}, 0xdb: {4, 0, 0},
		0xdc: {2, 0, 1}, 0xdd: {4, 0, 1}, 0xde: {2, 0, 2}, 0xdf: {4, 0, 2},
	}
	n, values := 0, 0
	format, known := formats[first]
	switch {
	case first < 0x80, first >= 0xe0:
	case first < 0x90:
		n, values = int(first&15), 2
	case first < 0xa0:
		n, values = int(first&15), 1
	case first < 0xc0:
		n = int(first & 31)
	case !known || len(b) < format.length:
		return nil, false
	default:
		n = int(binary.BigEndian.Uint32(append(make([]byte, 4-format.length), b[:format.length]...)))
		b, values = b[format.length:], format.values
	}
	if values == 0 {
		n += format.extra
		if n > len(b) {
			return nil, false
		}
		return b[n:], true
	}
	if n > len(b) {
		return nil, false
	}
	for range n * values {
		if b, ok = twin(b); !ok {
			return nil, false
		}
	}
	return b, true
}
