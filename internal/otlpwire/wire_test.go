package otlpwire_test

import (
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tailgate-otel/tailgate/internal/otlpwire"
)

var rewriteFiles = flag.Bool("rewrite", false, "write the results that the files in testdata expect anew")

// wireCase is one message of testdata/wire.txt.
type wireCase struct {
	comment, source, want string
	bytes                 []byte
}

// TestWire reads the messages of testdata/wire.txt and compares what comes out with the file and with pdata.
func TestWire(t *testing.T) {
	const path = "testdata/wire.txt"
	var out strings.Builder
	for _, c := range wireCases(t) {
		got := dump(c.bytes)
		fmt.Fprintf(&out, "%s\n%s\n----\n%s\n\n", c.comment, c.source, got)
		t.Run(strings.TrimPrefix(c.comment, "# "), func(t *testing.T) {
			compare(t, c.bytes)
			if got != c.want && !*rewriteFiles {
				t.Errorf("%s\ngot:\n%s\nwant:\n%s", c.source, got, c.want)
			}
		})
	}
	if *rewriteFiles {
		if err := os.WriteFile(path, []byte(strings.TrimSuffix(out.String(), "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func wireCases(t testing.TB) []wireCase {
	t.Helper()
	text, err := os.ReadFile("testdata/wire.txt")
	if err != nil {
		t.Fatal(err)
	}
	var cases []wireCase
	for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		head, want, _ := strings.Cut(block, "\n----\n")
		var c wireCase
		var comment, source []string
		for line := range strings.SplitSeq(head, "\n") {
			if strings.HasPrefix(line, "#") {
				comment = append(comment, line)
				continue
			}
			source = append(source, line)
		}
		c.comment, c.source, c.want = strings.Join(comment, "\n"), strings.Join(source, "\n"), strings.TrimSuffix(want, "\n----")
		c.bytes = assembleWire(t, c.source)
		cases = append(cases, c)
	}
	return cases
}

var token = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\d+\{|\}|\d+:-?\d+|[0-9a-f]{2}\b|\S+`)

// assembleWire turns the notation of testdata/wire.txt into bytes: 5{ … } is field 5 with a length, 6:3 field 6 as a
// varint, "…" a Go string, and anything else bytes in hex.
func assembleWire(t testing.TB, source string) []byte {
	t.Helper()
	stack := [][]byte{nil}
	var fields []uint64
	for _, tok := range token.FindAllString(source, -1) {
		top := &stack[len(stack)-1]
		number, rest, isField := strings.Cut(strings.TrimSuffix(tok, "{"), ":")
		switch {
		case tok[0] == '"':
			s, err := strconv.Unquote(tok)
			if err != nil {
				t.Fatalf("%s: %v", tok, err)
			}
			*top = append(*top, s...)
		case tok == "}":
			if len(fields) == 0 {
				t.Fatalf("unopened } in %s", source)
			}
			content := *top
			stack = stack[:len(stack)-1]
			outer := &stack[len(stack)-1]
			*outer = binary.AppendUvarint(*outer, fields[len(fields)-1]<<3|2)
			*outer = append(binary.AppendUvarint(*outer, uint64(len(content))), content...)
			fields = fields[:len(fields)-1]
		case strings.HasSuffix(tok, "{"):
			fields = append(fields, parse(t, number))
			stack = append(stack, nil)
		case isField:
			*top = binary.AppendUvarint(*top, parse(t, number)<<3)
			*top = binary.AppendUvarint(*top, parse(t, rest))
		default:
			b, err := hex.DecodeString(tok)
			if err != nil {
				t.Fatalf("%s in %s: %v", tok, source, err)
			}
			*top = append(*top, b...)
		}
	}
	if len(stack) != 1 {
		t.Fatalf("unclosed { in %s", source)
	}
	return stack[0]
}

func parse(t testing.TB, number string) uint64 {
	t.Helper()
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return uint64(n)
}

// dump tells what we read in b, a line for each thing; what is zero or empty is left out.
func dump(b []byte) string {
	req, err := otlpwire.Parse(b, otlpwire.DefaultLimits)
	if err != nil {
		return "refused: " + err.Error()
	}
	out := &dumper{}
	out.line(0, fmt.Sprintf("accepted: %d spans", req.SpanCount()))
	for rs := range req.ResourceSpans() {
		out.line(1, "resource", attr("schema", rs.SchemaURL), num("dropped", droppedOfResource(rs.Resource)))
		out.attributes(2, otlpwire.ResourceAttributes, rs.Resource)
		for ss := range rs.Scopes() {
			var scope otlpwire.Scope
			scope.Decode(ss.Scope)
			out.line(2, "scope", attr("name", scope.Name), attr("version", scope.Version), attr("schema", ss.SchemaURL))
			out.attributes(3, otlpwire.ScopeAttributes, ss.Scope)
			for raw := range ss.Spans() {
				out.span(raw)
			}
		}
	}
	return strings.TrimSuffix(out.String(), "\n")
}

type dumper struct{ strings.Builder }

func (d *dumper) line(indent int, words ...string) {
	d.WriteString(strings.Repeat("  ", indent))
	d.WriteString(strings.Join(strings.Fields(strings.Join(words, " ")), " "))
	d.WriteByte('\n')
}

func (d *dumper) span(raw []byte) {
	var s otlpwire.Span
	s.Decode(raw)
	d.line(3, "span", attr("name", s.Name), id("trace", s.TraceID[:]), id("id", s.SpanID[:]), id("parent", s.ParentID[:]),
		num("kind", s.Kind), num("start", s.Start), num("end", s.End), num("flags", s.Flags), attr("state", s.TraceState),
		num("status", s.Status), attr("message", s.StatusMessage), num("dropped", s.DroppedAttributes))
	d.attributes(4, otlpwire.SpanAttributes, raw)
	for raw := range s.Events() {
		var e otlpwire.Event
		e.Decode(raw)
		d.line(4, "event", attr("name", e.Name), num("time", e.Time))
		d.attributes(5, otlpwire.EventAttributes, raw)
	}
	for raw := range s.Links() {
		var l otlpwire.Link
		l.Decode(raw)
		d.line(4, "link", id("trace", l.TraceID[:]), id("id", l.SpanID[:]), num("flags", l.Flags), attr("state", l.TraceState))
		d.attributes(5, otlpwire.LinkAttributes, raw)
	}
}

func (d *dumper) attributes(indent int, f otlpwire.Field, raw []byte) {
	for key, v := range otlpwire.ReadAttributes(f, raw) {
		d.line(indent, strconv.Quote(string(key)), "=", show(v))
	}
}

func show(v otlpwire.Value) string {
	switch v.Type() {
	case otlpwire.TypeStr:
		return strconv.Quote(string(v.Str()))
	case otlpwire.TypeBytes:
		return hex.EncodeToString(v.Str())
	case otlpwire.TypeInt:
		return strconv.FormatInt(v.Int(), 10)
	case otlpwire.TypeDouble:
		return strconv.FormatFloat(v.Double(), 'e', -1, 64)
	case otlpwire.TypeBool:
		return strconv.FormatBool(v.Bool())
	case otlpwire.TypeSlice:
		var all []string
		for e := range v.Slice() {
			all = append(all, show(e))
		}
		return "[" + strings.Join(all, ", ") + "]"
	case otlpwire.TypeMap:
		var all []string
		for key, e := range v.Map() {
			all = append(all, strconv.Quote(string(key))+": "+show(e))
		}
		return "{" + strings.Join(all, ", ") + "}"
	case otlpwire.TypeStrIndex:
		return "string table entry"
	}
	return "nothing"
}

func attr(name string, s []byte) string {
	if len(s) == 0 {
		return ""
	}
	return name + "=" + strconv.Quote(string(s))
}

func num[N int32 | uint32 | uint64](name string, n N) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%s=%d", name, n)
}

func id(name string, b []byte) string {
	if strings.Trim(string(b), "\x00") == "" {
		return ""
	}
	return name + "=" + hex.EncodeToString(b)
}
