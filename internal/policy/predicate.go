package policy

import (
	"fmt"
	"regexp"
	"slices"
	"sync/atomic"
)

// bit is a predicate's place among the bits of a trace.
type bit struct {
	word int
	mask uint64
}

func (b bit) in(bits []uint64) bool { return bits[b.word]&b.mask != 0 }
func (b bit) set(bits []uint64)     { bits[b.word] |= b.mask }

// A test is what an attribute predicate asks of a value. onSpan is false for attributes of a resource.
type test interface {
	holds(v Value, onSpan bool) bool
}

type oneOf map[string]struct{}

func (t oneOf) holds(v Value, _ bool) bool {
	_, ok := t[v.asStr()]
	return ok
}

// matches asks regular expressions. Of a span's attribute the empty string, and so any value that is no string, never
// matches; of a resource's it may.
type matches []*regexp.Regexp

func (t matches) holds(v Value, onSpan bool) bool {
	s := v.asStr()
	if s == "" && onSpan {
		return false
	}
	return slices.ContainsFunc(t, func(re *regexp.Regexp) bool { return re.MatchString(s) })
}

type within struct{ lo, hi int64 }

func (t within) holds(v Value, _ bool) bool { return t.lo <= v.asInt() && v.asInt() <= t.hi }

type boolIs bool

func (t boolIs) holds(v Value, _ bool) bool { return v.asBool() == bool(t) }

// keyPredicates are the predicates about one attribute key.
type keyPredicates struct {
	index int // of the key, for Seen
	bits  []bit
	tests []test
	marks []atomic.Uint32 // by which tests hold, 0: not asked for yet; nil if there are more than maxIndexedTests
}

// maxIndexedTests is how many tests of one key get a table of marks, 4 << 8 bytes: with it MarkSpan takes a seventh
// of the time for a plain value (25 ns, BenchmarkMarkSpan), which counts where values never repeat.
const maxIndexedTests = 8

// holding is the set of tests that hold for a span's attribute. There must be no more than maxIndexedTests.
func (k *keyPredicates) holding(v Value) (set uint8) {
	for i, t := range k.tests {
		if t.holds(v, true) {
			set |= 1 << i
		}
	}
	return set
}

// ask turns on the bits of the tests that hold.
func (k *keyPredicates) ask(v Value, onSpan bool, bits []uint64) {
	for i, t := range k.tests {
		if t.holds(v, onSpan) {
			k.bits[i].set(bits)
		}
	}
}

// layout hands out bits while policies compile. Equal predicates get the same one. The order of the configuration alone
// determines it, so that bits kept across a restart fit a program of the same fingerprint.
type layout struct {
	bits map[string]bit
	keys map[string]*keyPredicates
}

func newLayout() *layout {
	return &layout{bits: map[string]bit{}, keys: map[string]*keyPredicates{}}
}

func (l *layout) words() int { return (len(l.bits) + 63) / 64 }

// bit returns the bit of the predicate that identity describes, and whether it is new.
func (l *layout) bit(identity string) (bit, bool) {
	if b, ok := l.bits[identity]; ok {
		return b, false
	}
	n := len(l.bits)
	b := bit{word: n / 64, mask: 1 << (n % 64)}
	l.bits[identity] = b
	return b, true
}

// attribute returns the bit of a predicate about the attribute key.
func (l *layout) attribute(key, identity string, t test) bit {
	b, isNew := l.bit(fmt.Sprintf("attribute %q %s", key, identity))
	if !isNew {
		return b
	}
	k := l.keys[key]
	if k == nil {
		k = &keyPredicates{index: len(l.keys)}
		l.keys[key] = k
	}
	k.bits = append(k.bits, b)
	k.tests = append(k.tests, t)
	return b
}

func (l *layout) stringAttribute(c *StringAttributeConfig) (bit, error) {
	values := distinct(c.Values)
	if c.EnabledRegexMatching {
		var list matches
		for _, value := range values {
			re, err := regexp.Compile(value)
			if err != nil {
				return bit{}, err
			}
			list = append(list, re)
		}
		return l.attribute(c.Key, fmt.Sprintf("matches %q", values), list), nil
	}
	values = slices.DeleteFunc(values, func(v string) bool { return v == "" }) // in contrib the empty value matches nothing
	set := oneOf{}
	for _, value := range values {
		set[value] = struct{}{}
	}
	return l.attribute(c.Key, fmt.Sprintf("is one of %q", values), set), nil
}

func (l *layout) numericAttribute(c *NumericAttributeConfig) bit {
	r := c.bounds()
	return l.attribute(c.Key, fmt.Sprintf("within %d..%d", r.lo, r.hi), r)
}

func (l *layout) booleanAttribute(c *BooleanAttributeConfig) bit {
	return l.attribute(c.Key, fmt.Sprintf("is %t", c.Value), boolIs(c.Value))
}

func distinct(values []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(values)))
}

// traceStateTest is a trace_state policy's question.
type traceStateTest struct {
	key    string
	values oneOf
	bit    bit
}

// maxTraceStateMember is the length of key and value beyond which a member is no valid tracestate, the equals sign aside.
const maxTraceStateMember = 255

func newTraceStateTest(c *TraceStateConfig) (traceStateTest, string) {
	values := distinct(c.Values)
	values = slices.DeleteFunc(values, func(v string) bool {
		return v == "" || len(c.Key)+len(v) > maxTraceStateMember
	})
	t := traceStateTest{key: c.Key, values: oneOf{}}
	for _, v := range values {
		t.values[v] = struct{}{}
	}
	return t, fmt.Sprintf("tracestate %q is one of %q", c.Key, values)
}
