package route

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// Test is how a condition looks at a value.
type Test uint8

// The tests.
const (
	Equals  Test = iota // the value is Text
	Starts              // the value starts with Text
	Matches             // Regex finds something in the value
	Present             // any value will do
)

// Condition is about the values of one header or query parameter: it holds when one of them passes the test, or, with
// Not, when none does. A header or parameter that is not there has no values.
type Condition struct {
	Name  string // of a header in canonical form, of a parameter as it reads when decoded
	Test  Test
	Text  string
	Regex *regexp.Regexp
	Not   bool
}

func (c *Condition) passes(value string) bool {
	switch c.Test {
	case Starts:
		return strings.HasPrefix(value, c.Text)
	case Matches:
		return c.Regex.MatchString(value)
	case Present:
		return true
	default:
		return value == c.Text
	}
}

func (c *Condition) inHeader(h http.Header) bool {
	for _, v := range h[c.Name] {
		if c.passes(v) {
			return !c.Not
		}
	}
	return c.Not
}

// inQuery reads a raw query as url.ParseQuery does, which leaves out pairs with a semicolon or a bad escape, but builds
// no map.
func (c *Condition) inQuery(raw string) bool {
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		name, value, _ := strings.Cut(pair, "=")
		if name != c.Name { // most often it is another one, and then all is said
			if name, ok := unescapeQuery(name); !ok || name != c.Name {
				continue
			}
		}
		if pair == "" || strings.IndexByte(pair, ';') >= 0 {
			continue
		}
		if value, ok := unescapeQuery(value); ok && c.passes(value) {
			return !c.Not
		}
	}
	return c.Not
}

func unescapeQuery(s string) (string, bool) {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s, true
	}
	out, err := url.QueryUnescape(s)
	return out, err == nil
}

// String is the condition as the admin page shows it.
func (c Condition) String() string {
	not := ""
	if c.Not {
		not = "not "
	}
	switch c.Test {
	case Starts:
		return not + c.Name + "=" + c.Text + "*"
	case Matches:
		return not + c.Name + "~" + c.Regex.String()
	case Present:
		return not + c.Name
	default:
		return not + c.Name + "=" + c.Text
	}
}
