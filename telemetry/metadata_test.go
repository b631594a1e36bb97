package telemetry_test

import (
	"cmp"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/tailgate-otel/tailgate/telemetry"
)

// declaration is the part of a component's metadata.yaml that names its metrics.
type declaration struct {
	Attributes map[string]struct {
		Key  string   `yaml:"name_override"`
		Type string   `yaml:"type"`
		Enum []string `yaml:"enum"`
	} `yaml:"attributes"`
	Telemetry struct {
		Metrics map[string]struct {
			Description string   `yaml:"description"`
			Unit        string   `yaml:"unit"`
			Stability   string   `yaml:"stability"`
			Attributes  []string `yaml:"attributes"`
			Sum         *struct {
				Monotonic bool `yaml:"monotonic"`
			} `yaml:"sum"`
			Gauge     *struct{} `yaml:"gauge"`
			Histogram *struct{} `yaml:"histogram"`
		} `yaml:"metrics"`
	} `yaml:"telemetry"`
}

// TestSamplingEqualsItsMetadata compares the contract with what the processor's instruments are generated from, both
// ways: each metric, and each value of an attribute.
func TestSamplingEqualsItsMetadata(t *testing.T) {
	declared := readDeclaration(t, telemetry.SamplingSpansReceived.Source)
	for _, m := range telemetry.Sampling() {
		want, ok := declared[m.Name]
		if !ok {
			t.Errorf("%s: metadata.yaml does not declare it", m.Name)
			continue
		}
		delete(declared, m.Name)
		if got := (promise{m.Kind, m.Unit, m.Description, m.Stability, valuesByKey(m)}); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the contract has %+v, metadata.yaml %+v", m.Name, got, want)
		}
	}
	for name := range declared {
		t.Errorf("%s: metadata.yaml declares it, the contract has not got it", name)
	}
}

// promise is what the contract and metadata.yaml both say of a metric.
type promise struct {
	Kind              telemetry.Kind
	Unit, Description string
	Stability         telemetry.Stability
	Values            map[string][]string // by attribute key; nil where there is no closed set
}

func valuesByKey(m telemetry.Metric) map[string][]string {
	out := map[string][]string{}
	for _, a := range m.Attributes {
		out[a.Key] = a.Values
	}
	return out
}

func readDeclaration(t *testing.T, source string) map[string]promise {
	t.Helper()
	const module = "github.com/tailgate-otel/tailgate/"
	data, err := os.ReadFile(filepath.Join("..", strings.TrimPrefix(source, module), "metadata.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var d declaration
	if err := yaml.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	out := map[string]promise{}
	for name, m := range d.Telemetry.Metrics {
		p := promise{Unit: m.Unit, Description: m.Description, Stability: telemetry.Stability(m.Stability), Values: map[string][]string{}}
		switch {
		case m.Sum != nil && m.Sum.Monotonic:
			p.Kind = telemetry.Counter
		case m.Sum != nil:
			p.Kind = telemetry.UpDownCounter
		case m.Gauge != nil:
			p.Kind = telemetry.Gauge
		case m.Histogram != nil:
			p.Kind = telemetry.Histogram
		}
		for _, id := range m.Attributes {
			a := d.Attributes[id]
			if a.Type == "bool" {
				a.Enum = []string{"true", "false"}
			}
			p.Values[cmp.Or(a.Key, id)] = a.Enum
		}
		out["otelcol_"+name] = p
	}
	return out
}
