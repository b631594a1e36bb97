package readme

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.yaml.in/yaml/v3"
)

// CheckKeys demands that the rows name every key of the configuration and no others, and that each default in backticks,
// read as a user's value, is the one that newConfig sets. newConfig returns a pointer to a new one with its defaults.
func CheckKeys(t testing.TB, rows []Row, newConfig func() any) {
	t.Helper()
	var documented []string
	for _, row := range rows {
		key, ok := Code(row["key"])
		require.True(t, ok, "a row without a key: %v", row)
		documented = append(documented, key)
		if strings.HasSuffix(key, "::…") {
			continue
		}
		CheckDefault(t, key, row["default"], newConfig)
	}
	for _, key := range Keys(newConfig()) {
		assert.True(t, covered(key, documented), "key %s is in no table", key)
	}
}

func covered(key string, documented []string) bool {
	if slices.Contains(documented, key) {
		return true
	}
	for _, d := range documented {
		if above, ok := strings.CutSuffix(d, "…"); ok && strings.HasPrefix(key, above) {
			return true
		}
	}
	return false
}

// CheckDefault demands that the configuration has the key, and that the default, if it stands in backticks, is the one
// that newConfig sets.
func CheckDefault(t testing.TB, key, cell string, newConfig func() any) {
	t.Helper()
	path := strings.Split(key, "::")
	want, ok := lookup(reflect.ValueOf(newConfig()), path)
	if !assert.True(t, ok, "there is no key %s", key) {
		return
	}
	text, ok := Code(cell)
	if !ok {
		return
	}
	var value any
	require.NoError(t, yaml.Unmarshal([]byte(text), &value), key)
	cfg := newConfig()
	require.NoError(t, confmap.NewFromStringMap(nested(path, value)).Unmarshal(cfg), key)
	got, _ := lookup(reflect.ValueOf(cfg), path)
	assert.Equal(t, want.Interface(), got.Interface(), "the default of %s", key)
}

func nested(path []string, value any) map[string]any {
	for _, key := range slices.Backward(path) {
		value = map[string]any{key: value}
	}
	return value.(map[string]any)
}

// Keys lists the keys of a configuration, a pointer to a struct, down to those that hold no struct, or one that they are
// in. What is in lists and maps is not listed.
func Keys(cfg any) []string {
	keys := keysBelow(reflect.ValueOf(cfg), "", nil)
	slices.Sort(keys)
	return keys
}

func keysBelow(v reflect.Value, prefix string, above []reflect.Type) (keys []string) {
	v = inner(v)
	above = append(slices.Clone(above), v.Type())
	for t := range squashed(v) {
		above = append(above, t)
	}
	for name, field := range fields(v) {
		sub := inner(field)
		if len(fields(sub)) == 0 || slices.Contains(above, sub.Type()) {
			keys = append(keys, prefix+name)
		} else {
			keys = append(keys, keysBelow(sub, prefix+name+"::", above)...)
		}
	}
	return keys
}

func lookup(v reflect.Value, path []string) (reflect.Value, bool) {
	for _, key := range path {
		if v = inner(v); v.Kind() != reflect.Struct {
			return v, false
		}
		field, ok := fields(v)[key]
		if !ok {
			return v, false
		}
		v = field
	}
	return v, true
}

// inner returns what pointers and Optionals hold, a new one if they hold nothing.
func inner(v reflect.Value) reflect.Value {
	for {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v = reflect.New(v.Type().Elem())
			}
			v = v.Elem()
			continue
		}
		if !v.CanAddr() {
			return v
		}
		get := v.Addr().MethodByName("GetOrInsertDefault") // configoptional.Optional
		if !get.IsValid() || v.Kind() != reflect.Struct {
			return v
		}
		v = get.Call(nil)[0]
	}
}

// squashed yields the types of the structs whose fields v has as its own.
func squashed(v reflect.Value) func(yield func(reflect.Type) bool) {
	return func(yield func(reflect.Type) bool) {
		for f := range v.Type().Fields() {
			if _, options, _ := strings.Cut(f.Tag.Get("mapstructure"), ","); strings.Contains(options, "squash") && !yield(f.Type) {
				return
			}
		}
	}
}

// fields returns the fields of a struct by key, with those of squashed structs.
func fields(v reflect.Value) map[string]reflect.Value {
	found := map[string]reflect.Value{}
	if v.Kind() != reflect.Struct {
		return found
	}
	for i := range v.NumField() {
		name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("mapstructure"), ",")
		switch {
		case strings.Contains(options, "squash"):
			for key, field := range fields(inner(v.Field(i))) {
				found[key] = field
			}
		case name != "" && name != "-":
			found[name] = v.Field(i)
		}
	}
	return found
}
