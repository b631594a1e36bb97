// Package confkeys knows the keys that a configuration struct accepts. Check finds misspelt keys in a component's section of the collector's configuration and names the nearest
// valid one. The collector itself reports a wrong key without its path's neighbours, and inside confighttp's server
// settings it ignores one silently, together with the limit or the TLS that the user believes to have set.
//
// It reads the keys that a config struct accepts from its mapstructure tags. It keeps no state and starts nothing.
package confkeys

import (
	"encoding"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/confmap"

	"github.com/tailgate-otel/tailgate/internal/yamlkeys"
)

// Check reports every key of conf that cfg, a pointer to a config struct, has no field for. Call it first in Unmarshal.
func Check(conf *confmap.Conf, cfg any) error {
	return errors.Join(check("", conf.ToStringMap(), reflect.TypeOf(cfg).Elem())...)
}

func check(path string, section map[string]any, t reflect.Type) []error {
	known := Fields(t)
	names := slices.Sorted(maps.Keys(known))
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(section)) {
		field, ok := known[key]
		if !ok {
			errs = append(errs, fmt.Errorf("%s%s: unknown key%s", path, key, yamlkeys.DidYouMean(key, names)))
			continue
		}
		if sub, isSection := section[key].(map[string]any); isSection && field.Kind() == reflect.Struct {
			errs = append(errs, check(path+key+"::", sub, field)...)
		}
	}
	return errs
}

// enabledKey is accepted by every optional section besides its own keys.
const enabledKey = "enabled"

// Fields returns the keys that mapstructure reads into t, those of squashed structs included, with the type of each.
// Pointers and configoptional.Optional are looked through. The map is empty for a type that takes no keys of its own.
func Fields(t reflect.Type) map[string]reflect.Type {
	t, optional := Unwrap(t)
	fields := map[string]reflect.Type{}
	if optional {
		fields[enabledKey] = reflect.TypeFor[bool]()
	}
	if t.Kind() != reflect.Struct || decodesItself(t) {
		return fields
	}
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("mapstructure"), ",")
		switch {
		case strings.Contains(options, "squash"): // also of unexported embedded structs
			maps.Copy(fields, Fields(field.Type))
		case !field.IsExported(), name == "-", strings.Contains(options, "remain"):
		case name != "":
			fields[strings.TrimSpace(name)] = field.Type // contrib has a tag with a space
		default:
			fields[strings.ToLower(field.Name)] = field.Type
		}
	}
	return fields
}

// Unwrap looks into pointers and configoptional.Optional, whose type of content only its methods tell.
func Unwrap(t reflect.Type) (inner reflect.Type, optional bool) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	get, ok := reflect.PointerTo(t).MethodByName("GetOrInsertDefault")
	if !ok || get.Type.NumOut() != 1 || get.Type.Out(0).Kind() != reflect.Pointer {
		return t, false
	}
	return get.Type.Out(0).Elem(), true
}

func decodesItself(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}
