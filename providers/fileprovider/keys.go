package fileprovider

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/service"
	"go.yaml.in/yaml/v3"

	"github.com/tailgate-otel/tailgate/internal/confkeys"
	"github.com/tailgate-otel/tailgate/internal/yamlkeys"
)

// separator stands between the keys of a path, as in the collector's own messages.
const separator = "::"

// checker collects what is wrong in one file.
type checker struct {
	file  string
	found []finding
}

type finding struct {
	line int
	text string
}

// checkKeys reports every key and component type in content that the collector built from f does not know. Content
// that is no YAML mapping passes: the collector reports it, and a file may also hold a part of a configuration.
func checkKeys(file string, content []byte, f otelcol.Factories) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(content, &doc); err != nil {
		return nil //nolint:nilerr // the core's provider reports it
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return nil
	}
	sections := map[string]map[component.Type]component.Factory{
		"receivers": factoryMap(f.Receivers), "processors": factoryMap(f.Processors), "exporters": factoryMap(f.Exporters),
		"connectors": factoryMap(f.Connectors), "extensions": factoryMap(f.Extensions),
	}
	root := doc.Content[0]
	if !isCollectorConfig(root, sections) {
		return nil
	}
	c := &checker{file: file}
	for key, value := range pairs(root) {
		known, ok := sections[key.Value]
		switch {
		case ok:
			c.checkComponents(key.Value, value, known)
		case key.Value == "service":
			c.checkService(value, f)
		default:
			c.unknownKey(key, key.Value, append(sectionNames(sections), "service"))
		}
	}
	return c.err()
}

// err joins the findings in the order of the file's lines.
func (c *checker) err() error {
	slices.SortStableFunc(c.found, func(a, b finding) int { return a.line - b.line })
	errs := make([]error, len(c.found))
	for i, f := range c.found {
		errs[i] = fmt.Errorf("%s:%d: %s", c.file, f.line, f.text)
	}
	return errors.Join(errs...)
}

// isCollectorConfig tells a configuration from a fragment that another file includes with ${file:…}.
func isCollectorConfig(root *yaml.Node, sections map[string]map[component.Type]component.Factory) bool {
	for key := range pairs(root) {
		if _, ok := sections[key.Value]; ok || key.Value == "service" {
			return true
		}
	}
	return false
}

func (c *checker) checkComponents(section string, node *yaml.Node, known map[component.Type]component.Factory) {
	for key, value := range pairs(node) {
		var id component.ID
		if id.UnmarshalText([]byte(key.Value)) != nil {
			continue // the collector says what an id looks like
		}
		factory, ok := known[id.Type()]
		if !ok {
			c.add(key, section+separator+key.Value, "there is no %s %q in this collector%s",
				strings.TrimSuffix(section, "s"), id.Type(), yamlkeys.DidYouMean(id.Type().String(), typeNames(known)))
			continue
		}
		c.checkConfig(section+separator+key.Value, value, factory.CreateDefaultConfig())
	}
}

func (c *checker) checkService(node *yaml.Node, f otelcol.Factories) {
	rest := yaml.Node{Kind: yaml.MappingNode, Line: node.Line}
	for key, value := range pairs(node) {
		if key.Value == "telemetry" && f.Telemetry != nil {
			c.checkConfig("service::telemetry", value, f.Telemetry.CreateDefaultConfig())
			continue
		}
		rest.Content = append(rest.Content, key, value)
	}
	c.checkConfig("service", &rest, &service.Config{})
}

var invalidKeys = regexp.MustCompile(`has invalid keys: ([^\n]+)`)

// checkConfig decodes node into cfg as the collector does and locates each key that it refuses.
func (c *checker) checkConfig(path string, node *yaml.Node, cfg component.Config) {
	if node.Kind != yaml.MappingNode {
		return
	}
	var raw map[string]any
	if node.Decode(&raw) != nil {
		return
	}
	c.checkIgnored(path, node, reflect.TypeOf(cfg))
	err := decode(raw, cfg)
	if errors.Is(err, errPanic) {
		c.add(node, path, "these settings cannot be read: %v", err)
	}
	if err == nil {
		return
	}
	for _, m := range invalidKeys.FindAllStringSubmatch(err.Error(), -1) {
		for key := range strings.SplitSeq(m[1], ", ") {
			if !c.locate(path, node, reflect.TypeOf(cfg), key, true) {
				c.locate(path, node, reflect.TypeOf(cfg), key, false)
			}
		}
	}
}

var errPanic = errors.New("the decoder gave up")

// decode is confmap's decoding without its panics: a wrong value below service::telemetry::metrics::readers makes
// mapstructure 2.5.0 panic ("reflect: Key of non-map type"), in the stock collector too.
func decode(raw map[string]any, cfg component.Config) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v; check spelling and types against the documentation", errPanic, r)
		}
	}()
	return confmap.NewFromStringMap(raw).Unmarshal(cfg)
}

// checkIgnored reports keys whose fault the decoder does not see, or not as that of a key. confighttp's settings skip what
// they do not know, because they are usually embedded beside other settings (confighttp.ServerConfig.Unmarshal, v0.161.0).
// And a struct that takes sections of any name, as a policy of tail_sampling does for extensions, takes a misspelt
// setting for one, and then complains about a type.
func (c *checker) checkIgnored(path string, node *yaml.Node, t reflect.Type) {
	if t == nil {
		return
	}
	if node.Kind == yaml.SequenceNode {
		for i, item := range node.Content {
			c.checkIgnored(fmt.Sprintf("%s[%d]", path, i), item, elem(t, reflect.Slice))
		}
		return
	}
	fields := confkeys.Fields(t)
	for k, v := range pairs(node) {
		here := path + separator + k.Value
		field, known := fields[k.Value]
		switch {
		case known:
			c.checkIgnored(here, v, field)
		case elem(t, reflect.Map) != nil:
			c.checkIgnored(here, v, elem(t, reflect.Map))
		case embedsHTTPSettings(t), takesSections(t) && !isSection(v):
			c.unknownKey(k, here, names(fields))
		}
	}
}

// locate reports every place below node where key stands in a mapping of a struct that has no such field. With strict
// unset it reports any place, for configurations that decode themselves and so hide what they accept.
func (c *checker) locate(path string, node *yaml.Node, t reflect.Type, key string, strict bool) (found bool) {
	switch node.Kind {
	case yaml.SequenceNode:
		for i, item := range node.Content {
			found = c.locate(fmt.Sprintf("%s[%d]", path, i), item, elem(t, reflect.Slice), key, strict) || found
		}
	case yaml.MappingNode:
		fields, isStruct := fieldsOf(t)
		for k, v := range pairs(node) {
			here := path + separator + k.Value
			field, known := fields[k.Value]
			if e := elem(t, reflect.Map); e != nil {
				field, known = e, true
			}
			if k.Value == key && !known && (isStruct || !strict) {
				c.unknownKey(k, here, names(fields))
				found = true
				continue
			}
			found = c.locate(here, v, field, key, strict) || found
		}
	}
	return found
}

func (c *checker) unknownKey(key *yaml.Node, path string, known []string) {
	hint := ""
	if len(known) > 0 {
		hint = yamlkeys.DidYouMean(key.Value, known)
	}
	c.add(key, path, "unknown key%s", hint)
}

func (c *checker) add(at *yaml.Node, path, format string, args ...any) {
	f := finding{line: at.Line, text: path + ": " + fmt.Sprintf(format, args...)}
	if !slices.Contains(c.found, f) {
		c.found = append(c.found, f)
	}
}
