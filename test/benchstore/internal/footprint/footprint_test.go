package footprint

import (
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestConfig(t *testing.T) {
	for _, store := range []bool{false, true} {
		var c struct {
			Extensions map[string]any
			Exporters  map[string]any
			Service    struct {
				Extensions []string
				Pipelines  map[string]struct{ Exporters []string }
			}
		}
		if err := yaml.Unmarshal([]byte(config("127.0.0.1:1", "127.0.0.1:2", "/data", store)), &c); err != nil {
			t.Fatal(err)
		}
		used := c.Service.Pipelines["metrics"].Exporters
		if len(used) != 1 || c.Exporters[used[0]] == nil || (len(c.Extensions) == 1) != store || (len(c.Service.Extensions) == 1) != store {
			t.Errorf("with store %v: %+v", store, c)
		}
	}
}
