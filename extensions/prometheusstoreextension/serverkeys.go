package prometheusstoreextension

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/config/confighttp"

	"github.com/tailgate-otel/tailgate/internal/yamlkeys"
)

// unknownServerKeys names each key of a confighttp section that the server does not know, and the nearest one it does.
func unknownServerKeys(path string, section map[string]any) error {
	known := keysOf(reflect.TypeFor[confighttp.ServerConfig]())
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(section)) {
		if slices.Contains(known, key) {
			continue
		}
		errs = append(errs, fmt.Errorf("%s::%s: unknown key%s", path, key, yamlkeys.DidYouMean(key, known)))
	}
	return errors.Join(errs...)
}

// keysOf returns the keys that mapstructure reads into t, those of squashed structs included.
func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("mapstructure"), ",")
		switch {
		case !field.IsExported():
		case strings.Contains(options, "squash"):
			keys = append(keys, keysOf(field.Type)...)
		case name != "":
			keys = append(keys, name)
		}
	}
	return keys
}
