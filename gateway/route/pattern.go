package route

import (
	"fmt"
	"strings"
)

// Pattern is a path pattern in the syntax of Go's http.ServeMux: literal segments, {name} for one segment that is not
// empty, {name...} as the last segment for all that is left, {$} for the end after a slash. Unlike there a pattern may
// not end in a slash, because readers disagree on what that means.
type Pattern struct {
	text     string
	segments []segment
}

type segment struct {
	kind kind
	text string // the literal, or the wildcard's name
}

// kind orders segments from the most specific to the least.
type kind uint8

const (
	literal kind = iota
	wildcard
	remainder
)

// ParsePattern reads a path pattern.
func ParsePattern(text string) (Pattern, error) {
	if !strings.HasPrefix(text, "/") {
		return Pattern{}, fmt.Errorf("path %q must start with a slash", text)
	}
	if strings.HasSuffix(text, "/") {
		return Pattern{}, fmt.Errorf("path %q ends in a slash: write %q for exactly this path or %q for everything below it",
			text, text+"{$}", text+"{rest...}")
	}
	p := Pattern{text: text}
	names := map[string]bool{}
	parts := strings.Split(text[1:], "/")
	for i, part := range parts {
		s, err := parseSegment(part, i == len(parts)-1)
		if err != nil {
			return Pattern{}, fmt.Errorf("path %q: %w", text, err)
		}
		if s.kind != literal {
			if names[s.text] {
				return Pattern{}, fmt.Errorf("path %q: the name %q stands twice", text, s.text)
			}
			names[s.text] = true
		}
		p.segments = append(p.segments, s)
	}
	return p, nil
}

func parseSegment(part string, last bool) (segment, error) {
	if part == "{$}" {
		if !last {
			return segment{}, fmt.Errorf("{$} must be the last segment")
		}
		return segment{kind: literal}, nil // the empty segment after the last slash
	}
	inner, open := strings.CutPrefix(part, "{")
	if !open {
		return literalSegment(part)
	}
	inner, closed := strings.CutSuffix(inner, "}")
	if !closed || strings.ContainsAny(inner, "{}") {
		return segment{}, fmt.Errorf("segment %q: a wildcard is a whole segment, as in {id}", part)
	}
	name, rest := strings.CutSuffix(inner, "...")
	if !isName(name) {
		return segment{}, fmt.Errorf("segment %q: a wildcard needs a name of letters, digits and _", part)
	}
	if !rest {
		return segment{wildcard, name}, nil
	}
	if !last {
		return segment{}, fmt.Errorf("segment %q takes all that is left, so it must be the last one", part)
	}
	return segment{remainder, name}, nil
}

func literalSegment(part string) (segment, error) {
	switch {
	case strings.ContainsAny(part, "{}"):
		return segment{}, fmt.Errorf("segment %q: a wildcard is a whole segment, as in {id}", part)
	case part == "":
		return segment{}, fmt.Errorf("two slashes in a row")
	}
	text, broken := decode(part)
	if broken {
		return segment{}, fmt.Errorf("segment %q: not a valid percent encoding", part)
	}
	if checkPath("/"+part) != nil {
		return segment{}, fmt.Errorf("segment %q can never match: such requests are refused", part)
	}
	return segment{literal, text}, nil
}

func isName(s string) bool {
	for i, c := range []byte(s) {
		letter := c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// Template is the value of http.route for the pattern: its text, without the {$} that says nothing to a reader.
func (p Pattern) Template() string { return strings.TrimSuffix(p.text, "{$}") }

// String is the pattern as it was written.
func (p Pattern) String() string { return p.text }

// Names lists the wildcards of the pattern from left to right.
func (p Pattern) Names() []string {
	var names []string
	for _, s := range p.segments {
		if s.kind != literal {
			names = append(names, s.text)
		}
	}
	return names
}

// AppendValues appends to dst what the wildcards stand for in escapedPath, in the order of Names and still
// percent-encoded. It is meant for a path that the pattern matches; of any other it appends what comes before the
// difference.
func (p Pattern) AppendValues(dst []string, escapedPath string) []string {
	rest, ok := strings.CutPrefix(escapedPath, "/")
	for _, s := range p.segments {
		if !ok {
			return dst
		}
		if s.kind == remainder {
			return append(dst, rest)
		}
		var part string
		part, rest, ok = strings.Cut(rest, "/")
		if s.kind == wildcard {
			dst = append(dst, part)
		}
	}
	return dst
}

// shape identifies the paths that the pattern matches: wildcard names do not count.
func (p Pattern) shape() string {
	var b strings.Builder
	for _, s := range p.segments {
		switch s.kind {
		case literal:
			b.WriteString("/=" + s.text)
		case wildcard:
			b.WriteString("/{}")
		case remainder:
			b.WriteString("/{...}")
		}
	}
	return b.String()
}
