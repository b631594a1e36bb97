// Package yamlkeys reads YAML configuration strictly and words its errors for the person who wrote the file: each names
// the file, the line and the key path, and for an unknown key the nearest one that exists.
//
// It holds no state and does no I/O.
package yamlkeys

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Decode reads data into the struct that into points to. Keys that the struct does not have are errors, as are values
// of the wrong type; all of them are reported together, in the order of the file. file is only used in messages.
//
// A message reads: gateway.yaml:12: routes[0].mach: unknown key; did you mean "match"?
func Decode(file string, data []byte, into any) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return syntaxError(file, err)
	}
	if doc.Kind == 0 { // an empty file keeps the defaults
		return nil
	}
	root := doc.Content[0]
	w := &walker{file: file, paths: map[int]string{}}
	w.walk(root, reflect.TypeOf(into), "")
	if err := root.Decode(into); err != nil {
		w.typeErrors(err)
	}
	return errors.Join(w.errs...)
}

// walker goes through document and type together.
type walker struct {
	file  string
	paths map[int]string // line -> path of the deepest key that stands there
	errs  []error
}

func (w *walker) add(line int, path, format string, args ...any) {
	if path != "" {
		path += ": "
	}
	w.errs = append(w.errs, fmt.Errorf("%s:%d: %s%s", w.file, line, path, fmt.Sprintf(format, args...)))
}

func (w *walker) walk(n *yaml.Node, t reflect.Type, path string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if _, seen := w.paths[n.Line]; !seen || n.Kind == yaml.ScalarNode {
		w.paths[n.Line] = path
	}
	if decodesItself(t) {
		return
	}
	switch {
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Struct:
		w.walkStruct(n, t, path)
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Map:
		for i := 0; i+1 < len(n.Content); i += 2 {
			w.walk(n.Content[i+1], t.Elem(), join(path, n.Content[i].Value))
		}
	case n.Kind == yaml.SequenceNode && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array):
		for i, item := range n.Content {
			w.walk(item, t.Elem(), path+"["+strconv.Itoa(i)+"]")
		}
	}
}

func (w *walker) walkStruct(n *yaml.Node, t reflect.Type, path string) {
	fields := structFields(t)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Value == "<<" { // a merge key takes its content from an anchor, which is walked where it stands
			continue
		}
		here := join(path, key.Value)
		w.paths[key.Line] = here
		ft, ok := fields[key.Value]
		if !ok {
			w.add(key.Line, here, "unknown key%s", DidYouMean(key.Value, keysOf(fields)))
			continue
		}
		w.walk(value, ft, here)
	}
}

var typeErrorLine = regexp.MustCompile(`^line (\d+): (.*)$`)

// typeErrors rewords the errors of the YAML library, which know only lines.
func (w *walker) typeErrors(err error) {
	var te *yaml.TypeError
	if !errors.As(err, &te) {
		w.errs = append(w.errs, fmt.Errorf("%s: %w", w.file, err))
		return
	}
	for _, msg := range te.Errors {
		m := typeErrorLine.FindStringSubmatch(msg)
		if m == nil {
			w.errs = append(w.errs, fmt.Errorf("%s: %s", w.file, msg))
			continue
		}
		line, _ := strconv.Atoi(m[1]) // the expression matched digits only
		w.add(line, w.paths[line], "%s", strings.NewReplacer("!!str ", "", "!!map into", "a mapping into", "!!seq into", "a list into").Replace(m[2]))
	}
}

var syntaxLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

func syntaxError(file string, err error) error {
	m := syntaxLine.FindStringSubmatch(err.Error())
	if m == nil || m[1] == "" {
		return fmt.Errorf("%s: not valid YAML: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	return fmt.Errorf("%s:%s: not valid YAML: %s", file, m[1], m[2])
}

// structFields maps the YAML keys of a struct to the types of its fields, inlined structs included.
func structFields(t reflect.Type) map[string]reflect.Type {
	out := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case !f.IsExported() || name == "-":
		case strings.Contains(opts, "inline"):
			for k, v := range structFields(f.Type) {
				out[k] = v
			}
		case name == "":
			out[strings.ToLower(f.Name)] = f.Type
		default:
			out[name] = f.Type
		}
	}
	return out
}

var (
	yamlUnmarshaler = reflect.TypeFor[yaml.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(yamlUnmarshaler) || p.Implements(textUnmarshaler)
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
