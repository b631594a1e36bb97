package route

import (
	"iter"
	"strings"
)

// PathError says why a path is refused. Its text is meant for the client.
type PathError struct{ reason string }

func (e *PathError) Error() string { return e.reason }

// The reasons to refuse a path.
var (
	ErrEncoding   = &PathError{"The path has a percent sign that encodes nothing, or is encoded more often than twice."}
	ErrControl    = &PathError{"The path has a control character, a blank, or a byte sequence that hides an ASCII character from UTF-8."}
	ErrDotSegment = &PathError{"The path has a . or .. segment. Send the path that is meant."}
	ErrAmbiguous  = &PathError{"The path can be read in two ways (an encoded slash, a backslash, two slashes in a row, a semicolon), and they lead to different places."}
)

// isPlain says whether a path means the same to every server: no byte in it needs a second look. It is all that most
// requests pay for the policy on paths.
func isPlain(path string) bool {
	last := byte(0)
	for i := range len(path) {
		c := path[i]
		if special[c] || last == '/' && (c == '/' || c == '.') {
			return false
		}
		last = c
	}
	return true
}

var special = func() (s [256]bool) {
	for c := range s {
		s[c] = c <= ' ' || c == 0x7f || c == '%' || c == '\\' || c == ';'
	}
	return s
}()

// checkPath refuses what no honest client sends and what servers are known to stumble over: broken escapes; control
// characters, blanks and overlong UTF-8; and segments that mean "here" or "up", in any encoding, also before parameters
// ("..;a=b") and between backslashes. It looks at the path as it is, decoded once, and decoded twice.
func checkPath(path string) error {
	if strings.IndexByte(path, ' ') >= 0 {
		return ErrControl
	}
	for decoded := 0; ; decoded++ {
		if hasControl(path) {
			return ErrControl
		}
		if hasDotSegment(path) {
			return ErrDotSegment
		}
		next, broken := decode(path)
		if broken && decoded == 0 || decoded == 2 && next != path {
			return ErrEncoding
		}
		if next == path {
			return nil
		}
		path = next
	}
}

func hasControl(path string) bool {
	for i := range len(path) {
		c, next := path[i], byte(0)
		if i+1 < len(path) {
			next = path[i+1]
		}
		overlong := (c == 0xc0 || c == 0xc1) && next&0xc0 == 0x80 || c == 0xe0 && next&0xe0 == 0x80 || c == 0xf0 && next&0xf0 == 0x80
		if c < ' ' || c == 0x7f || overlong {
			return true
		}
	}
	return false
}

// hasDotSegment says whether a path has a segment that servers resolve. Such a path could match one route here and mean
// another one upstream. Backslashes count as slashes, as some servers read them so.
func hasDotSegment(path string) bool {
	if strings.IndexByte(path, '.') < 0 {
		return false
	}
	for part := range strings.FieldsFuncSeq(path, isSlash) {
		if part, _, _ = strings.Cut(part, ";"); part == "." || part == ".." {
			return true
		}
	}
	return false
}

func isSlash(r rune) bool { return r == '/' || r == '\\' }

// maxAmbiguous is the longest path that is read in several ways. Each way costs a pass over it, 32 at the most: a
// millisecond at this length (BenchmarkMatchOddPath/worst), which is as much as one request may cost here.
const maxAmbiguous = 2 << 10

// canDiffer says whether there is a second way to read a path that passed checkPath. Where nothing but plain escapes
// stands in it there is none.
func canDiffer(path string) bool {
	once := decodeOnce(path)
	return strings.ContainsAny(once, `;\%`) || strings.Contains(once, "//") || strings.Count(once, "/") != strings.Count(path, "/")
}

// readings yields what servers are known to make of a path, decoded: any of these, one after the other, done or not.
//
//   - cut parameters (;…) off each segment, then decode
//   - decode once more
//   - take a backslash for a slash
//   - cut parameters off each segment
//   - take slashes in a row for one
//
// All of them matter together: for each one left out there is a server and a path that leads around a route.
func readings(path string) iter.Seq[string] {
	steps := [...]func(string) string{cutParameters, decodeOnce, decodeOnce, straighten, cutParameters, mergeSlashes}
	const always = 1 << 1 // the decoding that all servers do
	return func(yield func(string) bool) {
		for chosen := range 1 << len(steps) {
			if chosen&always == 0 {
				continue
			}
			if other, ok := apply(steps[:], chosen, path); ok && !yield(other) {
				return
			}
		}
	}
}

// apply takes the chosen steps. It is not ok when one but the second changes nothing, since another choice leads to the
// same result.
func apply(steps []func(string) string, chosen int, path string) (string, bool) {
	for i, step := range steps {
		if chosen&(1<<i) == 0 {
			continue
		}
		before := path
		if path = step(before); path == before && i != 1 {
			return "", false
		}
	}
	return path, true
}

func decodeOnce(path string) string {
	path, _ = decode(path)
	return path
}

func straighten(path string) string { return strings.ReplaceAll(path, `\`, "/") }

func cutParameters(path string) string {
	if strings.IndexByte(path, ';') < 0 {
		return path
	}
	var b strings.Builder
	for segment := range strings.SplitAfterSeq(path, "/") {
		text, _, cut := strings.Cut(segment, ";")
		b.WriteString(text)
		if cut && strings.HasSuffix(segment, "/") {
			b.WriteByte('/')
		}
	}
	return b.String()
}

func mergeSlashes(path string) string {
	if !strings.Contains(path, "//") {
		return path
	}
	b := make([]byte, 0, len(path))
	for i := range len(path) {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			b = append(b, path[i])
		}
	}
	return string(b)
}

// decode replaces the percent escapes of s and leaves alone, but reports, what is none. Without a percent sign nothing is
// allocated.
func decode(s string) (out string, broken bool) {
	if strings.IndexByte(s, '%') < 0 {
		return s, false
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
			broken = true
			b = append(b, '%')
			continue
		}
		b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
		i += 2
	}
	return string(b), broken
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// normalHost returns the host of a Host header as the table spells it: lower case, without port and trailing dot. Only
// an upper-case letter costs an allocation.
func normalHost(host string) string {
	if strings.HasPrefix(host, "[") { // [::1]:8080
		if end := strings.IndexByte(host, ']'); end >= 0 {
			return strings.ToLower(host[1:end])
		}
	}
	if colon := strings.LastIndexByte(host, ':'); colon >= 0 && strings.IndexByte(host, ':') == colon {
		host = host[:colon]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
