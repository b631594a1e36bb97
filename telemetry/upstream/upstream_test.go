package upstream_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/upstream"
)

// metadata is the part of a component's metadata.yaml that names its metrics.
type metadata struct {
	Telemetry struct {
		Metrics map[string]struct {
			Prefix     string   `yaml:"prefix"`
			Unit       string   `yaml:"unit"`
			Attributes []string `yaml:"attributes"`
			Sum        *struct {
				Monotonic bool `yaml:"monotonic"`
			} `yaml:"sum"`
			Gauge     *struct{} `yaml:"gauge"`
			Histogram *struct{} `yaml:"histogram"`
		} `yaml:"metrics"`
	} `yaml:"telemetry"`
}

// TestMetricsEqualPinnedModules reads metadata.yaml out of the modules that go.mod pins. It fails, by metric, when a
// version bump renames one or changes its unit, kind or attributes.
func TestMetricsEqualPinnedModules(t *testing.T) {
	compared := 0
	for source, metrics := range bySource(append(upstream.All(), telemetry.Store()...)) {
		declared, ok := readMetadata(t, source)
		if !ok {
			continue
		}
		for _, m := range metrics {
			want, ok := declared[m.Name]
			if !ok {
				t.Errorf("%s: %s no longer declares it", m.Name, source)
				continue
			}
			compared++
			if m.Unit != want.Unit || m.Kind != want.Kind {
				t.Errorf("%s: we have %s in %q, %s has %s in %q", m.Name, m.Kind, m.Unit, source, want.Kind, want.Unit)
			}
			for _, a := range want.Attributes {
				if _, ok := m.Attribute(a.Key); !ok {
					t.Errorf("%s: attribute %s of %s is missing", m.Name, a.Key, source)
				}
			}
		}
	}
	if compared < 25 {
		t.Errorf("only %d metrics were compared with a metadata.yaml", compared)
	}
}

func TestAllIsValidAndUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range upstream.All() {
		if err := m.Validate(); err != nil {
			t.Error(err)
		}
		if name := telemetry.DefaultNaming.Metric(m); seen[name] {
			t.Errorf("%s stands twice", name)
		} else {
			seen[name] = true
		}
	}
}

func bySource(all []telemetry.Metric) map[string][]telemetry.Metric {
	out := map[string][]telemetry.Metric{}
	for _, m := range all {
		out[m.Source] = append(out[m.Source], m)
	}
	return out
}

// readMetadata returns what the package's metadata.yaml declares, and false when it has no such file or no metrics in it.
func readMetadata(t *testing.T, pkg string) (map[string]telemetry.Metric, bool) {
	t.Helper()
	dir, err := exec.Command("go", "list", "-find", "-f", "{{.Dir}}", pkg).Output()
	if err != nil {
		t.Fatalf("find package %s: %v", pkg, err)
	}
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "metadata.yaml"))
	if os.IsNotExist(err) {
		return nil, false
	} else if err != nil {
		t.Fatal(err)
	}
	var md metadata
	if err := yaml.Unmarshal(data, &md); err != nil {
		t.Fatalf("%s: %v", pkg, err)
	}
	out := map[string]telemetry.Metric{}
	for key, d := range md.Telemetry.Metrics {
		prefix := d.Prefix
		if prefix == "" {
			prefix = "otelcol_"
		}
		m := telemetry.Metric{Name: prefix + key, Unit: d.Unit}
		switch {
		case d.Sum != nil && d.Sum.Monotonic:
			m.Kind = telemetry.Counter
		case d.Sum != nil:
			m.Kind = telemetry.UpDownCounter
		case d.Gauge != nil:
			m.Kind = telemetry.Gauge
		case d.Histogram != nil:
			m.Kind = telemetry.Histogram
		}
		for _, a := range d.Attributes {
			m.Attributes = append(m.Attributes, telemetry.Attribute{Key: a})
		}
		out[m.Name] = m
	}
	return out, len(out) > 0
}

func TestKindsOfSourcesWithoutMetadata(t *testing.T) {
	// The span_metrics connector declares nothing; this holds at least that its names are those of its source.
	var names []string
	for _, m := range upstream.SpanMetrics() {
		names = append(names, telemetry.DefaultNaming.Metric(m))
	}
	want := []string{"traces_span_metrics_calls_total", "traces_span_metrics_duration_seconds"}
	if !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}
