package fileprovider

import (
	"iter"
	"reflect"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.yaml.in/yaml/v3"

	"github.com/tailgate-otel/tailgate/internal/confkeys"
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

// fieldsOf returns the keys of a struct, and false for what is not one; t may be nil where nothing is known.
func fieldsOf(t reflect.Type) (map[string]reflect.Type, bool) {
	if t == nil {
		return nil, false
	}
	if inner, _ := confkeys.Unwrap(t); inner.Kind() != reflect.Struct {
		return nil, false
	}
	return confkeys.Fields(t), true
}

// elem returns the type of the elements of a map or slice, and nil for any other type.
func elem(t reflect.Type, kind reflect.Kind) reflect.Type {
	if t == nil {
		return nil
	}
	if t, _ = confkeys.Unwrap(t); t.Kind() != kind {
		return nil
	}
	return t.Elem()
}

// embedsHTTPSettings says whether t is one of confighttp's settings or has one among its own keys.
func embedsHTTPSettings(t reflect.Type) bool {
	t, _ = confkeys.Unwrap(t)
	if t == reflect.TypeFor[confighttp.ServerConfig]() || t == reflect.TypeFor[confighttp.ClientConfig]() {
		return true
	}
	if t.Kind() != reflect.Struct {
		return false
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if strings.Contains(f.Tag.Get("mapstructure"), ",squash") && embedsHTTPSettings(f.Type) {
			return true
		}
	}
	return false
}

// takesSections says whether t, a struct, takes any further key as long as its value is a mapping.
func takesSections(t reflect.Type) bool {
	t, _ = confkeys.Unwrap(t)
	if t.Kind() != reflect.Struct {
		return false
	}
	for i := range t.NumField() {
		f := t.Field(i)
		_, options, _ := strings.Cut(f.Tag.Get("mapstructure"), ",")
		if strings.Contains(options, "squash") && takesSections(f.Type) {
			return true
		}
		if e := elem(f.Type, reflect.Map); strings.Contains(options, "remain") && e != nil && e.Kind() == reflect.Map {
			return true
		}
	}
	return false
}

// isSection says whether a node may stand where a mapping is wanted: one, nothing, or another's.
func isSection(n *yaml.Node) bool {
	return n.Kind == yaml.MappingNode || n.Kind == yaml.AliasNode || n.Tag == "!!null"
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
