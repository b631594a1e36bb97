package gateway_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/tailgate-otel/tailgate/gateway/config"
)

// TestReadme keeps the README honest: its examples load, and its table has every key that the configuration has.
func TestReadme(t *testing.T) {
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(text, -1)
	if len(examples) == 0 {
		t.Fatal("no YAML example")
	}
	for _, example := range examples {
		if _, err := config.Parse("README.md", []byte(example[1])); err != nil {
			t.Errorf("an example does not load: %v\n%s", err, example[1])
		}
	}
	for _, key := range keys("", reflect.TypeFor[config.Config]()) {
		if !strings.Contains(text, "`"+key+"`") {
			t.Errorf("the table has no key `%s`", key)
		}
	}
}

// keys lists the key paths of a configuration type as the README writes them.
func keys(path string, t reflect.Type) []string {
	switch t.Kind() {
	case reflect.Pointer:
		return keys(path, t.Elem())
	case reflect.Map:
		return keys(path+".NAME", t.Elem())
	case reflect.Slice:
		if path == "routes" {
			return keys(path+"[]", t.Elem())
		}
		if t.Elem().Kind() == reflect.Struct {
			return []string{path + "[]"}
		}
	case reflect.Struct:
		var out []string
		for i := range t.NumField() {
			name := t.Field(i).Tag.Get("yaml")
			if path != "" {
				name = path + "." + name
			}
			out = append(out, keys(name, t.Field(i).Type)...)
		}
		return out
	}
	return []string{path}
}
