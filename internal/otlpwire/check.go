package otlpwire

const (
	cutShort  = "cut short, or a malformed length, number or tag"
	wrongType = "wrong wire type, or field number 0"
	badLength = "an id of the wrong length"
	badSkip   = "an unknown field that cannot be skipped"
)

// CheckSpan reports whether b is one well-formed Span, as Parse does for whole requests.
func CheckSpan(b []byte, lim Limits) error { return check(span, b, lim) }

// CheckResource reports whether b is one well-formed Resource.
func CheckResource(b []byte, lim Limits) error { return check(resource, b, lim) }

// CheckScope reports whether b is one well-formed InstrumentationScope.
func CheckScope(b []byte, lim Limits) error { return check(scope, b, lim) }

func check(a action, b []byte, lim Limits) error {
	c := checker{b: b, lim: lim.unbounded()}
	c.message(a, 0, len(b))
	return c.err
}

// checker walks a message once, depth first, driven by shapes. Positions are absolute, so that errors can name them.
type checker struct {
	b   []byte
	lim Limits
	err error

	spans int // all spans, ignored ones included
	attrs int // attributes of the innermost item so far
	depth int // values open

	// Of the current ResourceSpans: scopes in field 2 make those in field 1000 invisible.
	newScopes bool
	oldSpans  int
	ignored   int // spans made invisible so far
}

func (c *checker) syntax(a action, at int, reason string) bool {
	c.err = &SyntaxError{Message: shapes[a].name, Offset: at, Reason: reason}
	return false
}

func (c *checker) exceeded(limit string, bound, at int) bool {
	c.err = &LimitError{Limit: limit, Max: bound, Offset: at}
	return false
}

// message checks the fields in c.b[pos:end] against the shape of a.
func (c *checker) message(a action, pos, end int) bool {
	b, s := c.b[:end], &shapes[a]
	for pos < len(b) {
		at := pos
		field := Field(b[pos])
		pos++
		if field >= 0x80 {
			if field, pos = tag(b, at); pos < 0 {
				return c.syntax(a, at, cutShort)
			}
		}
		act := s.action(field)
		switch act {
		case unknown:
			if pos = skip(b, pos, uint64(field&7)); pos < 0 {
				return c.syntax(a, at, badSkip)
			}
			continue
		case refused:
			return c.syntax(a, at, wrongType)
		case varint:
			_, pos = uvarint(b, pos)
		case fixed64:
			pos = within(b, pos+8)
		case fixed32:
			pos = within(b, pos+4)
		default:
			var start, next int
			if uint(pos) < uint(len(b)) && b[pos] < 0x80 {
				start = pos + 1
				next = within(b, start+int(b[pos]))
			} else {
				start, next = payload(b, pos)
			}
			if act != text && next >= 0 && !c.content(a, act, at, start, next) {
				return false
			}
			pos = next
		}
		if pos < 0 {
			return c.syntax(a, at, cutShort)
		}
	}
	return true
}

// content checks the content, c.b[start:end], of a length-delimited field of message a whose tag is at at.
func (c *checker) content(a, act action, at, start, end int) bool {
	switch act {
	case traceID:
		if n := end - start; n != 0 && n != len(TraceID{}) {
			return c.syntax(a, at, badLength)
		}
		return true
	case spanID:
		if n := end - start; n != 0 && n != len(SpanID{}) {
			return c.syntax(a, at, badLength)
		}
		return true
	case attribute:
		if c.attrs++; c.attrs > c.lim.MaxAttributes {
			return c.exceeded("attributes", c.lim.MaxAttributes, at)
		}
		if plain(c.b[start:end]) {
			return true
		}
		return c.message(act, start, end)
	case value:
		if c.depth++; c.depth > c.lim.MaxDepth {
			return c.exceeded("depth", c.lim.MaxDepth, at)
		}
		ok := c.message(act, start, end)
		c.depth--
		return ok
	case resourceSpans, scopeSpans, oldScopeSpans, span, event, link:
		return c.item(act, at, start, end)
	default:
		return c.message(act, start, end)
	}
}

// item checks a message that owns attributes, directly or through a resource or scope of its own, and counts spans.
func (c *checker) item(act action, at, start, end int) bool {
	outer := c.attrs
	c.attrs = 0
	spans := c.spans
	switch act {
	case span:
		if c.spans++; c.spans > c.lim.MaxSpans {
			return c.exceeded("spans", c.lim.MaxSpans, at)
		}
	case scopeSpans:
		c.newScopes = true
	case resourceSpans:
		c.newScopes, c.oldSpans = false, 0
	}
	if !c.message(act, start, end) {
		return false
	}
	switch act {
	case oldScopeSpans:
		c.oldSpans += c.spans - spans
	case resourceSpans:
		if c.newScopes {
			c.ignored += c.oldSpans
		}
	}
	c.attrs = outer
	return true
}

// plain recognises nearly every attribute there is by a handful of comparisons: a key and a short string or an integer.
// What it does not recognise may be well-formed all the same. It saves two calls of message, half of BenchmarkRead's check.
func plain(kv []byte) bool {
	n, first := split(kv)
	var v []byte
	switch first {
	case KeyValueKey:
		v = kv[4+n:]
	case KeyValueValue:
		v = kv[2 : 2+n]
	default:
		return false
	}
	return isStr(v) || isInt(v)
}
