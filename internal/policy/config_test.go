package policy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/confmap"
	"go.yaml.in/yaml/v3"

	"github.com/tailgate-otel/tailgate/internal/testkit/script"
)

// TestConfigs runs testdata/config: policies and what is wrong with them.
func TestConfigs(t *testing.T) {
	script.Run(t, "testdata/config/*.txt", func(t *testing.T) func(script.Step) string {
		s := &scenario{t: t}
		return s.run
	})
}

// TestContribConfigs loads what contrib's users copy from: the examples of its documentation and its own test data.
func TestContribConfigs(t *testing.T) {
	dir := contribDir(t)
	examples := yamlBlocks(t, filepath.Join(dir, "README.md"))
	data, err := os.ReadFile(filepath.Join(dir, "testdata", "tail_sampling_config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	examples = append(examples, string(data))
	policies := 0
	for _, text := range examples {
		// One example gives a boolean_attribute policy its section under a wrong name; contrib does not load it either.
		text = strings.Replace(text, "string_attribute: { key: app.do_not_sample", "boolean_attribute: { key: app.do_not_sample", 1)
		for _, section := range tailSamplingSections(t, text) {
			var cfg struct {
				Policies []Config       `mapstructure:"policies"`
				Rest     map[string]any `mapstructure:",remain"`
			}
			if err := confmap.NewFromStringMap(section).Unmarshal(&cfg); err != nil {
				t.Errorf("%v\n%s", err, text)
				continue
			}
			if _, err := Compile(Settings{Policies: cfg.Policies}); err != nil {
				t.Errorf("%v\n%s", err, text)
			}
			policies += len(cfg.Policies)
		}
	}
	if policies < 30 {
		t.Errorf("only %d policies found in %d examples", policies, len(examples))
	}
}

func contribDir(t *testing.T) string {
	const module = "github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatalf("go list -m %s: %v", module, err)
	}
	return strings.TrimSpace(string(out))
}

// yamlBlocks returns the fenced YAML of a Markdown file.
func yamlBlocks(t *testing.T, file string) []string {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, part := range strings.Split(string(data), "```yaml\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		blocks = append(blocks, block)
	}
	return blocks
}

// tailSamplingSections returns every processor section in text.
func tailSamplingSections(t *testing.T, text string) []map[string]any {
	var doc map[string]any
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if processors, ok := doc["processors"].(map[string]any); ok {
		doc = processors
	}
	var sections []map[string]any
	for name, section := range doc {
		if s, ok := section.(map[string]any); ok && strings.HasPrefix(name, "tail_sampling") {
			sections = append(sections, s)
		}
	}
	return sections
}

func TestFingerprint(t *testing.T) {
	base := func() Settings {
		zero := int64(0)
		return Settings{Policies: []Config{{Condition: Condition{
			Name: "a", Type: NumericAttribute, NumericAttribute: NumericAttributeConfig{Key: "x", MinValue: &zero},
		}}}}
	}
	want := mustCompile(t, base()).Fingerprint()
	if got := mustCompile(t, base()).Fingerprint(); got != want {
		t.Errorf("equal settings have fingerprints %x and %x", got, want)
	}
	one := int64(1)
	for what, change := range map[string]func(*Settings){
		"bound": func(s *Settings) { s.Policies[0].Condition.NumericAttribute.MinValue = &one },
		"absent bound": func(s *Settings) {
			n := &s.Policies[0].Condition.NumericAttribute
			n.MinValue, n.MaxValue = nil, n.MinValue
		},
		"dry run":       func(s *Settings) { s.Policies[0].DryRun = true },
		"first match":   func(s *Settings) { s.FirstMatch = true },
		"tracestate":    func(s *Settings) { s.UseTraceState = true },
		"record policy": func(s *Settings) { s.RecordPolicy = true },
		"strategy":      func(s *Settings) { s.Strategy = SpanIngest },
	} {
		set := base()
		change(&set)
		if got := mustCompile(t, set).Fingerprint(); got == want {
			t.Errorf("%s: does not change the fingerprint", what)
		}
	}
}
