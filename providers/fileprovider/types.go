package fileprovider

import (
	"iter"
	"reflect"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.yaml.in/yaml/v3"
)

// pairs yields the keys and values of a mapping, in the file's order; nothing for any other node.
func pairs(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(k, v *yaml.Node) bool) {
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		if n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

// underlying strips pointers and the core's Optional, whose only struct-typed content is its value.
func underlying(t reflect.Type) reflect.Type {
	for t != nil {
		switch {
		case t.Kind() == reflect.Pointer:
			t = t.Elem()
		case t.Kind() == reflect.Struct && strings.HasPrefix(t.Name(), "Optional["):
			value, ok := t.FieldByName("value")
			if !ok {
				return t
			}
			t = value.Type
		default:
			return t
		}
	}
	return nil
}

// structFields maps the configuration keys of a struct to the types of its fields; nil when t is not a struct.
func structFields(t reflect.Type) map[string]reflect.Type {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	out := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("mapstructure"), ",")
		switch {
		case strings.Contains(opts, "squash"): // also of unexported embedded structs
			for k, v := range structFields(underlying(f.Type)) {
				out[k] = v
			}
		case !f.IsExported() || name == "-":
		case strings.Contains(opts, "remain"):
		case name != "":
			out[strings.TrimSpace(name)] = f.Type
		default:
			out[strings.ToLower(f.Name)] = f.Type
		}
	}
	return out
}

// embedsHTTPSettings says whether t is one of confighttp's settings or has one among its own keys.
func embedsHTTPSettings(t reflect.Type) bool {
	if t == reflect.TypeFor[confighttp.ServerConfig]() || t == reflect.TypeFor[confighttp.ClientConfig]() {
		return true
	}
	if t.Kind() != reflect.Struct {
		return false
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if strings.Contains(f.Tag.Get("mapstructure"), ",squash") && embedsHTTPSettings(underlying(f.Type)) {
			return true
		}
	}
	return false
}

func factoryMap[F component.Factory](m map[component.Type]F) map[component.Type]component.Factory {
	out := make(map[component.Type]component.Factory, len(m))
	for t, f := range m {
		out[t] = f
	}
	return out
}

func typeNames(m map[component.Type]component.Factory) []string {
	out := make([]string, 0, len(m))
	for t := range m {
		out = append(out, t.String())
	}
	return out
}

func sectionNames(m map[string]map[component.Type]component.Factory) []string {
	out := make([]string, 0, len(m))
	for name := range m {
		out = append(out, name)
	}
	return out
}

func names(fields map[string]reflect.Type) []string {
	out := make([]string, 0, len(fields))
	for name := range fields {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
